// Runs one integration in a real browser with no network: the real runtime and
// bundler make the page's bundle, the page lives on a made-up https host under
// a policy that allows what the manifest says and nothing else, and whatever
// asks for an address that no test has named fails that test.
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { build as bundleModule } from 'esbuild'
import { chromium } from 'playwright-core'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const folder = path.join(root, 'integrations-js')
const page = 'https://shop.example/products/pan?utm_source=test'
const bundleURL = 'https://cdn.example/bundle.js'
const collector = 'https://collector.example/v1'

/** What Date says in the page, so that vendors' times can be expected. */
export const now = '2026-01-02T03:04:05.678Z'

let scratch, browser

export async function open() {
  scratch = await mkdtemp(path.join(tmpdir(), 'tagmill-steps-'))
  await promisify(execFile)('go', ['build', '-o', path.join(scratch, 'bundle'), './e2e/bundle'], { cwd: root })
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-features=LocalNetworkAccessChecks',
      '--disable-blink-features=AutomationControlled'],
  })
}

export async function close() {
  await browser?.close()
  await rm(scratch, { recursive: true, force: true })
}

/** Every manifest, by slug. */
export async function manifests() {
  const all = {}
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || !/^[a-z]/.test(entry.name) || entry.name === 'test') continue
    all[entry.name] = JSON.parse(await readFile(path.join(folder, entry.name, 'manifest.json'), 'utf8'))
  }
  return all
}

/** What a browser gets of a destination's settings, as Catalog.Public has it. */
export function publicSettings(manifest, values) {
  const given = (f) => values[f.key] ?? f.default
  const out = {}
  for (const f of manifest.settings) {
    if (f.secret || f.scope === 'server') continue
    const shown = Object.entries(f.showIf ?? {}).every(([key, want]) => given(manifest.settings.find((s) => s.key === key)) === want)
    const v = given(f)
    if (shown && v && (typeof v !== 'object' || Object.keys(v).length)) out[f.key] = v
  }
  return out
}

/** Builds the bundle of the given destinations: [{manifest, settings}]. */
export async function build(destinations) {
  const child = spawn(path.join(scratch, 'bundle'), ['-root', root], { stdio: ['pipe', 'pipe', 'pipe'] })
  let js = '', report = ''
  child.stdout.on('data', (b) => { js += b })
  child.stderr.on('data', (b) => { report += b })
  child.stdin.end(JSON.stringify({
    writeKey: 'test', collector,
    destinations: destinations.map(({ manifest, settings }, i) => ({
      id: `dst_${manifest.slug}_${i}`, slug: manifest.slug, names: [manifest.slug, manifest.name, ...manifest.aliases],
      settings: publicSettings(manifest, settings),
    })),
  }))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error('bundle: ' + report)
  return js
}

/** The page's policy: what the manifests allow, with the settings put in. */
function policy(destinations) {
  const rules = { script: ["'nonce-n0nce'"], connect: ['https://collector.example'], img: ['data:', 'https://collector.example'], frame: [], style: [], font: [], media: [] }
  for (const { manifest, settings } of destinations) {
    const values = publicSettings(manifest, settings)
    for (const [directive, hosts] of Object.entries(manifest.hosts)) {
      for (const host of hosts) {
        const m = /^\{(\w+)\}$/.exec(host)
        if (!m) rules[directive].push(host)
        else if (values[m[1]]) rules[directive].push(values[m[1]])
      }
    }
  }
  return "default-src 'none'; " + Object.entries(rules).map(([d, hosts]) => `${d}-src ${hosts.join(' ') || "'none'"}`).join('; ')
}

// The snippet's part: a list that remembers calls until the bundle replays them.
const stub = `(() => {
  const a = window.analytics = [];
  for (const m of ['track','page','screen','identify','group','alias','reset','ready','on','setAnonymousId','user'])
    a[m] = (...args) => { a.push([m, ...args]); return a };
})()`

/**
 * Opens a page with a bundle of the destinations.
 *
 * serve(url, request) answers a vendor's request: {body, contentType} or
 * 'abort'; undefined is an address nobody named. Scripts are held back until
 * release() is called. before is code that runs ahead of the bundle.
 */
export async function visit({ destinations, serve, before = '', held = false }) {
  const js = await build(destinations)
  const context = await browser.newContext({
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
    viewport: { width: 1280, height: 800 },
  })
  const tab = await context.newPage()
  const seen = { scripts: [], requests: [], problems: [] }
  let release
  const gate = held ? new Promise((resolve) => { release = resolve }) : Promise.resolve()
  let bell = () => {}

  tab.on('pageerror', (e) => seen.problems.push('error reached the page: ' + e.message))
  await tab.clock.setFixedTime(now)
  await tab.addInitScript(() => {
    window.vendorCalls = []
    // A plain copy at the time of the call: vendors keep and change what they are given.
    window.record = (...call) => window.vendorCalls.push(JSON.parse(JSON.stringify(call)))
    document.addEventListener('securitypolicyviolation', (e) => window.vendorCalls.push(['POLICY', e.violatedDirective, e.blockedURI]))
  })
  await context.route('**/*', async (route) => {
    const request = route.request()
    const url = request.url()
    if (url === page) {
      return route.fulfill({
        contentType: 'text/html; charset=utf-8', headers: { 'content-security-policy': policy(destinations) },
        body: `<!doctype html><title>A pan</title><link rel="icon" href="data:,"><script nonce="n0nce">${stub};${before}</script><script nonce="n0nce" src="${bundleURL}"></script><body>A pan`,
      })
    }
    if (url === bundleURL) return route.fulfill({ contentType: 'text/javascript; charset=utf-8', body: js })
    const cors = { 'access-control-allow-origin': 'https://shop.example', 'access-control-allow-credentials': 'true', 'access-control-allow-headers': 'content-type, authorization' }
    if (request.method() === 'OPTIONS') return route.fulfill({ status: 204, headers: cors })
    if (url.startsWith(collector)) {
      return route.fulfill({ headers: cors, contentType: 'application/json', body: '{"success":true}' })
    }
    const script = request.resourceType() === 'script'
    if (script) {
      seen.scripts.push(url)
      await gate
    }
    const answer = await serve(url, request)
    if (answer === undefined) seen.problems.push(`nobody expected ${request.method()} ${url}`)
    if (answer === undefined || answer === 'abort') return route.abort()
    if (!script) seen.requests.push({ method: request.method(), url, body: bodyOf(request) })
    await route.fulfill({ headers: cors, contentType: 'text/javascript; charset=utf-8', ...answer })
    bell()
  })
  // Not until load: that waits for scripts that are held back.
  await tab.goto(page, { waitUntil: 'domcontentloaded' })
  return {
    tab, seen, release: () => release?.(),
    calls: () => tab.evaluate(() => window.vendorCalls),
    run: (code) => tab.evaluate(code),
    ready: () => tab.evaluate(() => new Promise((resolve) => window.analytics.ready(resolve))),
    /** Resolves when test(seen) is true of what has been requested. */
    async requested(test) {
      while (!test(seen)) await new Promise((resolve) => { bell = resolve })
    },
    close: () => context.close(),
  }
}

/**
 * The vendor's own file that stands at its script's address. Where npm carries it
 * in another form than the vendor's CDN, sdk.js of the integration's folder is
 * bundled and served: it imports the file as "vendor" and puts it on the page
 * the way the CDN's does.
 */
export async function vendorFile({ slug, verified }) {
  const file = path.join(root, 'node_modules', verified.package.replace(/@[^@]+$/, ''), verified.file)
  const adapter = path.join(folder, slug, 'sdk.js')
  if (!existsSync(adapter)) return readFile(file, 'utf8')
  const { outputFiles } = await bundleModule({ entryPoints: [adapter], alias: { vendor: file }, bundle: true, format: 'iife', write: false, logLevel: 'silent' })
  return outputFiles[0].text
}

/** A request's body as text, unpacked where the vendor packs. */
function bodyOf(request) {
  const body = request.postDataBuffer() ?? Buffer.alloc(0)
  return (body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body).toString()
}
