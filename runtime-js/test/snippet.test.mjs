// Taking over from a snippet: order, time, page, globals, several instances.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, beforeEach, test } from 'node:test';
import { createWorld, key, snippet } from './harness.mjs';

const require = createRequire(import.meta.url);
const segmentSnippet = require('@segment/snippet');
let world, edge, site;

before(async () => {
  world = await createWorld();
  ({ edge, site } = world);
  world.publish();
});
after(() => world.close());
beforeEach(() => {
  edge.reset();
  edge.holdBundle = undefined;
});

/** Opens a page whose bundle does not arrive before release() is called. */
async function held(head) {
  let release;
  edge.holdBundle = new Promise((done) => (release = done));
  const page = await world.open();
  await page.goto(site.put('/held', { head }), { waitUntil: 'commit' });
  await page.waitForFunction('document.body');
  return { page, release };
}

test('buffered calls keep their order, their time and their page', async () => {
  const { page, release } = await held(snippet(edge));
  const times = await page.evaluate(async () => {
    const times = [];
    const tick = () => { const now = Date.now(); while (Date.now() < now + 20); };
    analytics.page('First'); times.push(Date.now()); tick();
    analytics.identify('u1', { a: 1 }); times.push(Date.now()); tick();
    history.pushState({}, '', '/moved?x=1'); document.title = 'Moved';
    analytics.page('Second'); times.push(Date.now()); tick();
    analytics.track('Third'); times.push(Date.now()); tick();
    analytics.alias('u2'); times.push(Date.now()); tick();
    return times;
  });
  release();
  const events = await edge.received(5);
  const inOrder = [...events].sort((a, b) => a.timestamp.localeCompare(b.timestamp));
  assert.deepEqual(inOrder.map((e) => e.name || e.event || e.userId), ['First', 'u1', 'Second', 'Third', 'u2']);
  inOrder.forEach((e, i) => assert.ok(Math.abs(Date.parse(e.timestamp) - times[i]) <= 15, `${e.timestamp} is not when it was called`));
  assert.deepEqual([inOrder[0].context.page.path, inOrder[2].context.page.path, inOrder[2].context.page.title], ['/held', '/moved', 'Moved']);
  assert.deepEqual([inOrder[0].userId, inOrder[3].userId, inOrder[4].previousId], [undefined, 'u1', 'u1']);
  await page.context().close();
});

test('what sets things up goes first: middleware, listeners, setAnonymousId', async () => {
  const { page, release } = await held(snippet(edge));
  await page.evaluate(() => {
    window.seen = [];
    analytics.track('A');
    analytics.on('track', (name) => seen.push(name));
    analytics.on('initialize', () => seen.push('initialize'));
    analytics.addSourceMiddleware(({ payload, next }) => { payload.obj.context.mark = payload.type(); next(payload); });
    analytics.setAnonymousId('mine');
    analytics.ready(() => seen.push('ready'));
  });
  release();
  const [event] = await edge.received(1);
  assert.equal(event.context.mark, 'track');
  assert.equal(event.anonymousId, 'mine');
  await page.waitForFunction(() => seen.includes('ready'));
  assert.deepEqual(await page.evaluate(() => seen.slice().sort()), ['A', 'initialize', 'ready']);
  await page.context().close();
});

test('setAnonymousId stays behind a reset', async () => {
  const { page, release } = await held(snippet(edge));
  await page.evaluate(() => { analytics.track('A'); analytics.reset(); analytics.setAnonymousId('later'); analytics.track('B'); });
  release();
  const events = await edge.received(2);
  const by = Object.fromEntries(events.map((e) => [e.event, e.anonymousId]));
  assert.equal(by.B, 'later');
  assert.notEqual(by.A, 'later');
  await page.context().close();
});

test('user() works before load, and what it said stays true', async () => {
  const { page, release } = await held(snippet(edge));
  const before = await page.evaluate(() => ({ id: analytics.user().id(), anonymousId: analytics.user().anonymousId(), again: analytics.user().anonymousId() }));
  assert.equal(before.id, null);
  assert.match(before.anonymousId, /^[0-9a-f-]{36}$/);
  assert.equal(before.again, before.anonymousId);
  await page.evaluate(() => analytics.track('A'));
  release();
  const [event] = await edge.received(1);
  assert.equal(event.anonymousId, before.anonymousId);
  assert.equal(await page.evaluate(() => analytics.user().anonymousId()), before.anonymousId);
  const next = await held(snippet(edge));
  await next.page.context().addCookies([{ name: 'ajs_user_id', value: 'a%40b', url: site.url }, { name: 'ajs_anonymous_id', value: 'known', url: site.url }]);
  assert.deepEqual(await next.page.evaluate(() => [analytics.user().id(), analytics.user().anonymousId()]), ['a@b', 'known']);
  next.release();
  await page.context().close();
  await next.page.context().close();
});

test('a reference to the stub keeps working after load', async () => {
  const { page, release } = await held(snippet(edge));
  await page.evaluate(() => { window.stale = analytics; window.track = analytics.track; });
  release();
  await page.waitForFunction(() => analytics.initialized);
  await page.evaluate(() => { stale.track('A'); track('B'); stale.push(['track', 'C']); });
  const events = await edge.received(3);
  assert.deepEqual(events.map((e) => e.event).sort(), ['A', 'B', 'C']);
  await page.context().close();
});

test("Segment's own snippet with our host", async () => {
  const page = await world.open();
  await page.context().route('https://t.example.test/**', (route) =>
    route.fulfill({ contentType: 'text/javascript', body: edge.bundles.get(key) }));
  const html = segmentSnippet.min({ host: 't.example.test', apiKey: key, page: { name: 'Home' }, load: { integrations: { All: true } } });
  await page.goto(site.put('/segment', { head: `<script>${html}</script>` }));
  await page.evaluate(() => analytics.track('After'));
  const events = await edge.received(2);
  assert.deepEqual(events.map((e) => e.name || e.event).sort(), ['After', 'Home']);
  assert.equal(events.find((e) => e.name).context.page.path, '/segment');
  assert.deepEqual(events[0].integrations, { All: true });
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('an older snippet: no page, no data attribute, fewer stubs', async () => {
  const page = await world.open();
  const old = `<script>
    var analytics = window.analytics = []; analytics.SNIPPET_VERSION = '4.1.0';
    ['page', 'track', 'identify'].forEach(function (m) { analytics[m] = function () { analytics.push([m].concat([].slice.call(arguments))); return analytics; }; });
    analytics.load = function (key) { var s = document.createElement('script'); s.async = true; s.src = '${edge.url}/analytics.js/v1/' + key + '/analytics.min.js'; document.head.appendChild(s); };
    analytics.load('${key}'); analytics.page(); analytics.track('Old', {x: 1});</script>`;
  await page.goto(site.put('/old', { head: old }));
  const events = await edge.received(2);
  assert.deepEqual(events.map((e) => e.type).sort(), ['page', 'track']);
  assert.equal(events.find((e) => e.type === 'page').properties.path, '/old');
  await page.context().close();
});

test('the bundle alone, without a snippet', async () => {
  const page = await world.open();
  await page.goto(site.put('/bare', { head: `<script src="${edge.url}/analytics.js/v1/${key}/analytics.min.js"></script><script>analytics.track('A')</script>` }));
  assert.equal((await edge.received(1))[0].event, 'A');
  await page.context().close();
});

test('a custom global runs beside another analytics', async () => {
  const page = await world.open();
  await page.goto(site.put('/custom', { head: `<script>window.analytics = { initialize: 1, initialized: 1, calls: [], track(n) { this.calls.push(n); } };</script>${snippet(edge, { global: 'shopTags' })}` }));
  await page.waitForFunction(() => shopTags.initialized);
  await page.evaluate(() => { analytics.track('theirs'); shopTags.track('ours'); });
  await edge.received(1);
  assert.deepEqual(edge.events().map((e) => e.event), ['ours']);
  assert.deepEqual(await page.evaluate(() => analytics.calls), ['theirs']);
  await page.context().close();
});

test('two instances with two write keys do not hear each other', async () => {
  world.publish({ writeKey: 'SecondKey' });
  const page = await world.open();
  await page.goto(site.put('/two', { head: snippet(edge) + snippet(edge, { writeKey: 'SecondKey', global: 'second' }) }));
  await page.waitForFunction(() => analytics.initialized && second.initialized);
  await page.evaluate(() => {
    window.heard = [];
    second.on('track', (name) => heard.push(name));
    analytics.addSourceMiddleware(({ payload, next }) => { payload.obj.context.first = true; next(payload); });
    analytics.track('one'); second.track('two');
  });
  const events = await edge.received(2);
  assert.deepEqual(events.map((e) => [e.event, e.writeKey, e.context.first]).sort(), [['one', key, true], ['two', 'SecondKey', undefined]]);
  assert.deepEqual(await page.evaluate(() => heard), ['two']);
  assert.equal(events[0].anonymousId, events[1].anonymousId, 'one visitor');
  await page.context().close();
});

test('the snippet twice: one warning, one instance', async () => {
  const page = await world.open();
  const logged = [];
  page.on('console', (m) => logged.push(m.text()));
  await page.goto(site.put('/twice', { head: snippet(edge, { page: true }) + snippet(edge, { page: true }) }));
  await page.waitForFunction(() => analytics.initialized);
  await page.evaluate(() => analytics.track('end'));
  await edge.until(() => edge.events().some((e) => e.event === 'end'));
  assert.equal(edge.events().filter((e) => e.type === 'page').length, 1);
  assert.deepEqual(logged, ['included twice']);
  await page.context().close();
});

test('a strict policy with a nonce: snippet, bundle and the scripts of integrations run', async () => {
  edge.files.set('/vendor.js', ['text/javascript', 'window.vendorRan = true']);
  world.publish({ writeKey: 'NonceKey', fakes: { vendor: `export default (s: any, env: any) => ({ load: () => env.script('${edge.url}/vendor.js', { 'data-x': 'y' }) });` } });
  const page = await world.open();
  const violations = [];
  page.on('console', (m) => m.type() === 'error' && violations.push(m.text()));
  await page.goto(site.put('/csp', {
    head: snippet(edge, { writeKey: 'NonceKey', nonce: 'bm9uY2U=' }),
    headers: { 'Content-Security-Policy': `script-src 'nonce-bm9uY2U='; connect-src ${edge.url}` },
  }));
  await page.waitForFunction(() => window.vendorRan);
  await page.evaluate(() => analytics.track('A'));
  const [event] = await edge.received(1);
  assert.deepEqual(event._metadata.bundled, ['Segment.io', 'Vendor']);
  assert.equal(await page.evaluate(() => document.querySelector('script[data-x=y]').nonce), 'bm9uY2U=');
  assert.deepEqual(violations, []);
  await page.context().close();
});

test('load options: disable, a page of its own, load left to the page', async () => {
  const page = await world.open();
  await page.goto(site.put('/off', { head: snippet(edge, { options: { disable: true } }) }));
  await page.waitForFunction(() => analytics.initialized);
  const kept = await page.evaluate(async () => { await analytics.identify('u'); await analytics.track('A'); return [document.cookie, Object.keys(localStorage)]; });
  assert.deepEqual(kept, ['', []]);
  await page.goto(site.put('/initial', { head: snippet(edge, { options: { initialPageview: true } }) }));
  assert.equal((await edge.received(1))[0].type, 'page');
  await page.goto(site.put('/later', { head: snippet(edge, { load: false, page: true }) }));
  assert.equal(await page.evaluate(() => document.querySelectorAll('script[src]').length), 0);
  edge.reset();
  await page.evaluate((k) => analytics.load(k, { integrations: { All: false, 'Segment.io': true } }), key);
  assert.deepEqual((await edge.received(1))[0].integrations, { All: false, 'Segment.io': true });
  assert.deepEqual(page.errors, []);
  await page.context().close();
});
