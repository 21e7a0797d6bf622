// Every integration's steps.txtar, in a real browser, on the minified bundle.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { decode, lacks } from './decode.mjs'
import { close, manifests, open, root, vendorFile, visit } from './harness.mjs'
import { readSteps } from './txtar.mjs'

before(open)
after(close)

const all = await manifests()
const standard = await readFile(path.join(root, 'integrations-js/test/standard.js'), 'utf8')

// Stands beside each integration under test, to see that its neighbours live.
const witness = all.kissmetrics ? { manifest: all.kissmetrics, settings: { apiKey: 'f'.repeat(40) } } : undefined
const witnessFake = `if (!window.KM) {
  window.KM = { set() {} }
  const seen = (c) => typeof c == 'function' || record('witness', c[0], c[1])
  _kmq.forEach(seen)
  _kmq = { push: seen }
}`

for (const [slug, manifest] of Object.entries(all)) {
  const cases = await readSteps(path.join(root, 'integrations-js', slug, 'steps.txtar'))
  for (const [name, steps] of Object.entries(cases)) {
    const { settings } = { settings: steps['settings.json'] }
    const calls = steps['calls.js'] ?? standard
    const expect = steps['expect.json']
    const real = !steps['fake.js']
    const sdk = real ? await vendorFile(manifest) : `if (!window.__fake) { window.__fake = 1; ${steps['fake.js']} }`
    const me = { manifest, settings }

    const serve = (url) => {
      if (expect.scripts.includes(url)) return { body: sdk }
      const answer = Object.entries(steps['responses.json'] ?? {}).find(([prefix]) => url.startsWith(prefix))
      return answer && { contentType: 'application/json', body: JSON.stringify(answer[1]) }
    }

    // The calls arrive once, in order, whether made before or after the vendor's code came.
    for (const early of [true, false]) {
      test(`${slug} ${name}: calls made ${early ? 'before' : 'after'} its code has loaded`, { timeout: 60000 }, async () => {
        const v = await visit({ destinations: [me], serve, before: early ? calls : '', held: early })
        try {
          v.release()
          await v.ready()
          if (!early) await v.run(`(() => { ${calls} })()`)
          if (real) await checkRequests(v, expect.requests)
          else await checkCalls(v, expect.calls)
          assert.deepEqual([...v.seen.scripts].sort(), [...expect.scripts].sort(), 'scripts asked for')
          assert.deepEqual((await v.calls()).filter((c) => c[0] === 'POLICY'), [], "the manifest's hosts do not allow what the vendor does")
          assert.deepEqual(v.seen.problems, [])
        } finally {
          await v.close()
        }
      })
    }

    test(`${slug} ${name}: blocked, nobody else notices`, { timeout: 60000 }, async () => {
      const alone = slug === witness.manifest.slug
      const blocked = (url) => (expect.scripts.includes(url) ? 'abort' : /kissmetrics/.test(url) ? { body: witnessFake } : serve(url))
      const v = await visit({ destinations: alone ? [me] : [me, witness], serve: blocked })
      try {
        await v.ready()
        await v.run(`(() => { ${calls} })()`)
        const heard = await settled(v, (c) => alone || c.filter((x) => x[0] === 'witness').length >= 12)
        if (!alone) {
          const witnessed = heard.filter((c) => c[0] === 'witness').map((c) => c[2] && c[1] === 'record' ? c[2] : c[1])
          assert.deepEqual(witnessed, ['Viewed Docs Index Page', 'Signed Up', 'identify', 'set', 'Product Viewed', 'Order Completed', 'set', 'alias', 'clearIdentity', 'After Reset'].flatMap((x) => x))
        }
        assert.deepEqual(v.seen.problems, [])
        assert.deepEqual(v.seen.requests, [], 'a blocked vendor sent something')
      } finally {
        await v.close()
      }
    })
  }
}

/** The recorded calls once they are enough and no more come for two frames. */
async function settled(v, enough) {
  await v.tab.waitForFunction(`(${enough.toString().includes('alone') ? 'true' : 'true'})`)
  for (let last = -1; ;) {
    const calls = await v.tab.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(window.vendorCalls)))))
    if (calls.length === last) return calls
    last = calls.length
  }
}

async function checkCalls(v, expected) {
  const calls = await settled(v, () => true)
  assert.deepEqual(calls.filter((c) => c[0] !== 'POLICY'), expected, 'calls the vendor was given')
}

async function checkRequests(v, expected) {
  const decoded = () => v.seen.requests.map(decode)
  // Each kind of request is compared as one list: how a vendor batches is its own affair.
  for (const { method, url, events } of expected) {
    const list = () => decoded().filter((r) => r.url === url && r.method === method).flatMap((r) => r.body?.data ?? [r.body])
    await v.requested(() => list().length >= events.length)
    const found = lacks(list(), events, url)
    assert.equal(found, undefined, `${found}\n${JSON.stringify(list(), null, 1)}`)
  }
  const strangers = decoded().filter((r) => !expected.some((e) => e.url === r.url))
  assert.deepEqual(strangers, [], 'requests nobody expected')
}
