// What the runtime's browser tests share: bundles built by the real bundler,
// an edge that serves them and records what is posted, sites for pages, and
// Chromium, which reaches nothing but these.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const key = 'WriteKeyOfTheTests';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-features=LocalNetworkAccessChecks',
  // Pages of shop.test come from here; no other name exists. (Intercepting
  // requests instead would lose those that outlive their page.)
  '--host-resolver-rules=MAP *.shop.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];

/** Everything a test file needs; close() ends it. */
export async function createWorld() {
  const dir = mkdtempSync(join(tmpdir(), 'tagmill-runtime-'));
  const tool = join(dir, 'bundle');
  execFileSync('go', ['build', '-o', tool, './e2e/bundle'], { cwd: root });
  const edge = await createEdge();
  const site = await createSite();
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
  let folders = 0;

  /**
   * Builds a bundle and puts it on the edge. fakes are integrations by slug:
   * the TypeScript of their browser.ts.
   */
  function publish({ writeKey = key, fakes = {}, destinations, spa = false } = {}) {
    const at = join(dir, `root${folders++}`);
    mkdirSync(join(at, 'integrations-js'), { recursive: true });
    symlinkSync(join(root, 'runtime-js'), join(at, 'runtime-js'));
    for (const [slug, source] of Object.entries(fakes)) {
      mkdirSync(join(at, 'integrations-js', slug));
      writeFileSync(join(at, 'integrations-js', slug, 'browser.ts'), source);
    }
    destinations = destinations || Object.keys(fakes).map((slug) => ({
      ID: 'dst_' + slug, Slug: slug, Names: [slug, slug[0].toUpperCase() + slug.slice(1), 'Old ' + slug], Settings: {},
    }));
    const input = JSON.stringify({ WriteKey: writeKey, Collector: edge.url + '/v1', Destinations: destinations, SPA: spa });
    const js = execFileSync(tool, ['-root', at], { input, stdio: ['pipe', 'pipe', 'ignore'] });
    edge.bundles.set(writeKey, js);
    return js;
  }

  /** A page with what it logs and throws kept in .errors; nothing but the edge and the site is reachable. */
  async function open(context) {
    const own = context || (await browser.newContext());
    const page = await own.newPage();
    page.errors = [];
    page.on('pageerror', (e) => page.errors.push(e.message));
    return page;
  }

  async function close() {
    await browser.close();
    await edge.close();
    await site.close();
    rmSync(dir, { recursive: true });
  }
  return { edge, site, browser, publish, open, close };
}

const loader = readFileSync(join(root, 'snippets/snippet.min.js'), 'utf8');

/** The snippet as snippets.Render has it. */
export function snippet(edge, { writeKey = key, global = 'analytics', page = false, load = true, options, nonce } = {}) {
  const args = [writeKey, global, edge.url, (page ? 1 : 0) | (load ? 0 : 2), options].map((a) => JSON.stringify(a)).join();
  return `<script${nonce ? ` nonce="${nonce}"` : ''}>${loader}(${args.replace(/,$/, '')});</script>`;
}

async function listen(handler) {
  const server = createServer(handler);
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return {
    server,
    url: `http://127.0.0.1:${server.address().port}`,
    port: server.address().port,
    close: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }),
  };
}

/** Serves bundles; records posts. */
async function createEdge() {
  const self = {
    bundles: new Map(),
    files: new Map(), // other paths: [content type, body]
    posts: [],
    /** Decides the answer to a post: {status, headers, body}, or a promise of it. */
    answer: () => ({}),
    /** Events of all posts, in order. */
    events: () => self.posts.flatMap((p) => (p.body.batch ? p.body.batch : [p.body])),
    /** Resolves when test() holds; looked at after each post. */
    until(test) {
      return new Promise((done) => {
        const look = () => {
          const value = test();
          if (!value) return;
          watchers.delete(look);
          done(value);
        };
        watchers.add(look);
        look();
      });
    },
    /** Resolves to the events when there are n. */
    received: (n) => self.until(() => self.events().length >= n && self.events()),
    reset() {
      self.posts = [];
      self.answer = () => ({});
    },
  };
  const watchers = new Set();
  const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': 'Retry-After' };
  const listening = await listen(async (req, res) => {
    const path = new URL(req.url, 'http://edge').pathname;
    const bundle = /^\/analytics\.js\/v1\/([^/]+)\/analytics\.min\.js$/.exec(path);
    if (req.method === 'GET') {
      if (bundle && self.holdBundle) await self.holdBundle;
      const [type, body] = bundle ? ['text/javascript', self.bundles.get(bundle[1])] : self.files.get(path) || [];
      res.writeHead(body ? 200 : 404, { 'Content-Type': type || 'text/plain', ...cors });
      return res.end(body || 'not found');
    }
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    if (req.method !== 'POST') {
      self.preflights = (self.preflights || 0) + 1;
      res.writeHead(204, { ...cors, 'Access-Control-Allow-Headers': '*' });
      return res.end();
    }
    const text = Buffer.concat(chunks).toString();
    const post = { path, headers: req.headers, text, body: JSON.parse(text), at: Date.now() };
    self.posts.push(post);
    watchers.forEach((look) => look());
    const a = await self.answer(post);
    if (a.destroy) return res.destroy();
    res.writeHead(a.status || 200, { 'Content-Type': 'application/json', ...cors, ...a.headers });
    res.end(JSON.stringify(a.body || { success: true }));
  });
  return Object.assign(self, listening);
}

/** Serves HTML pages by path, under any host name. */
async function createSite() {
  const pages = new Map();
  const requests = [];
  const listening = await listen(async (req, res) => {
    const url = new URL(req.url, 'http://site');
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    requests.push({ method: req.method, path: url.pathname, search: url.search, body: Buffer.concat(chunks).toString() });
    const page = pages.get(url.pathname);
    res.writeHead(page ? 200 : 404, { 'Content-Type': 'text/html; charset=utf-8', ...(page && page.headers) });
    res.end(page ? page.html : 'not found');
  });
  return {
    ...listening,
    requests,
    /** Puts a page up and returns its URL. */
    put(path, { head = '', body = '', title = 'Shop', headers } = {}, host = '127.0.0.1') {
      pages.set(path, { html: `<!doctype html><html><head><title>${title}</title>${head}</head><body>${body}</body></html>`, headers });
      return `http://${host}:${listening.port}${path}`;
    },
  };
}

/** The record a fake integration keeps on window.seen: [slug, call, event]. */
export const recording = (slug, load = '') => `
import type { Env, Event, Integration } from '@tagmill/runtime/types';
export default (settings: any, env: Env): Integration => {
  const seen = (env.w.seen = env.w.seen || []);
  const note = (call: string) => (e?: Event) => { seen.push(['${slug}', call, e && JSON.parse(JSON.stringify(e))]); };
  return {
    load() { seen.push(['${slug}', 'load', settings]); ${load} },
    page: note('page'), screen: note('screen'), track: note('track'), identify: note('identify'),
    group: note('group'), alias: note('alias'), reset: note('reset'),
  };
};`;
