// Segment's own clients, unchanged, against our edge.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { browser, root, serve, site, visitor } from './harness.mjs'

const require = createRequire(import.meta.url)
let chrome, server, key
before(async () => {
  chrome = await browser()
  server = await serve()
  ;[{ key }] = (await server.api('GET', server.source)).keys
})
after(async () => {
  await chrome?.close()
  await server?.close()
})

test('@segment/snippet, host option pointed at us', { timeout: 60_000 }, async (t) => {
  const snippet = require('@segment/snippet')
  // Its template writes https://HOST; a page on this machine has no certificate.
  const script = snippet.min({ apiKey: key, host: new URL(server.edge).host }).replace('https://', 'http://')
  const shop = await site(() => `<!doctype html><title>Shop</title><script>${script}
    analytics.track('Before Load', { order: 1 }); analytics.identify('u1', { plan: 'pro' })</script>`)
  t.after(shop.close)
  const events = await server.watch()
  t.after(events.close)
  const v = await visitor(chrome)
  await v.open(shop.url)
  await events.until((e) => e.value.type === 'identify' && e.value.userId === 'u1')
  await events.until((e) => e.value.event === 'Before Load')
  const posts = v.requests.filter((r) => r.method === 'POST').map((r) => JSON.parse(r.body))
  assert.deepEqual(posts.map((e) => e.event ?? e.type), ['page', 'Before Load', 'identify'], 'in the order they were called')
  assert.deepEqual(v.errors, [])
  await v.close()
})

test('@segment/analytics-next from npm, settings and collector ours', { timeout: 60_000 }, async (t) => {
  const umd = await readFile(path.join(root, 'node_modules/@segment/analytics-next/dist/umd/index.js'), 'utf8')
  const shop = await site(() => `<!doctype html><title>App</title><script>${umd.replaceAll('</script', '<\\/script')}</script><script>
    window.next = AnalyticsNext.AnalyticsBrowser.load({ writeKey: ${JSON.stringify(key)}, cdnURL: ${JSON.stringify(server.edge)} })
    next.track('From Npm', { ok: true })
    next.identify('u2', { plan: 'free' })
  </script>`)
  t.after(shop.close)
  const events = await server.watch()
  t.after(events.close)
  const v = await visitor(chrome)
  await v.open(shop.url)
  const tracked = await events.until((e) => e.value.event === 'From Npm')
  assert.deepEqual(tracked.value.properties, { ok: true })
  assert.match(tracked.value.context.library.version, /^(npm:)?next-/)
  await events.until((e) => e.value.type === 'identify' && e.value.userId === 'u2')
  const posts = v.requests.filter((r) => r.method === 'POST' && !r.url.endsWith('/m'))
  assert.ok(posts.length > 0 && posts.every((r) => r.url.startsWith(`${server.edge}/v1/`)), JSON.stringify(posts.map((r) => r.url)))
  assert.deepEqual(v.errors, [])
  await v.close()
})

test('@segment/analytics-node', { timeout: 60_000 }, async (t) => {
  const { Analytics } = require('@segment/analytics-node')
  const analytics = new Analytics({ writeKey: key, host: server.edge, flushAt: 3 })
  const events = await server.watch()
  t.after(events.close)
  const failures = []
  analytics.on('error', (e) => failures.push(e))
  analytics.track({ userId: 'n1', event: 'Node Track', properties: { big: 2 ** 53 } })
  analytics.identify({ userId: 'n1', traits: { name: 'Ü\u2028' } })
  analytics.group({ userId: 'n1', groupId: 'g1', traits: { seats: 3 } })
  await analytics.closeAndFlush()
  assert.deepEqual(failures, [])
  const group = await events.until((e) => e.value.type === 'group')
  assert.equal(group.value.groupId, 'g1')
  const identify = events.seen.find((e) => e.value.type === 'identify' && e.value.userId === 'n1')
  assert.equal(identify.value.traits.name, 'Ü\u2028')
})
