// What the runtime does with the page itself: links, forms, the URL, history.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createWorld, snippet } from './harness.mjs';

let world, edge, site, page;

before(async () => {
  world = await createWorld();
  ({ edge, site } = world);
  world.publish();
  world.publish({ writeKey: 'SpaKey', spa: true });
  site.put('/there', { title: 'There' });
});
after(() => world.close());
beforeEach(async () => {
  edge.reset();
  site.requests.length = 0;
  page = await world.open();
});
// Not waited for: Chromium may take its time over a page that has just been left.
afterEach(() => void page.context().close());

async function visit(body, script = '') {
  await page.goto(site.put('/links', { head: snippet(edge), body }));
  await page.waitForFunction(() => analytics.initialized);
  await page.evaluate(script);
}
const posts = () => site.requests.filter((r) => r.method === 'POST');

test('trackLink: sends, then goes; functions make event and properties', async () => {
  await visit('<a id=a href=/there?x=1 data-n=5>x</a>', "analytics.trackLink(document.querySelectorAll('a'), (el) => 'Clicked ' + el.id, (el) => ({ n: el.dataset.n }), { context: { y: 1 } }); 0");
  await page.click('#a');
  await page.waitForURL('**/there?x=1');
  const [e] = await edge.received(1);
  assert.deepEqual([e.event, e.properties, e.context.y, e.context.page.path], ['Clicked a', { n: '5' }, 1, '/links']);
});

test('trackLink goes though the collector is silent', async () => {
  edge.answer = () => new Promise(() => {});
  await visit('<a id=a href=/there>x</a>', "analytics.trackClick(document.getElementById('a'), 'Clicked'); 0");
  await page.click('#a');
  await page.waitForURL('**/there');
  await edge.received(1);
});

test('trackLink leaves alone what opens elsewhere or is prevented', async () => {
  await visit('<a id=a href=/there target=_blank>x</a><a id=b href=/there>x</a><a id=c href=/there>x</a><a id=d href=#here>x</a><button id=e>x</button>',
    "analytics.trackLink([...document.querySelectorAll('a, button')], 'Clicked'); b.addEventListener('click', (e) => e.preventDefault()); addEventListener('click', (e) => e.target === c && e.preventDefault()); 0");
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.click('#a')]);
  await popup.close();
  await page.click('#b');
  await page.click('#c');
  await page.click('#e');
  await page.click('#d');
  await edge.received(5);
  await page.waitForURL('**/links#here');
});

const form = '<form id=f method=post action=/there><input name=n value=v><input name=submit type=hidden value=h><button name=go value=one>1</button><button id=two name=go value=two formaction=/there?two>2</button></form>';

test('trackForm: sends, then submits with the button that was clicked, handlers run once', async () => {
  await visit(form, "window.name = '0'; analytics.trackForm(document.getElementById('f'), 'Sent'); f.addEventListener('submit', () => { window.name = +window.name + 1; }); 0");
  await page.click('#two');
  await page.waitForURL('**/there?two');
  assert.equal((await edge.received(1))[0].event, 'Sent');
  assert.deepEqual(posts(), [{ method: 'POST', path: '/there', search: '?two', body: 'n=v&submit=h&go=two' }]);
  assert.equal(await page.evaluate(() => window.name), '1');
});

test('trackForm does not submit what the page prevents', async () => {
  await visit(form, "analytics.trackSubmit([document.getElementById('f')], 'Sent'); f.addEventListener('submit', (e) => e.preventDefault()); 0");
  await page.click('#two');
  await page.evaluate(() => analytics.track('end'));
  await edge.received(2);
  assert.equal(new URL(page.url()).pathname, '/links');
  assert.deepEqual(posts(), []);
});

test('trackForm: the clicked button may be gone or off by then', async () => {
  await visit(form, "analytics.trackForm(document.getElementById('f'), 'Sent'); f.addEventListener('submit', () => document.getElementById('two').remove()); 0");
  await page.click('#two');
  await page.waitForURL('**/there');
  assert.deepEqual(posts().map((p) => p.body), ['n=v&submit=h']);
});

test('ajs_ in the URL: id, user, event, before what was buffered', async () => {
  await page.goto(site.put('/qs', { head: snippet(edge, { page: true }) }) + '?ajs_uid=u%201&ajs_trait_plan=pro&ajs_event=Came&ajs_prop_from=mail&ajs_aid=anon');
  const events = await edge.received(3);
  const by = Object.fromEntries(events.map((e) => [e.type, e]));
  assert.deepEqual([by.identify.userId, by.identify.traits, by.identify.anonymousId], ['u 1', { plan: 'pro' }, 'anon']);
  assert.deepEqual([by.track.event, by.track.properties, by.track.userId], ['Came', { from: 'mail' }, 'u 1']);
  assert.equal(by.page.userId, 'u 1');
});

test('useQueryString: off, and patterns', async () => {
  const at = (options) => site.put('/qs', { head: snippet(edge, { options, load: false }) });
  const load = async (options) => {
    await page.goto(at() + '?ajs_uid=u1&ajs_aid=a1');
    await page.evaluate((o) => analytics.load('WriteKeyOfTheTests', eval('(' + o + ')')), options);
    await page.waitForFunction(() => analytics.initialized);
    await page.evaluate(() => analytics.track('end'));
    await edge.until(() => edge.events().some((e) => e.event === 'end'));
    const events = edge.events();
    edge.reset();
    return [events.some((e) => e.type === 'identify'), events.at(-1).anonymousId === 'a1'];
  };
  assert.deepEqual(await load('{useQueryString: false}'), [false, false]);
  assert.deepEqual(await load('{useQueryString: {uid: /^x/, aid: /^a\\d$/}}'), [false, true]);
});

test('SPA: a page view for each new path or query, once, with the title of then', async () => {
  await page.goto(site.put('/spa', { head: snippet(edge, { writeKey: 'SpaKey', page: true }) }));
  await edge.received(1);
  const go = (code) => page.evaluate((code) => new Promise((done) => { eval(code); setTimeout(done, 20); }), code);
  await go("history.pushState({}, '', '/spa/one'); document.title = 'One'");
  await go("history.replaceState({}, '', '/spa/one')"); // the same
  await go("history.replaceState({}, '', '/spa/one#hash')"); // only the hash
  await go("history.pushState({}, '', '/spa/a'); history.replaceState({}, '', '/spa/two?q=1')"); // in one go
  await go('history.go(-1)');
  const events = await edge.received(4);
  assert.deepEqual(events.map((e) => [e.type, e.context.page.path, e.context.page.search, e.properties.title]), [
    ['page', '/spa', '', 'Shop'], ['page', '/spa/one', '', 'One'], ['page', '/spa/two', '?q=1', 'One'], ['page', '/spa/one', '', 'One']]);
  assert.equal(new URL(events[1].properties.referrer).pathname, '/spa');
  await go("analytics.track('end')");
  assert.equal((await edge.received(5)).length, 5);
});

test('without the option history is not touched', async () => {
  await visit('');
  assert.match(await page.evaluate(() => history.pushState.toString()), /native code/);
});

test('the runtime bears a page without much of a browser', async () => {
  await page.addInitScript(() => { delete Navigator.prototype.locks; delete Navigator.prototype.userAgentData; Object.defineProperty(window, 'crypto', { value: undefined }); Object.defineProperty(window, 'localStorage', { get() { throw Error('no'); } }); window.fetch = undefined; });
  await visit('', "analytics.track('A'); 0");
  const [e] = await edge.received(1);
  assert.match(e.messageId, /^ajs-next-\d+-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(page.errors, []);
});
