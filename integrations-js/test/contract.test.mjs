// Every integration's steps.txtar, in a real browser, on the minified bundle.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { decode, entries, lacks } from './decode.mjs'
import { close, manifests, open, root, vendorFile, visit } from './harness.mjs'
import { readSteps } from './txtar.mjs'

before(open)
after(close)

const all = await manifests()
const standard = await readFile(path.join(root, 'integrations-js/test/standard.js'), 'utf8')

// Stands beside each integration under test, to see that its neighbours live.
const witness = { manifest: all.kissmetrics, settings: { apiKey: 'f'.repeat(40) } }
const witnessed = ['record', 'record', 'identify', 'set', 'record', 'record', 'set', 'alias', 'clearIdentity', 'record']
const witnessFake = `if (!window.KM) {
  window.KM = { set() {} }
  const take = (call) => typeof call == 'function' || record('witness', call[0])
  _kmq.forEach(take)
  _kmq = { push: take }
}`

for (const [slug, manifest] of Object.entries(all)) {
  const cases = await readSteps(path.join(root, 'integrations-js', slug, 'steps.txtar'))
  for (const [name, steps] of Object.entries(cases)) {
    const calls = steps['calls.js'] ?? standard
    const expect = steps['expect.json']
    const real = !steps['fake.js']
    const sdk = real ? await vendorFile(manifest) : `if (!window.__fake) { window.__fake = 1; ${steps['fake.js']} }`
    const me = { manifest, settings: steps['settings.json'] }

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
      const neighbours = slug === witness.manifest.slug ? [] : [witness]
      const v = await visit({
        destinations: [me, ...neighbours],
        serve: (url) => (expect.scripts.includes(url) ? 'abort' : /kissmetrics/.test(url) ? { body: witnessFake } : serve(url)),
      })
      try {
        await v.ready()
        await v.run(`(() => { ${standard} })()`)
        const heard = (await settled(v)).filter((call) => call[0] === 'witness').map((call) => call[1])
        assert.deepEqual(heard, neighbours.length ? witnessed : [], 'what a neighbour was given')
        assert.deepEqual(v.seen.problems, [])
        assert.deepEqual(v.seen.requests, [], 'a blocked vendor sent something')
      } finally {
        await v.close()
      }
    })
  }
}

/** The recorded calls, once two frames have passed without a new one. */
async function settled(v) {
  for (let last = -1; ;) {
    const calls = await v.tab.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(window.vendorCalls)))))
    if (calls.length === last) return calls
    last = calls.length
  }
}

async function checkCalls(v, expected) {
  await v.tab.waitForFunction((n) => window.vendorCalls.length >= n, expected.length, { timeout: 20000 }).catch(() => {})
  const calls = (await settled(v)).filter((call) => call[0] !== 'POLICY')
  assert.deepEqual(calls, expected, 'calls the vendor was given:\n' + calls.map((c) => JSON.stringify(c)).join(',\n'))
}

/**
 * Each kind of request is compared as one list, whatever way the vendor
 * batched it, and in any order: who did what before whom shows in the ids and
 * times that the vendor's own code put in. `only` says which of the events are
 * looked at, where a vendor also sends what no call made it send.
 */
async function checkRequests(v, expected) {
  const decoded = () => v.seen.requests.map(decode)
  for (const { method, url, only = {}, events } of expected) {
    const list = () => decoded().filter((r) => r.url === url && r.method === method).flatMap(entries).filter((e) => !lacks(e, only))
    await v.requested(() => list().length >= events.length)
    const left = list()
    for (const event of events) {
      const i = left.findIndex((actual) => !lacks(actual, event))
      assert.ok(i >= 0, `${url}: nothing like ${JSON.stringify(event)} in\n${JSON.stringify(left, null, 1)}`)
      left.splice(i, 1)
    }
    assert.deepEqual(left, [], `${url}: more than was expected`)
  }
  const strangers = decoded().filter((r) => !expected.some((e) => e.url === r.url))
  assert.deepEqual(strangers, [], 'requests nobody expected')
}
