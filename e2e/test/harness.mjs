// What the end-to-end tests share: a real tagmill process on a data folder of
// its own, a real Chromium with nothing but this machine on its network, and
// plain web servers for customers' pages.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const binary = path.join(root, 'bin/tagmill')

/** Starts `tagmill serve`; resolves when it printed its ready line. */
export async function serve({ data, args = [], env = {} } = {}) {
  const own = !data
  data ??= await mkdtemp(path.join(tmpdir(), 'tagmill-e2e-'))
  const child = spawn(binary, ['serve', '--data', data, '--edge', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--demo', '127.0.0.1:0', ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  })
  let stdout = '', stderr = ''
  child.stdout.on('data', (b) => { stdout += b })
  child.stderr.on('data', (b) => { stderr += b })
  const exited = once(child, 'exit')
  const ready = await new Promise((resolve, reject) => {
    child.stdout.on('data', () => {
      const line = stdout.split('\n').find((l) => l.startsWith('{"msg":"ready"'))
      if (line) resolve(JSON.parse(line))
    })
    exited.then(([code]) => reject(new Error(`tagmill ended with ${code} before it was ready:\n${stderr}`)))
  })
  const token = env.TAGMILL_ADMIN_TOKEN ?? (await readFile(path.join(data, 'admin-token'), 'utf8')).trim()
  const server = {
    ...ready, data, child, token,
    stderr: () => stderr,
    /** Calls the admin API; throws with the problem document when refused. */
    async api(method, route, body) {
      const res = await fetch(`${ready.admin}/api/v1${route}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        body: body === undefined ? undefined : JSON.stringify(body),
      })
      const text = await res.text()
      if (!res.ok) throw Object.assign(new Error(`${method} ${route}: ${res.status} ${text}`), { status: res.status })
      return text ? JSON.parse(text) : undefined
    },
    source: '/workspaces/default/sources/website',
    /** Switches an integration of the default source and waits until that revision is live. */
    async flip(slug, change) {
      const { revision } = await server.api('PUT', `${server.source}/integrations/${slug}`, change)
      return server.live(revision)
    },
    async live(revision) {
      for (;;) {
        const report = await server.api('GET', `${server.source}/bundle`)
        if (report.state === 'failed') throw new Error(`revision ${revision}: ${JSON.stringify(report)}`)
        if (report.state === 'live' && report.revision >= revision) return report
        await new Promise((r) => setTimeout(r, 10))
      }
    },
    async snippet() {
      return (await server.api('GET', `${server.source}/snippet`)).html
    },
    /** Every record of the source so far and to come, as the live view shows them. */
    async watch() {
      const abort = new AbortController()
      const res = await fetch(`${ready.admin}/api/v1${server.source}/events`, {
        headers: { authorization: `Bearer ${token}` }, signal: abort.signal,
      })
      const seen = []
      let wake = () => {}
      ;(async () => {
        let rest = ''
        for await (const chunk of res.body.pipeThrough(new TextDecoderStream())) {
          const lines = (rest + chunk).split('\n')
          rest = lines.pop()
          for (const l of lines) if (l.startsWith('data: ')) seen.push(JSON.parse(l.slice(6)))
          wake()
        }
      })().catch(() => {})
      return {
        seen,
        /** Waits until a record matches; the test's own time-out bounds it. */
        async until(match) {
          for (;;) {
            const found = seen.find(match)
            if (found) return found
            await new Promise((r) => { wake = r })
          }
        },
        close: () => abort.abort(),
      }
    },
    /** SIGTERM; resolves with the exit code. */
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      const [code] = await exited
      return code
    },
    async close() {
      if (child.exitCode === null && child.signalCode === null) await server.stop('SIGKILL')
      if (own) await rm(data, { recursive: true, force: true })
    },
  }
  return server
}

/** Runs the binary once; resolves with what it printed and its exit code. */
export async function tagmill(args, { env = {}, stdin } = {}) {
  const child = spawn(binary, args, { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env } })
  let stdout = '', stderr = ''
  child.stdout.on('data', (b) => { stdout += b })
  child.stderr.on('data', (b) => { stderr += b })
  child.stdin.end(stdin)
  const [code] = await once(child, 'exit')
  return { code, stdout, stderr }
}

/** A customer's web site: a function from path to HTML, on a port of its own. */
export async function site(page, headers = {}) {
  const server = createServer((req, res) => {
    const html = page(new URL(req.url, 'http://site').pathname)
    res.writeHead(html === undefined ? 404 : 200, { 'content-type': 'text/html; charset=utf-8', ...headers })
    res.end(html)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => new Promise((r) => { server.closeAllConnections(); server.close(r) }) }
}

export async function browser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-features=LocalNetworkAccessChecks'],
  })
}

/**
 * A fresh browser profile. Requests to this machine pass; others are answered
 * by vendors[host], a function from request to Playwright's fulfil options,
 * and where there is none they are aborted. Every request is recorded.
 */
export async function visitor(chrome, vendors = {}) {
  const context = await chrome.newContext({
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36',
  })
  const requests = []
  const errors = []
  await context.route('**/*', async (route) => {
    const req = route.request()
    const { hostname } = new URL(req.url())
    requests.push({ url: req.url(), method: req.method(), body: req.postData() })
    if (hostname === '127.0.0.1' || hostname === 'localhost') return route.continue()
    const answer = vendors[hostname]?.(req)
    return answer ? route.fulfill(answer) : route.abort('blockedbyclient')
  })
  const open = async (url) => {
    const page = await context.newPage()
    page.on('pageerror', (e) => errors.push(String(e)))
    await page.goto(url)
    return page
  }
  return { context, requests, errors, open, close: () => context.close() }
}
