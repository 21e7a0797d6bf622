// The main job: paste a snippet once, flip an integration in settings, see the
// event arrive and stay.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { browser, serve, site, tagmill, visitor } from './harness.mjs'

const token = '0123456789abcdef0123456789abcdef'
let chrome, server
before(async () => {
  chrome = await browser()
  server = await serve()
})
after(async () => {
  await chrome?.close()
  await server?.close()
})

// The vendor's CDN, in a page without the internet.
const mixpanelCDN = { 'cdn.mxpnl.com': () => ({ contentType: 'text/javascript', body: 'window.vendorLoaded = true' }) }

test('a pasted snippet, an integration flipped on and off, a durable event', { timeout: 60_000 }, async (t) => {
  const snippet = await server.snippet()
  const shop = await site(() => `<!doctype html><title>Shop</title>${snippet}<button onclick="analytics.track('Clicked', {n: 1})">go</button>`)
  t.after(shop.close)
  const events = await server.watch()
  t.after(events.close)

  await t.test('before: our bundle alone, the page view arrives', async () => {
    const v = await visitor(chrome, mixpanelCDN)
    const page = await v.open(shop.url)
    const seen = await events.until((e) => e.value?.type === 'page')
    assert.equal(seen.value.context.page.url, shop.url + '/')
    await page.getByText('go').click()
    const clicked = await events.until((e) => e.value?.event === 'Clicked')
    assert.deepEqual(clicked.value.properties, { n: 1 })
    assert.ok(!v.requests.some((r) => r.url.includes('mxpnl')), 'nothing of Mixpanel is asked for')
    assert.deepEqual(v.errors, [])
    await v.close()
  })

  await t.test('on: the next load asks for the vendor', async () => {
    const report = await server.flip('mixpanel', { enabled: true, settings: { token } })
    assert.ok(report.bytes.brotli > 0 && report.flipToLiveMs >= 0, JSON.stringify(report))
    const v = await visitor(chrome, mixpanelCDN)
    const page = await v.open(shop.url)
    await page.waitForFunction(() => window.vendorLoaded)
    assert.deepEqual(v.errors, [])
    await v.close()
  })

  await t.test('off: the next load does not', async () => {
    await server.flip('mixpanel', { enabled: false })
    const v = await visitor(chrome, mixpanelCDN)
    const page = await v.open(shop.url)
    await page.getByText('go').click()
    const pages = (e) => e.value?.type === 'page'
    await events.until((e) => pages(e) && events.seen.filter(pages).length === 3)
    assert.ok(!v.requests.some((r) => r.url.includes('mxpnl')))
    await v.close()
  })
})

test('what was answered 200 is in the log after a stop', { timeout: 60_000 }, async (t) => {
  const own = await serve()
  t.after(own.close)
  const [{ key }] = (await own.api('GET', own.source)).keys
  for (let i = 0; i < 20; i++) {
    const res = await fetch(`${own.edge}/v1/t`, {
      method: 'POST', headers: { 'content-type': 'text/plain' },
      body: JSON.stringify({ writeKey: key, anonymousId: 'a', event: `E${i}`, messageId: `m${i}`, type: 'track' }),
    })
    assert.equal(res.status, 200)
    assert.deepEqual(await res.json(), { success: true })
  }
  assert.equal(await own.stop(), 0, own.stderr())
  const dump = await tagmill(['log', 'dump', '--data', own.data])
  assert.equal(dump.code, 0, dump.stderr)
  const ids = dump.stdout.trim().split('\n').map((l) => JSON.parse(l).messageId)
  assert.deepEqual(ids, Array.from({ length: 20 }, (_, i) => `m${i}`))
  const verify = await tagmill(['log', 'verify', '--data', own.data])
  assert.equal(verify.code, 0, verify.stderr)
})
