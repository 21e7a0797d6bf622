// Integrations and what stands between them and the page: failures, options,
// middleware, plugins, off.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createWorld, key, recording, snippet } from './harness.mjs';

let world, edge, site, page;

before(async () => {
  world = await createWorld();
  ({ edge, site } = world);
});
after(() => world.close());
beforeEach(async () => {
  edge.reset();
  page = await world.open();
});
// Not waited for: Chromium may take its time over a page that has just been left.
afterEach(() => void page.context().close());

async function visit(options) {
  await page.goto(site.put('/x', { head: snippet(edge, { options }) }));
  await page.waitForFunction(() => window.analytics && analytics.initialized);
}
const seen = (slug) => page.evaluate((slug) => (window.seen || []).filter(([s]) => s === slug), slug);
const calls = async (slug) => (await seen(slug)).map(([, call, e]) => (e && (e.event || e.name)) || call);
const throwing = `export default () => ({ load() { throw Error('from load'); }, track() {} });`;
const blocked = (url) => `export default (s: any, env: any) => ({ load: () => env.script('${url}'), track() {} });`;
const failing = `export default () => ({ load() {}, track() { throw Error('from track'); }, page() { return Promise.reject(Error('later')); } });`;

test('blocked, throwing and failing integrations: ready comes, others run, the page hears nothing', async () => {
  world.publish({ fakes: { good: recording('good'), throwing, failing, blocked: blocked('http://blocked.example/x.js'), making: `export default () => { throw Error('from the factory'); };` } });
  await page.addInitScript(() => { window.hooked = []; window.__tagmill_error = (where) => hooked.push(where); });
  await visit();
  await page.evaluate(() => new Promise((done) => analytics.ready(done)));
  await page.evaluate(async () => { await analytics.page(); await analytics.track('A'); });
  const events = await edge.received(2);
  const last = events.find((e) => e.type === 'track');
  last._metadata.bundledIds.sort();
  last._metadata.failedInitializations.sort();
  assert.deepEqual(last._metadata, { bundled: ['Failing', 'Good', 'Segment.io'], unbundled: [], bundledIds: ['dst_failing', 'dst_good'], failedInitializations: ['Blocked', 'Making', 'Throwing'] });
  assert.deepEqual(await calls('good'), ['load', 'page', 'A']);
  assert.deepEqual((await page.evaluate(() => hooked)).sort(), ['blocked', 'failing', 'failing', 'making', 'throwing']);
  assert.deepEqual((await page.evaluate(() => analytics.failedInitializations)).sort(), ['Blocked', 'Making', 'Throwing']);
  assert.deepEqual(page.errors, []);
});

test('a load that takes its time: calls wait in order, each a copy of its own', async () => {
  world.publish({ fakes: {
    slow: recording('slow', `return new Promise((done) => { env.w.letGo = done; });`),
    vandal: `export default () => ({ load() {}, track(e: any) { e.properties.x = 'spoilt'; e.context = null; } });`,
  } });
  await visit();
  await page.evaluate(() => { const p = { x: { y: 1 } }; analytics.track('A', p); p.x.y = 2; analytics.identify('u'); analytics.reset(); analytics.track('B'); });
  const events = await edge.received(3);
  assert.deepEqual(await calls('slow'), ['load']);
  await page.evaluate(async () => { letGo(); await analytics.ready(); await analytics.track('C'); });
  assert.deepEqual(await calls('slow'), ['load', 'A', 'identify', 'reset', 'B', 'C']);
  assert.deepEqual((await seen('slow'))[1][2].properties, { x: { y: 1 } });
  assert.deepEqual(events.find((e) => e.event === 'A').properties, { x: { y: 1 } });
});

test('what an integration receives', async () => {
  world.publish({ fakes: { good: recording('good') } });
  await visit();
  await page.evaluate(() => analytics.track('A', { x: 1 }, { integrations: { Good: { opt: 2 } } }));
  const [, , e] = (await seen('good'))[1];
  const [wire] = await edge.received(1);
  assert.deepEqual(e.options, { opt: 2 });
  for (const name of ['type', 'event', 'messageId', 'timestamp', 'anonymousId', 'properties', 'context']) assert.deepEqual(e[name], wire[name], name);
  assert.match(e.timestamp, /^\d{4}-\d\d-\d\dT.*Z$/);
});

// [load option, option of the call, does it arrive]
const switches = [
  [undefined, undefined, true],
  [undefined, { All: false }, false],
  [undefined, { All: false, good: true }, true],
  [undefined, { All: false, Good: { a: 1 } }, true],
  [undefined, { All: false, 'Old good': true }, true],
  [undefined, { good: false }, false],
  [undefined, { 'Old good': false }, false],
  [undefined, { GOOD: false }, true],
  [{ All: false, 'Segment.io': true }, undefined, false],
  [{ All: false, 'Segment.io': true, Good: true }, undefined, true],
  [{ Good: false }, { Good: true }, false],
  [{ Good: { token: 'x' } }, undefined, true],
  [{ Good: true }, { good: false }, false],
];
for (const [load, call, arrives] of switches) {
  test(`integrations ${JSON.stringify(load)} at load, ${JSON.stringify(call)} in the call`, async () => {
    world.publish({ fakes: { good: recording('good') } });
    await visit(load && { integrations: load });
    await page.evaluate((integrations) => analytics.track('A', {}, { integrations }), call);
    await edge.received(1);
    assert.equal((await calls('good')).includes('A'), arrives);
    if (load && load.Good && load.Good.token) assert.deepEqual((await seen('good'))[0][2], { token: 'x' });
  });
}

test('source middleware: changes, order, async, dropping', async () => {
  world.publish({ fakes: { good: recording('good') } });
  await visit();
  await page.evaluate(async () => {
    analytics.addSourceMiddleware(async ({ payload, next, integrations }) => {
      await new Promise((done) => setTimeout(done, 20));
      payload.obj.properties = { ...payload.obj.properties, first: Object.keys(integrations).join() };
      next(payload);
    });
    analytics.addSourceMiddleware(({ payload, next }) => { payload.obj.properties.second = payload.obj.properties.first; if (payload.event() !== 'Drop') next(payload); });
    analytics.addSourceMiddleware(({ payload, next }) => next(payload.event() === 'Null' ? null : payload));
    analytics.addSourceMiddleware(() => { throw Error('from middleware'); });
    await Promise.all([analytics.track('A'), analytics.track('Drop'), analytics.track('Null'), analytics.track('B')]);
  });
  const events = await edge.received(2);
  assert.deepEqual(events.map((e) => e.event), ['A', 'B']);
  assert.deepEqual(events[0].properties, { first: 'Good', second: 'Good' });
  assert.deepEqual(await calls('good'), ['load', 'A', 'B']);
  assert.deepEqual(page.errors, []);
});

test('destination middleware: one, all, dropping, never the collector', async () => {
  world.publish({ fakes: { good: recording('good'), other: recording('other') } });
  await visit();
  await page.evaluate(async () => {
    analytics.addDestinationMiddleware('GOOD', ({ payload, next, integration }) => { payload.obj.event += ' for ' + integration; next(payload); });
    analytics.addDestinationMiddleware('*', ({ payload, next }) => { payload.obj.event += '!'; next(payload); });
    analytics.addDestinationMiddleware('other', ({ payload, next }) => { if (/keep/.test(payload.obj.event)) next(payload); else next(null); });
    await Promise.all([analytics.track('keep'), analytics.track('drop')]);
  });
  assert.deepEqual((await edge.received(2)).map((e) => e.event), ['keep', 'drop']);
  assert.deepEqual(await calls('good'), ['load', 'keep for Good!', 'drop for Good!']);
  assert.deepEqual(await calls('other'), ['load', 'keep!']);
});

test('plugins: the four types, cancelling, throwing, leaving', async () => {
  world.publish();
  await visit();
  const log = await page.evaluate(async () => {
    const log = [];
    const plugin = (name, type, track, more) => ({ name, type, version: '1', isLoaded: () => true, load: () => Promise.resolve(log.push('load ' + name)), track, ...more });
    await analytics.register(
      plugin('after', 'after', (ctx) => { log.push('after ' + ctx.event.event); return ctx; }),
      plugin('dest', 'destination', (ctx) => { log.push('dest ' + ctx.event.properties.deep.x); return ctx; }, { unload: () => log.push('unload dest') }),
      plugin('enrich', 'enrichment', async (ctx) => { ctx.updateEvent('properties.deep.x', 7); return ctx; }),
      plugin('before', 'before', (ctx) => { if (ctx.event.event === 'Cancel') ctx.cancel(Error('no')); return ctx; }),
      plugin('bad', 'before', () => { throw Error('bad'); }),
      plugin('broken', 'before', () => log.push('never'), { load: () => Promise.reject(Error('no load')) }),
    );
    await analytics.track('A');
    await analytics.track('Cancel');
    await analytics.track('Not dest', {}, { integrations: { dest: false } });
    await analytics.deregister('dest', 'bad');
    await analytics.track('B');
    return log.filter((l) => !/^load/.test(l));
  });
  assert.deepEqual(log, ['dest 7', 'after A', 'after Not dest', 'unload dest', 'after B']);
  assert.deepEqual((await edge.received(3)).map((e) => e.event), ['A', 'Not dest', 'B']);
  assert.equal(edge.events()[0].properties.deep.x, 7);
  assert.equal(await page.evaluate(async () => { await analytics.register({ name: 'p', type: 'enrichment', track: (ctx) => { ctx.updateEvent('__proto__.polluted', 1); } }); await analytics.track('P'); return ({}).polluted; }), undefined);
  assert.deepEqual(page.errors, []);
});

test('a plugin that hangs costs the events it holds, not those after it', async () => {
  world.publish();
  await page.clock.install();
  await visit();
  await page.evaluate(() => { let hung; analytics.addSourceMiddleware(({ payload, next }) => (hung ? next(payload) : new Promise(() => (hung = 1)))); analytics.track('Held'); analytics.track('Next'); });
  await page.clock.runFor(11000);
  assert.deepEqual((await edge.received(1)).map((e) => e.event), ['Next']);
});

test('off: stops now, is remembered, and is cleared', async () => {
  world.publish({ fakes: { good: recording('good'), other: recording('other') } });
  edge.answer = () => ({ body: { success: true, off: ['good', 'dst_nothing'] } });
  await visit();
  await page.evaluate(() => analytics.track('A'));
  await page.waitForFunction((k) => localStorage.getItem('tagmill:off:' + k), key);
  edge.answer = () => ({});
  await page.evaluate(() => analytics.track('B'));
  assert.deepEqual([await calls('good'), await calls('other')], [['load', 'A'], ['load', 'A', 'B']]);
  await visit();
  assert.deepEqual([await calls('good'), await calls('other')], [[], ['load']]);
  edge.answer = () => ({ body: { success: true, off: [] } });
  await page.evaluate(() => analytics.track('C'));
  await page.waitForFunction((k) => !localStorage.getItem('tagmill:off:' + k), key);
  await visit();
  assert.deepEqual(await calls('good'), ['load']);
  await page.evaluate((k) => localStorage.setItem('tagmill:off:' + k, '"rubbish"'), key);
  await visit();
  assert.deepEqual(await calls('good'), ['load']);
});

test('what the runtime lends: user, until, script once, track not back to itself', async () => {
  edge.files.set('/once.js', ['text/javascript', 'window.runs = (window.runs || 0) + 1']);
  world.publish({ fakes: {
    good: recording('good', `env.w.env = env; return Promise.all([env.script('${edge.url}/once.js'), env.script('${edge.url}/once.js'), env.until(() => env.w.runs)]);`),
    other: recording('other'),
  } });
  await visit();
  await page.evaluate(async () => { analytics.identify('u', { a: 1 }); await analytics.ready(); env.track('Chat', { x: 1 }); });
  const events = await edge.received(2);
  assert.equal(await page.evaluate(() => runs), 1);
  assert.deepEqual(await page.evaluate(() => { const { userId, traits } = env.user(); return { userId, traits }; }), { userId: 'u', traits: { a: 1 } });
  assert.deepEqual(events[1].integrations, { good: false });
  await page.waitForFunction(() => seen.some((s) => s[0] === 'other' && s[1] === 'track'));
  assert.equal((await calls('good')).includes('Chat'), false);
});

test('updateCDNSettings takes a destination out', async () => {
  world.publish({ fakes: { good: recording('good'), other: recording('other') } });
  await page.goto(site.put('/x', { head: snippet(edge, { load: false }) }));
  await page.evaluate((k) => { analytics.load(k, { updateCDNSettings: (s) => { delete s.integrations.Good; return s; }, disable: (s) => Promise.resolve(!s.integrations.Other) }); }, key);
  await page.waitForFunction(() => analytics.initialized);
  assert.deepEqual([await calls('good'), await calls('other')], [[], ['load']]);
});
