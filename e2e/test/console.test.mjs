// The newcomer's first minutes: the terminal's link, an integration set up in
// the console, the shop reloaded, its events seen live, the undo.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { browser, serve, visitor } from './harness.mjs'

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

test('from the terminal\'s link to a live event and back', { timeout: 90_000 }, async () => {
  const v = await visitor(chrome, { 'cdn.mxpnl.com': () => ({ contentType: 'text/javascript', body: 'window.vendorLoaded = true' }) })
  const link = /Console: +(\S+)/.exec(server.stderr())[1]
  const console_ = await v.open(link)
  await console_.getByRole('button', { name: 'Sign in' }).click()
  await console_.waitForURL(server.admin + '/')
  const source = `${server.admin}/default/website`

  // Mixpanel needs a token: a wrong one is refused beside its field.
  await console_.goto(`${source}/integrations/mixpanel`)
  await console_.getByLabel('Project token').fill('nope')
  await console_.getByRole('button', { name: 'Switch on' }).click()
  await console_.getByRole('alert').first().waitFor()
  await console_.getByLabel('Project token').fill(token)
  await console_.getByRole('button', { name: 'Switch on' }).click()
  const { revision } = await server.api('GET', server.source)
  assert.equal(revision, 2, 'one mistake made no revision, one save made one')
  await server.live(revision)

  // The shop, untouched, asks for the vendor after a reload.
  const shop = await v.open(server.demo)
  await shop.waitForFunction(() => window.vendorLoaded)

  // Its clicks appear while we look.
  await console_.goto(`${source}/events`)
  await console_.getByText('Product List Viewed').first().waitFor()
  await shop.evaluate(() => analytics.track('<img src=x onerror=alert(1)>', { '</script>': '\u2028' }))
  await console_.getByText('<img src=x onerror=alert(1)>').first().waitFor()

  // Undo is a revision of its own.
  await console_.goto(`${source}/history`)
  await console_.getByRole('button', { name: 'Go back to revision 1' }).click()
  await server.live(3)
  const again = await v.open(server.demo)
  await again.waitForFunction(() => window.analytics.initialized)
  assert.equal(await again.evaluate(() => window.vendorLoaded), undefined)
  assert.deepEqual(v.errors, [])
  await v.close()
})
