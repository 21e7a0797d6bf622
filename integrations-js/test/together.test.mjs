// What an integration must not do to others on the same page.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { decode } from './decode.mjs'
import { close, manifests, open, root, vendorFile, visit } from './harness.mjs'
import { readSteps } from './txtar.mjs'

before(open)
after(close)

const all = await manifests()
const standard = await readFile(path.join(root, 'integrations-js/test/standard.js'), 'utf8')

test('two Mixpanel projects on a page each get the event', { timeout: 60000 }, async () => {
  const tokens = ['a'.repeat(32), 'b'.repeat(32)]
  const sdk = await vendorFile(all.mixpanel)
  const v = await visit({
    destinations: tokens.map((token) => ({ manifest: all.mixpanel, settings: { token } })),
    serve: (url) => (url.includes('mxpnl.com') ? { body: sdk } : url.startsWith('https://api-js.mixpanel.com/') ? { contentType: 'application/json', body: '1' } : undefined),
  })
  try {
    await v.ready()
    await v.run("analytics.track('Once', {}, { messageId: 'm-1' })")
    const sent = () => v.seen.requests.map(decode).flatMap((r) => r.body?.data ?? []).filter((e) => e.event === 'Once')
    await v.requested(() => sent().length >= 2)
    assert.deepEqual(sent().map((e) => e.properties.token).sort(), tokens)
    assert.equal(v.seen.scripts.length, 1, 'the library is asked for once')
    assert.equal(await v.run('mixpanel.get_config("token")'), tokens[0], 'window.mixpanel is the first')
    assert.deepEqual(v.seen.problems, [])
  } finally {
    await v.close()
  }
})

// They share one queue, so none of them sees what it sees alone.
const google = ['ga4', 'googleads', 'gtm']

test("Google's integrations share one queue and one gtag.js", { timeout: 60000 }, async () => {
  const v = await visit({
    destinations: await Promise.all(google.map(async (slug) => ({
      manifest: all[slug], settings: (await readSteps(path.join(root, 'integrations-js', slug, 'steps.txtar'))).default['settings.json'],
    }))),
    serve: (url) => (url.startsWith('https://www.googletagmanager.com/') ? { body: '' } : undefined),
  })
  try {
    await v.ready()
    await v.run("analytics.track('Order Completed', { order_id: 'o-1', revenue: 5 })")
    await v.tab.waitForFunction(() => dataLayer.length >= 7)
    const entries = await v.run('dataLayer.map((e) => (e.length ? [...e].slice(0, 2).map((x) => typeof x == "string" ? x : 1) : e.event))')
    const order = (a, b) => (String(a) < String(b) ? -1 : 1)
    assert.deepEqual(entries.sort(order), [
      ['config', 'AW-123456789'], ['config', 'G-TEST123456'], ['event', 'conversion'], ['event', 'purchase'], ['js', 1], 'Order Completed', 'gtm.js',
    ].sort(order))
    assert.deepEqual(v.seen.scripts.map((url) => new URL(url).pathname).sort(), ['/gtag/js', '/gtm.js'])
    assert.deepEqual(v.seen.problems, [])
  } finally {
    await v.close()
  }
})

test('all integrations on one page: each gets what it gets alone', { timeout: 60000 }, async () => {
  const faked = []
  for (const [slug, manifest] of Object.entries(all)) {
    const [steps] = Object.values(await readSteps(path.join(root, 'integrations-js', slug, 'steps.txtar')))
    if (steps['fake.js'] && !google.includes(slug)) faked.push({ slug, manifest, steps, settings: steps['settings.json'] })
  }
  const v = await visit({
    destinations: faked,
    before: standard,
    serve: (url) => {
      const it = faked.find((f) => f.steps['expect.json'].scripts.includes(url))
      // Each stand-in notes under its own name.
      return it && { body: `if (!window.__${it.slug}) { window.__${it.slug} = 1; ((record) => { ${it.steps['fake.js']} })((...c) => window.record('${it.slug}', ...c)) }` }
    },
  })
  try {
    await v.ready()
    // Only those whose default case makes the standard calls can be compared.
    for (const { slug, steps } of faked.filter((f) => !f.steps['calls.js'])) {
      const expected = steps['expect.json'].calls
      const mine = (calls) => calls.filter((c) => c[0] === slug).map((c) => c.slice(1))
      await v.tab.waitForFunction(([s, n]) => window.vendorCalls.filter((c) => c[0] === s).length >= n, [slug, expected.length])
      assert.deepEqual(mine(await v.calls()), expected, slug)
    }
    assert.deepEqual(v.seen.problems, [])
    assert.deepEqual((await v.calls()).filter((c) => c[0] === 'POLICY'), [])
  } finally {
    await v.close()
  }
})
