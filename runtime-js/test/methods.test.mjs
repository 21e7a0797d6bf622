// Every method with every shape of arguments, and the exact event posted.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { brotliCompressSync, constants } from 'node:zlib';
import { createWorld, snippet } from './harness.mjs';

let world, edge, bundle, page, url;

before(async () => {
  world = await createWorld();
  edge = world.edge;
  bundle = world.publish();
  url = world.site.put('/p', { head: snippet(edge) });
});
after(() => world.close());

beforeEach(async () => {
  if (page) await page.context().close();
  edge.reset();
  page = await world.open();
  await page.goto(url + '?q=1#hash', { referer: 'http://127.0.0.1:1/from' });
  await page.evaluate(() => new Promise((done) => analytics.ready(done)));
});

test('the runtime alone is at most 7,000 bytes brotli-11', (t) => {
  const bytes = brotliCompressSync(bundle, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bundle.length },
  }).length;
  t.diagnostic(`runtime: ${bundle.length} bytes, ${bytes} brotli-11`);
  assert.ok(bytes <= 7000, `${bytes} bytes`);
});

const here = () => ({ path: '/p', referrer: 'http://127.0.0.1:1/from', search: '?q=1', title: 'Shop', url: url + '?q=1' });

// [calls, what the last event must hold]
const matrix = [
  ["track('A')", { type: 'track', event: 'A', properties: {} }],
  ["track('A', {x: 1})", { event: 'A', properties: { x: 1 } }],
  ["track('A', {x: 1}, {context: {y: 2}, z: 3})", { properties: { x: 1 }, context: { y: 2, z: 3 } }],
  ["track('A', null, {messageId: 'm1'})", { event: 'A', properties: {}, messageId: 'm1' }],
  ["track('A', () => {})", { event: 'A', properties: {} }],
  ["track('A', {x: 1}, () => {})", { event: 'A', properties: { x: 1 } }],
  ["track({event: 'A', properties: {x: 1}})", { event: 'A', properties: { x: 1 } }],
  ["track({event: 'A', properties: {x: 1}}, {messageId: 'm2'})", { event: 'A', properties: { x: 1 }, messageId: 'm2' }],
  ["track('A', {}, {timestamp: new Date(86400000)})", { timestamp: '1970-01-02T00:00:00.000Z' }],
  ["track('A', {}, {timestamp: '2001-02-03T04:05:06Z'})", { timestamp: '2001-02-03T04:05:06.000Z' }],
  ["track('A', {}, {anonymousId: 'anon', userId: 'u'})", { anonymousId: 'anon', userId: 'u' }],
  ["track('A', {}, {integrations: {All: false, Mixpanel: true, GA: {a: 1}}})", { integrations: { All: false, Mixpanel: true, GA: { a: 1 } } }],
  ["track('A', {d: new Date(0), u: undefined, n: null, i: NaN})", { properties: { d: '1970-01-01T00:00:00.000Z', n: null, i: null } }],
  ["track('A', {big: '</script>\\u2028', '__proto__x': 1})", { properties: { big: '</script>\u2028', __proto__x: 1 } }],
  ['page()', () => ({ type: 'page', properties: here() })],
  ["page('N')", () => ({ name: 'N', properties: { ...here(), name: 'N' } })],
  ["page('C', 'N')", () => ({ category: 'C', name: 'N', properties: { ...here(), name: 'N', category: 'C' } })],
  ["page(null, 'N')", () => ({ name: 'N', category: undefined, properties: { ...here(), name: 'N' } })],
  ['page({x: 1})', () => ({ name: undefined, properties: { ...here(), x: 1 } })],
  ['page({x: 1}, {messageId: "m"})', () => ({ messageId: 'm', properties: { ...here(), x: 1 } })],
  ["page('N', {x: 1})", () => ({ name: 'N', properties: { ...here(), name: 'N', x: 1 } })],
  ["page('N', {x: 1}, {y: 2})", () => ({ name: 'N', properties: { ...here(), name: 'N', x: 1 }, context: { y: 2 } })],
  ["page('C', 'N', {x: 1}, {y: 2})", () => ({ category: 'C', name: 'N', properties: { ...here(), category: 'C', name: 'N', x: 1 }, context: { y: 2 } })],
  ["page('C', 'N', null, {y: 2})", () => ({ category: 'C', name: 'N', properties: { ...here(), category: 'C', name: 'N' }, context: { y: 2 } })],
  ["page('C', 'N', () => {})", { category: 'C', name: 'N' }],
  ["page({url: 'https://other/x', path: '/x', title: 'T'})", { properties: { url: 'https://other/x' }, context: { page: { url: 'https://other/x', path: '/x', title: 'T', search: '?q=1' } } }],
  ["pageview('/v')", { type: 'page', properties: { path: '/v' } }],
  ["screen('N', {x: 1})", { type: 'screen', name: 'N', properties: { x: 1 } }],
  ["screen('C', 'N', {x: 1})", { type: 'screen', category: 'C', name: 'N', properties: { x: 1 } }],
  ["identify('u')", { type: 'identify', userId: 'u', traits: {} }],
  ["identify('u', {a: 1})", { userId: 'u', traits: { a: 1 } }],
  ['identify(42)', { userId: '42' }],
  ['identify({a: 1})', { userId: undefined, traits: { a: 1 } }],
  ['identify({a: 1}, {messageId: "m"})', { messageId: 'm', traits: { a: 1 } }],
  ["identify(null, {a: 1})", { userId: undefined, traits: { a: 1 } }],
  ["identify('u', null, {y: 1})", { userId: 'u', traits: {}, context: { y: 1 } }],
  ["identify('u', () => {})", { userId: 'u', traits: {} }],
  ["identify('u', {a: 1}), analytics.identify({b: 2})", { userId: 'u', traits: { a: 1, b: 2 } }],
  ["identify('u', {a: 1}), analytics.identify('v', {b: 2})", { userId: 'v', traits: { b: 2 } }],
  ["identify({a: 1}), analytics.identify('u', {b: 2})", { userId: 'u', traits: { a: 1, b: 2 } }],
  ["group('g')", { type: 'group', groupId: 'g', traits: {} }],
  ["group(7, {a: 1})", { groupId: '7', traits: { a: 1 } }],
  ["group('g', {a: 1}), analytics.group({b: 2})", { groupId: 'g', traits: { a: 1, b: 2 } }],
  ["identify('u'), analytics.group('g')", { groupId: 'g', userId: 'u' }],
  ["alias('new', 'old')", { type: 'alias', userId: 'new', previousId: 'old' }],
  ["identify('was'), analytics.alias('new')", { userId: 'new', previousId: 'was' }],
  ["setAnonymousId('anon'), analytics.alias('new')", { userId: 'new', previousId: 'anon' }],
  ['alias(1, 2)', { userId: '1', previousId: '2' }],
  ["alias('new', {messageId: 'm'})", { userId: 'new', messageId: 'm' }],
  ["push(['track', 'A', {x: 1}])", { event: 'A', properties: { x: 1 } }],
  ["queryString('http://x/?ajs_uid=u1&ajs_trait_plan=pro+plus')", { type: 'identify', userId: 'u1', traits: { plan: 'pro plus' } }],
  ["queryString('?ajs_aid=a1&ajs_event=Came&ajs_prop_a=%26')", { type: 'track', event: 'Came', anonymousId: 'a1', properties: { a: '&' } }],
];

/** Everything expected is there; undefined means absent. */
function holds(actual, expected, path = 'event') {
  for (const [name, value] of Object.entries(expected)) {
    const at = `${path}.${name}`;
    if (value && typeof value === 'object' && name !== 'properties' && name !== 'traits') holds(actual[name], value, at);
    else if (value === undefined) assert.ok(!(name in actual), `${at} should be absent`);
    else if (name === 'properties' && actual.type !== 'page' || name === 'traits') assert.deepEqual(actual[name], value, at);
    else if (value && typeof value === 'object') holds(actual[name], value, at);
    else assert.deepEqual(actual[name], value, at);
  }
}

for (const [calls, expected] of matrix) {
  test(`analytics.${calls}`, async () => {
    const n = calls.split('analytics.').length - (calls.startsWith('setAnonymousId') ? 1 : 0);
    const sent = await page.evaluate((code) => { eval('analytics.' + code); return Date.now(); }, calls);
    const events = await edge.received(n);
    const event = events[n - 1];
    assert.equal(edge.posts[n - 1].path, '/v1/' + event.type[0]);
    holds(event, typeof expected === 'function' ? expected() : expected);
    if (!calls.includes('messageId')) assert.match(event.messageId, /^ajs-next-\d{13}-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(event.writeKey, 'WriteKeyOfTheTests');
    assert.ok(event.anonymousId.length > 1);
    assert.ok(Date.parse(event.sentAt) <= Date.now() + 1);
    if (!calls.includes('timestamp')) assert.ok(Math.abs(Date.parse(event.timestamp) - sent) < 60000);
    assert.deepEqual(event._metadata, { bundled: ['Segment.io'], unbundled: [], bundledIds: [] });
    assert.equal('options' in event, false);
    assert.deepEqual(page.errors, []);
  });
}

test('context: page, browser and library', async () => {
  await page.goto(url + '?utm_source=a+b&utm_campaign=c%26d&utm_id=7&other=1#x');
  await page.evaluate(() => analytics.track('A'));
  const [{ context }] = await edge.received(1);
  assert.deepEqual(context.campaign, { source: 'a b', name: 'c&d', id: '7' });
  const browser = await page.evaluate(() => ({ userAgent: navigator.userAgent, locale: navigator.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone, hints: JSON.parse(JSON.stringify(navigator.userAgentData)) }));
  assert.equal(context.userAgent, browser.userAgent);
  assert.equal(context.locale, browser.locale);
  assert.equal(context.timezone, browser.timezone);
  assert.deepEqual(context.userAgentData, browser.hints);
  assert.equal(context.library.name, 'analytics.js');
  assert.match(context.library.version, /^tagmill-\d+\.\d+\.\d+$/);
  assert.match(context.library.build, /^[0-9a-f]{20}$/);
});

test('context: the canonical link decides path and URL', async () => {
  world.site.put('/c', { head: `<link rel="canonical" href="https://canon.example/real">${snippet(edge)}` });
  await page.goto(url.replace('/p', '/c') + '?q=2#x');
  await page.evaluate(() => analytics.page());
  const [{ context, properties }] = await edge.received(1);
  assert.equal(context.page.url, 'https://canon.example/real?q=2');
  assert.equal(context.page.path, '/real');
  assert.equal(properties.url, 'https://canon.example/real?q=2');
});

test('posts are CORS-simple', async () => {
  edge.preflights = 0;
  await page.evaluate(() => analytics.track('A'));
  await edge.received(1);
  assert.match(edge.posts[0].headers['content-type'], /^text\/plain/);
  assert.equal(edge.posts[0].headers.authorization, undefined);
  assert.equal(edge.preflights, 0);
});

test('callbacks, promises and emitted events', async () => {
  const seen = await page.evaluate(async () => {
    const seen = [];
    for (const name of ['track', 'page', 'screen', 'identify', 'group', 'alias', 'reset']) analytics.on(name, (...args) => seen.push([name, ...args]));
    let once = 0;
    analytics.once('track', () => once++);
    const callback = new Promise((done) => analytics.track('A', { x: 1 }, { y: 2 }, done));
    const ctx = await callback;
    seen.push(['ctx', ctx.event.event, typeof ctx.id, (await analytics.track('B')).event.event]);
    await analytics.page('C', 'N');
    await analytics.identify('u', { a: 1 });
    await analytics.group('g');
    await analytics.alias('v', 'u');
    analytics.reset();
    seen.push(['once', once]);
    const off = () => seen.push(['off']);
    analytics.on('track', off);
    analytics.off('track', off);
    await analytics.track('C');
    return JSON.parse(JSON.stringify(seen));
  });
  assert.deepEqual(seen[0], ['track', 'A', { x: 1 }, { y: 2 }]);
  assert.deepEqual(seen[2], ['ctx', 'A', 'string', 'B']);
  const pageEvent = seen.find(([name]) => name === 'page');
  assert.deepEqual([pageEvent[1], pageEvent[2], pageEvent[3].name], ['C', 'N', 'N']);
  assert.deepEqual(seen.find(([name]) => name === 'identify').slice(1, 3), ['u', { a: 1 }]);
  assert.deepEqual(seen.find(([name]) => name === 'group').slice(1, 3), ['g', {}]);
  assert.deepEqual(seen.find(([name]) => name === 'alias').slice(1, 3), ['v', 'u']);
  assert.deepEqual(seen.filter(([name]) => name === 'reset' || name === 'once'), [['reset'], ['once', 1]]);
  assert.equal(seen.some(([name]) => name === 'off'), false);
});

test('bad input is reported and never thrown at the page', async () => {
  const errors = await page.evaluate(async () => {
    const errors = [];
    analytics.on('error', (e) => errors.push([e.code, String(e.reason && e.reason.message || e.reason)]));
    analytics.on('error', () => { throw Error('from a listener'); });
    analytics.on('track', () => { throw Error('from a listener'); });
    const cycle = {}; cycle.self = cycle;
    await Promise.all([
      analytics.track(), analytics.track(''), analytics.track({}), analytics.track(5), analytics.alias(),
      analytics.track('cycle', cycle), analytics.track('fine', {}, () => { throw Error('from a callback'); }),
      analytics.track('long', { x: 1n }),
    ]);
    analytics.trackLink(null, 'x'); analytics.trackForm(undefined); analytics.trackLink(7);
    analytics.on(); analytics.use(); analytics.addSourceMiddleware(); analytics.register(null); analytics.push(); analytics.push(['nonsense']);
    analytics.deregister('unknown'); analytics.ready(5); analytics.queryString(); analytics.identify([]); analytics.group(undefined);
    for (const name of ['addIntegrationMiddleware', 'load', 'init', 'initialize', 'noConflict']) analytics[name]();
    await analytics.track('still alive');
    return errors;
  });
  const names = errors.map(([code]) => code);
  assert.equal(names.filter((code) => code === 'track').length >= 6, true, names.join());
  assert.ok(errors.some(([code, reason]) => code === 'track' && /must be a name/.test(reason)));
  assert.ok(errors.some(([code, reason]) => code === 'alias' && /must be/.test(reason)));
  assert.ok(names.includes('callback'));
  await edge.until(() => edge.events().some((e) => e.event === 'still alive'));
  assert.deepEqual(page.errors, []);
});
