// What customers' pages do to a bundle: strict policies, blocked vendors,
// two instances, a second global, leaving early.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { browser, serve, site, visitor } from './harness.mjs'

const token = '0123456789abcdef0123456789abcdef'
let chrome, server, events
before(async () => {
  chrome = await browser()
  server = await serve()
  events = await server.watch()
  await server.flip('mixpanel', { enabled: true, settings: { token } })
})
after(async () => {
  events?.close()
  await chrome?.close()
  await server?.close()
})

const mixpanelCDN = { 'cdn.mxpnl.com': () => ({ contentType: 'text/javascript', body: 'window.vendorLoaded = true' }) }
const from = (url) => (e) => e.value.context?.page?.url?.startsWith(url)

test('a vendor that is blocked reaches neither the page nor the event', { timeout: 60_000 }, async (t) => {
  const snippet = await server.snippet()
  const shop = await site(() => `<!doctype html>${snippet}<script>analytics.ready(() => { window.readyFired = true }); analytics.track('T')</script>`)
  t.after(shop.close)
  const v = await visitor(chrome) // nothing answers for the vendor
  const page = await v.open(shop.url)
  await page.waitForFunction(() => window.readyFired, undefined, { timeout: 20_000 })
  await events.until((e) => from(shop.url)(e) && e.value.event === 'T')
  assert.deepEqual(v.errors, [])
  await v.close()
})

test('a strict policy with a nonce', { timeout: 60_000 }, async (t) => {
  const snippet = (await server.snippet()).replace('<script>', '<script nonce="cmFuZG9t">')
  const policy = `default-src 'none'; script-src 'nonce-cmFuZG9t' 'strict-dynamic'; connect-src ${server.edge}`
  const shop = await site(() => `<!doctype html>${snippet}`, { 'content-security-policy': policy })
  t.after(shop.close)
  const v = await visitor(chrome, mixpanelCDN)
  const page = await v.context.newPage()
  const violations = []
  page.on('console', (m) => { if (/Content Security Policy/.test(m.text())) violations.push(m.text()) })
  await page.goto(shop.url)
  await page.waitForFunction(() => window.vendorLoaded)
  await events.until(from(shop.url))
  assert.deepEqual(violations, [])
  await v.close()
})

test('the snippet as a file, allowed by its hash', { timeout: 60_000 }, async (t) => {
  const { html, js, cspHash } = await server.api('GET', `${server.source}/snippet?form=external`)
  const src = /src="([^"]+)"/.exec(html)[1]
  const policy = `default-src 'none'; script-src ${cspHash} ${server.edge} https://cdn.mxpnl.com; connect-src ${server.edge}`
  const shop = await site((path) => (path === src ? js : `<!doctype html>${html}`), { 'content-security-policy': policy })
  t.after(shop.close)
  const v = await visitor(chrome, mixpanelCDN)
  // The page's own server answers the file as a script.
  await v.context.route(shop.url + src, (route) => route.fulfill({ contentType: 'text/javascript', body: js }))
  const page = await v.open(shop.url)
  await page.waitForFunction(() => window.vendorLoaded)
  await events.until(from(shop.url))
  assert.deepEqual(v.errors, [])
  await v.close()
})

test('two sources on one page, and a second global beside a foreign analytics', { timeout: 60_000 }, async (t) => {
  const other = await server.api('POST', '/workspaces/default/sources', { slug: 'second', name: 'Second' })
  const second = (await server.api('GET', '/workspaces/default/sources/second/snippet')).html
    .replace('"analytics",', '"other",')
  const first = await server.snippet()
  const shop = await site(() => `<!doctype html>${first}${second}<script>
    analytics.identify('u-first'); other.identify('u-second')
    analytics.track('First'); other.track('Second')</script>`)
  t.after(shop.close)
  const elsewhere = await fetch(`${server.admin}/api/v1/workspaces/default/sources/second/events`, { headers: { authorization: `Bearer ${server.token}` } })
  const v = await visitor(chrome, mixpanelCDN)
  await v.open(shop.url)
  const mine = await events.until((e) => from(shop.url)(e) && e.value.event === 'First')
  let text = ''
  for await (const chunk of elsewhere.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes('"Second"')) break
  }
  assert.equal(mine.writeKey === other.writeKey, false)
  assert.ok(!text.includes('"First"'), 'the second source saw the first one\'s event')
  assert.ok(!events.seen.some((e) => e.value.event === 'Second'), 'the first source saw the second one\'s event')
  assert.deepEqual(v.errors, [])
  await v.close()
})

test('an event fired just before the page is left arrives', { timeout: 60_000 }, async (t) => {
  const snippet = await server.snippet()
  const shop = await site((path) => (path === '/' ? `<!doctype html>${snippet}<a href="/next" onclick="analytics.track('Leaving')">leave</a>` : '<!doctype html>next'))
  t.after(shop.close)
  const v = await visitor(chrome, mixpanelCDN)
  const page = await v.open(shop.url)
  await events.until(from(shop.url))
  await page.getByText('leave').click()
  await page.waitForURL('**/next')
  await events.until((e) => from(shop.url)(e) && e.value.event === 'Leaving')
  await v.close()
})

test('the demo shop shows its events and sends them', { timeout: 60_000 }, async () => {
  const v = await visitor(chrome, mixpanelCDN)
  const page = await v.open(server.demo)
  await events.until((e) => from(server.demo)(e) && e.value.type === 'page')
  await page.getByRole('link').filter({ hasText: /\w/ }).first().waitFor()
  assert.deepEqual(v.errors, [])
  await v.close()
})
