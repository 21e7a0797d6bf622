// Events on their way to the collector: failures, queues, pages that go.
import assert from 'node:assert/strict';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import { createWorld, key, snippet } from './harness.mjs';

const queue = `persisted-queue:v1:${key}:dest-Segment.io:items`;
let world, edge, site, page;

before(async () => {
  world = await createWorld();
  ({ edge, site } = world);
  world.publish();
});
after(() => world.close());
beforeEach(async () => {
  edge.reset();
  page = await world.open();
});
// Not waited for: Chromium may take its time over a page that has just been left.
afterEach(() => void page.context().close());

async function visit(options, on = page) {
  await on.goto(site.put('/d', { head: snippet(edge, { options }) }));
  await on.waitForFunction(() => window.analytics && analytics.initialized);
}
const waiting = (on = page) => on.evaluate((k) => JSON.parse(localStorage.getItem(k) || '[]').map((i) => i.event.event), queue);
const stored = (n, on = page) => on.waitForFunction(([k, n]) => JSON.parse(localStorage.getItem(k) || '[]').length === n, [queue, n]);

// (Not 408: Chromium itself sends that again.)
for (const status of [429, 500, 503]) {
  test(`${status}: kept, and sent again with the same id`, async () => {
    edge.answer = () => (edge.posts.length < 2 ? { status } : {});
    await visit();
    await page.evaluate(() => analytics.track('A'));
    const [first, second] = await edge.received(2);
    assert.equal(second.messageId, first.messageId);
    assert.equal(second.timestamp, first.timestamp);
    await stored(0);
    assert.equal(edge.posts.length, 2);
  });
}

for (const status of [400, 403, 413]) {
  test(`${status}: given up, and said so`, async () => {
    edge.answer = () => ({ status });
    await visit();
    const code = await page.evaluate(() => new Promise((done) => { analytics.on('error', (e) => done([e.code, e.reason.events[0].event])); analytics.track('A'); }));
    assert.deepEqual(code, ['delivery_failure', 'A']);
    assert.deepEqual(await waiting(), []);
  });
}

test('a broken connection: kept, then sent', async () => {
  edge.answer = () => (edge.posts.length < 2 ? { destroy: true } : {});
  await visit();
  await page.evaluate(() => analytics.track('A'));
  const events = await edge.received(2);
  assert.equal(events[0].messageId, events[1].messageId);
});

for (const status of [429, 503]) {
  test(`Retry-After of a ${status} holds back everything, then one batch takes all`, async () => {
    edge.answer = () => (edge.posts.length < 2 ? { status, headers: { 'Retry-After': '2' } } : {});
    await visit();
    await page.evaluate(() => analytics.track('A'));
    await stored(1);
    await page.evaluate(() => { analytics.track('B'); analytics.track('C'); });
    await stored(3);
    await edge.until(() => edge.posts.length === 2);
    assert.equal(edge.posts[1].path, '/v1/b');
    assert.deepEqual(edge.posts[1].body.batch.map((e) => e.event), ['A', 'B', 'C']);
    assert.ok(edge.posts[1].at - edge.posts[0].at >= 1990, 'sooner than asked');
    await stored(0);
  });
}

test('posts that fail together count as one failure, and none is lost', async () => {
  let down = true;
  edge.answer = () => (down ? { status: 500 } : {});
  await visit();
  await page.evaluate(() => { for (let i = 0; i < 15; i++) analytics.track('E' + i); });
  await stored(15);
  down = false;
  await edge.until(() => edge.posts.some((p) => p.body.batch && p.body.batch.length === 15));
  await stored(0);
});

test('the next page sends what is left, once, though two tabs open', async () => {
  await visit();
  await page.evaluate((k) => localStorage.setItem(k, JSON.stringify([1, 2, 3].map((i) => ({ id: 'm' + i, event: { type: 'track', event: 'Left ' + i, messageId: 'm' + i, anonymousId: 'x' }, logs: [], metrics: [] })))), queue);
  let release;
  const gate = new Promise((done) => (release = done));
  edge.answer = () => gate;
  const other = await world.open(page.context());
  await Promise.all([visit(undefined, page), visit(undefined, other)]);
  await edge.until(() => edge.posts.length);
  await other.evaluate(() => analytics.ready());
  release({});
  await stored(0);
  assert.deepEqual(edge.events().map((e) => e.messageId), ['m1', 'm2', 'm3']);
  assert.equal(edge.posts[0].body.writeKey, key);
});

test('the queue has a cap, keeps the newest and survives rubbish', async () => {
  edge.answer = () => ({ status: 500, headers: {} });
  await visit({ integrations: { 'Segment.io': { deliveryStrategy: { config: { maxRetries: 1 } } } } });
  for (const rubbish of ['{', 'null', '[1,null,{"id":1}]', '"text"']) {
    await page.evaluate(([k, v]) => localStorage.setItem(k, v), [queue, rubbish]);
    await page.evaluate(() => analytics.track('A'));
    await stored(1);
  }
  await page.evaluate((k) => localStorage.removeItem(k), queue);
  await page.evaluate(() => { for (let i = 0; i < 130; i++) analytics.track('E' + i); });
  await page.waitForFunction((k) => (localStorage.getItem(k) || '').includes('"E129"'), queue);
  await stored(100);
  await page.evaluate((k) => { localStorage.removeItem(k); const big = 'é'.repeat(20000); for (let i = 0; i < 20; i++) analytics.track('Big' + i, { big }); }, queue);
  await page.waitForFunction((k) => (localStorage.getItem(k) || '').includes('"Big19"'), queue);
  const bytes = await page.evaluate((k) => new Blob([localStorage.getItem(k)]).size, queue);
  assert.ok(bytes <= 450000, `${bytes} bytes`);
  assert.deepEqual(page.errors, []);
});

test('a full localStorage costs nothing but the memory of it', async () => {
  edge.answer = () => (edge.posts.length < 2 ? { status: 500 } : {});
  await visit();
  await page.evaluate(() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; });
  await page.evaluate(() => analytics.track('A'));
  assert.equal((await edge.received(2))[1].event, 'A');
  assert.deepEqual(page.errors, []);
});

test('events on the way out of the page arrive, once', async () => {
  site.put('/next', {});
  // Several times: whether the page hears of the first one before it goes is a matter of luck.
  for (let round = 0; round < 5; round++) {
    edge.reset();
    await visit();
    await page.evaluate(() => { addEventListener('pagehide', () => analytics.track('Leaving')); analytics.track('Clicked'); location.href = '/next'; });
    await page.waitForURL('**/next');
    const events = await edge.received(2);
    assert.deepEqual(events.map((e) => e.event).sort(), ['Clicked', 'Leaving']);
    assert.deepEqual(await waiting(), []);
  }
});

test('what is too large for keepalive is kept when the page goes', async () => {
  site.put('/next', {});
  edge.answer = () => new Promise(() => {});
  await visit();
  await page.evaluate(() => { analytics.track('Large', { x: 'y'.repeat(70000) }); });
  await edge.received(1);
  await page.evaluate(() => { location.href = '/next'; });
  await page.waitForURL('**/next');
  assert.deepEqual(await waiting(), ['Large']);
});

test('where the collector has failed, what is under way when the page goes is kept', async () => {
  edge.answer = () => (edge.posts.length < 2 ? { status: 500 } : new Promise(() => {}));
  await visit();
  await page.evaluate(() => analytics.track('A'));
  await edge.until(() => edge.posts.length === 2);
  await page.goto(site.put('/next', {}));
  assert.deepEqual(await waiting(), ['A']);
});

test('batching: by size, by time, and when the page hides; small enough for keepalive', async () => {
  const batching = (config) => ({ integrations: { 'Segment.io': { deliveryStrategy: { strategy: 'batching', config } } } });
  await visit(batching({ size: 3, timeout: 60000 }));
  await page.evaluate(() => { for (let i = 0; i < 7; i++) analytics.track('E' + i); });
  await edge.until(() => edge.events().length === 6);
  assert.deepEqual(edge.posts.map((p) => [p.path, p.body.batch.length, p.body.writeKey, typeof p.body.sentAt]), [['/v1/b', 3, key, 'string'], ['/v1/b', 3, key, 'string']]);
  await page.goto(site.put('/next', {}));
  assert.deepEqual((await edge.received(7)).map((e) => e.event).sort(), ['E0', 'E1', 'E2', 'E3', 'E4', 'E5', 'E6']);
  edge.reset();
  await visit(batching({ timeout: 50 }));
  await page.evaluate(() => { analytics.track('a'); analytics.track('b'); });
  await edge.received(2);
  assert.equal(edge.posts.length, 1);
  edge.reset();
  await visit(batching({ size: 99, timeout: 60000 }));
  await page.evaluate(() => { for (let i = 0; i < 12; i++) analytics.track('Big' + i, { big: 'x'.repeat(9000) }); });
  await edge.until(() => edge.posts.length >= 2);
  assert.ok(edge.posts.every((p) => p.text.length < 64000));
  assert.equal(edge.posts[0].body.batch[0].sentAt, undefined);
});

test('offline: kept, and sent when the connection is back', async () => {
  await visit();
  await page.context().setOffline(true);
  await page.evaluate(() => analytics.track('A'));
  await stored(1);
  assert.equal(edge.posts.length, 0);
  await page.context().setOffline(false);
  assert.equal((await edge.received(1))[0].event, 'A');
});

test('retryQueue: false keeps nothing', async () => {
  edge.answer = () => ({ status: 500 });
  await visit({ retryQueue: false });
  assert.equal(await page.evaluate(() => new Promise((done) => { analytics.on('error', (e) => done(e.code)); analytics.track('A'); })), 'delivery_failure');
  assert.deepEqual(await waiting(), []);
});

test('apiHost and protocol send elsewhere; what is set for fetch is passed on', async () => {
  await visit({ integrations: { 'Segment.io': { apiHost: edge.url.slice(7) + '/my/path', protocol: 'http', deliveryStrategy: { config: { headers: { 'X-Test': '1' } } } } } });
  await page.evaluate(() => analytics.track('A'));
  await edge.received(1);
  assert.equal(edge.posts[0].path, '/my/path/t');
  assert.equal(edge.posts[0].headers['x-test'], '1');
});

test("All: false at load without Segment.io posts nothing, Segment.io: false not this event", async () => {
  await visit({ integrations: { All: false } });
  await page.evaluate(() => analytics.track('None'));
  await visit({});
  await page.evaluate(async () => { await analytics.track('Not', {}, { integrations: { 'Segment.io': false } }); await analytics.track('Nor', {}, { integrations: { tagmill: false } }); await analytics.track('But', {}, { integrations: { All: false } }); });
  assert.deepEqual((await edge.received(1)).map((e) => e.event), ['But']);
});

test('a page whose fetch throws does not notice', async () => {
  await visit();
  await page.evaluate(async () => { window.fetch = () => { throw Error('mine'); }; await analytics.track('A'); });
  await stored(1);
  assert.deepEqual(page.errors, []);
});
