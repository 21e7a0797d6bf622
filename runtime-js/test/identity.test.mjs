// Identity: the cookies and localStorage keys of Segment's client, tried
// against that client itself, in both directions.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { createWorld, key, root, snippet } from './harness.mjs';

let world, edge, site;

before(async () => {
  world = await createWorld();
  ({ edge, site } = world);
  world.publish();
  const umd = readFileSync(join(root, 'node_modules/@segment/analytics-next/dist/umd/standalone.js'), 'utf8');
  edge.files.set('/segment.js', ['text/javascript', umd]);
  edge.files.set(`/v1/projects/${key}/settings`, ['application/json', JSON.stringify({
    integrations: { 'Segment.io': { apiKey: key, apiHost: edge.url.replace('http://', '') + '/v1', protocol: 'http' } },
  })]);
});
after(() => world.close());
beforeEach(() => edge.reset());

// Pages of a shop under two subdomains: one with our bundle, one with Segment's client.
const ours = (host = 'www.shop.test', options) => site.put('/ours', { head: snippet(edge, { options }) }, host);
const theirs = (host = 'www.shop.test') => site.put('/theirs', {
  head: `<script>window.analytics = []; analytics._writeKey = '${key}'; analytics._cdn = '${edge.url}';</script><script src="${edge.url}/segment.js"></script>`,
}, host);

async function visit(page, url) {
  await page.goto(url);
  await page.waitForFunction(() => window.analytics && analytics.initialized);
}
const who = (page) => page.evaluate(() => {
  const u = analytics.user(), g = analytics.group();
  return { id: u.id(), anonymousId: u.anonymousId(), traits: u.traits(), group: g.id(), groupTraits: g.traits() };
});
/** Cookies (decoded: Segment leaves @ and the like as they are) and localStorage of identity; Segment writes null where we keep nothing. */
async function stored(page) {
  const cookies = Object.fromEntries((await page.context().cookies(page.url())).map((c) => [c.name, { value: decodeURIComponent(c.value), domain: c.domain, path: c.path, sameSite: c.sameSite, days: Math.round((c.expires - Date.now() / 1000) / 86400) }]));
  const local = await page.evaluate(() => Object.fromEntries(Object.entries(localStorage).filter(([k, v]) => k.startsWith('ajs_') && v !== 'null' && v !== '{}')));
  return { cookies, local };
}
const act = (page) => page.evaluate(async () => {
  await analytics.identify('user é@x', { plan: 'pro', n: 1 });
  await analytics.group('acme', { size: 3 });
});

test("both clients leave the same cookies and the same localStorage", async () => {
  const states = [];
  for (const url of [ours(), theirs()]) {
    const page = await world.open();
    await visit(page, url);
    await page.evaluate(() => analytics.setAnonymousId('11111111-2222-4333-8444-555555555555'));
    await page.evaluate(() => analytics.identify('user@x', { plan: 'pro', n: 1 }));
    await page.evaluate(() => analytics.group('acme', { size: 3 }));
    states.push(await stored(page));
    await page.context().close();
  }
  assert.deepEqual(states[0], states[1]);
  assert.deepEqual(states[0].cookies.ajs_anonymous_id, { value: '11111111-2222-4333-8444-555555555555', domain: '.shop.test', path: '/', sameSite: 'Lax', days: 365 });
});

for (const [name, first, second] of [["Segment's client to ours", theirs, ours], ["ours to Segment's client", ours, theirs]]) {
  test(`a visitor goes from ${name} and stays who they are`, async () => {
    const page = await world.open();
    await visit(page, first());
    await act(page);
    const before = await who(page);
    assert.equal(before.id, 'user é@x');
    await visit(page, second());
    assert.deepEqual(await who(page), before);
    // and to another subdomain, where only the cookies are
    await visit(page, second('other.shop.test'));
    const there = await who(page);
    assert.deepEqual([there.id, there.anonymousId, there.group], [before.id, before.anonymousId, before.group]);
    await page.context().close();
  });

  test(`what changes identity does the same in both (${name})`, async () => {
    const page = await world.open();
    await visit(page, first());
    const a = (await who(page)).anonymousId;
    await page.evaluate(() => analytics.identify('one', { a: 1 }));
    assert.equal((await who(page)).anonymousId, a, 'the first id keeps the anonymous one');
    await visit(page, second());
    await page.evaluate(() => analytics.identify('two', { b: 2 }));
    const two = await who(page);
    assert.notEqual(two.anonymousId, a, 'another person is another anonymous id');
    assert.deepEqual(two.traits, { b: 2 });
    await visit(page, first());
    assert.deepEqual(await who(page), two);
    await page.evaluate(() => analytics.reset());
    await visit(page, second());
    const fresh = await who(page);
    assert.deepEqual([fresh.id, fresh.traits, fresh.group], [null, {}, null]);
    assert.notEqual(fresh.anonymousId, two.anonymousId);
    await page.context().close();
  });
}

test('the cookie wins for the anonymous id; all stores follow', async () => {
  const page = await world.open();
  await visit(page, ours());
  await page.context().addCookies([{ name: 'ajs_anonymous_id', value: 'from-server', domain: '.shop.test', path: '/' }]);
  assert.equal((await who(page)).anonymousId, 'from-server');
  assert.equal(await page.evaluate(() => localStorage.ajs_anonymous_id), '"from-server"');
  await page.context().close();
});

test('values of older clients and of servers are read', async () => {
  const page = await world.open();
  await page.goto(site.put('/empty', {}, 'www.shop.test'));
  for (const [value, id] of [['12345678901234567890', '12345678901234567890'], ['%22quoted%22', 'quoted'], ['a%2Bb', 'a+b'], ['null', null], ['100%', '100%']]) {
    await page.evaluate(() => localStorage.clear());
    await page.context().clearCookies();
    await page.context().addCookies([{ name: 'ajs_user_id', value, domain: '.shop.test', path: '/' }]);
    await visit(page, ours());
    assert.equal((await who(page)).id, id, value);
  }
  await page.evaluate(() => { localStorage.ajs_user_traits = '{broken'; localStorage.ajs_group_id = '17'; });
  await visit(page, ours());
  assert.deepEqual(await page.evaluate(() => analytics.group().id()), '17');
  await page.evaluate(() => analytics.identify({ a: 1 }));
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('disableClientPersistence keeps nothing, yet one visitor per page', async () => {
  const page = await world.open();
  await visit(page, ours('www.shop.test', { disableClientPersistence: true }));
  await page.evaluate(async () => { await analytics.identify('u', { a: 1 }); await analytics.track('A'); });
  const events = await edge.received(2);
  assert.equal(events[0].anonymousId, events[1].anonymousId);
  assert.equal(events[1].userId, 'u');
  assert.deepEqual(await page.evaluate(() => [document.cookie, Object.keys(localStorage)]), ['', []]);
  await page.context().close();
});

test('cookie, storage and key options', async () => {
  const page = await world.open();
  await visit(page, ours('www.shop.test', { cookie: { domain: 'www.shop.test', maxage: 7, sameSite: 'Strict', path: '/' }, storage: { stores: ['cookie'] }, user: { cookie: { key: 'who' } } }));
  await page.evaluate(() => analytics.identify('u', { a: 1 }));
  const { cookies, local } = await stored(page);
  assert.deepEqual(cookies.who, { value: 'u', domain: '.www.shop.test', path: '/', sameSite: 'Strict', days: 7 });
  assert.deepEqual(local, {});
  await page.context().close();
});

test('no storage at all: a sandboxed frame', async () => {
  const page = await world.open();
  const inner = `${snippet(edge)}<script>analytics.identify('u', {a: 1}); analytics.track('A')</script>`;
  await page.goto(site.put('/frame', { body: `<iframe sandbox="allow-scripts" srcdoc="${inner.replace(/&/g, '&amp;').replace(/"/g, '&quot;')}"></iframe>` }, 'www.shop.test'));
  const events = await edge.received(2);
  const tracked = events.find((e) => e.type === 'track');
  assert.equal(tracked.userId, 'u');
  assert.ok(tracked.anonymousId);
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('nothing is stored but the known keys', async () => {
  const page = await world.open();
  await visit(page, ours());
  await act(page);
  await page.evaluate(() => analytics.track('A'));
  await edge.received(3);
  const known = ['ajs_anonymous_id', 'ajs_group_id', 'ajs_group_properties', 'ajs_user_id', 'ajs_user_traits'];
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).sort()), known);
  assert.deepEqual((await page.context().cookies()).map((c) => c.name).sort(), ['ajs_anonymous_id', 'ajs_group_id', 'ajs_user_id']);
  await page.context().close();
});
