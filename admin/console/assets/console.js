// @ts-check
// Makes the console's pages live. Everything here is an addition: without it
// the pages are plain HTML and forms. Values reach the page only as text.

/** @template {Element} T @param {string} selector @returns {T | null} */
const one = (selector) => document.querySelector(selector);
const main = /** @type {HTMLElement} */ (one("main"));
const api = main?.dataset.api;

/** @param {number} n */
const showBytes = (n) => (n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1000).toFixed(1)} KB` : `${(n / 1e6).toFixed(1)} MB`);

/**
 * @param {string} tag @param {string} [className] @param {string} [text]
 * @returns {HTMLElement}
 */
function el(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

/** @type {number | undefined} */
let toastTimer;
/** @param {string} text @param {boolean} [bad] */
function say(text, bad) {
  const t = one("#toast");
  if (!t) return;
  t.textContent = text;
  t.className = `toast show${bad ? " bad" : ""}`;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => t.classList.remove("show"), bad ? 8000 : 3500);
}

/** @param {string} path @param {RequestInit} [init] */
async function call(path, init) {
  const r = await fetch(api + path, { headers: { "Content-Type": "application/json" }, ...init });
  if (r.status === 401) location.assign("/signin");
  const body = r.status === 204 ? {} : await r.json();
  if (r.ok) return body;
  const first = body.errors?.[0];
  throw Object.assign(new Error(first ? first.message : body.detail), { status: r.status });
}

/** Puts a value wherever the page shows it. @param {string} name @param {string | number} value */
function set(name, value) {
  for (const e of document.querySelectorAll(`[data-s="${name}"]`)) {
    e.textContent = String(value);
    e.parentElement?.removeAttribute("hidden");
  }
}

/** Shows the bundle's state, price and receipt. @param {any} b */
function showBundle(b) {
  const strip = one("#strip");
  strip?.setAttribute("data-state", b.state);
  set("state", b.state === "live" ? "Live" : b.state === "failed" ? "Not live" : "Building");
  set("error", b.error ?? "");
  one("#failure")?.toggleAttribute("hidden", !b.error);
  if (!b.revision) return;
  set("revision", b.revision);
  set("size", showBytes(b.bytes.brotli));
  if (b.flipToLiveMs) set("flip", `${Math.round(b.flipToLiveMs)} ms`);
  for (const k of ["raw", "gzip", "brotli"]) set(k, showBytes(b.bytes[k]));
  set("build", b.buildId);

  const lines = one("#lines");
  if (lines) {
    const rest = Object.entries(b.integrations).filter(([slug]) => slug !== "runtime");
    rest.sort(([, x], [, y]) => y.brotli - x.brotli);
    const rows = [...Object.entries(b.integrations).filter(([slug]) => slug === "runtime"), ...rest].map(([slug, share]) => {
      const row = el("div");
      const name = slug === "runtime" ? "tagmill runtime" : (one(`[data-slug="${slug}"] h3 a`)?.textContent ?? slug);
      row.append(el("dt", "", name), el("dd", "", price(share)));
      return row;
    });
    lines.replaceChildren(...rows);
    one("#receipt")?.classList.add("fresh");
    setTimeout(() => one("#receipt")?.classList.remove("fresh"), 1300);
  }
  const priced = new Set(); // a second one of a kind shares the code
  for (const item of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-slug]"))) {
    const slug = item.dataset.slug ?? "";
    const share = item.querySelector("[aria-checked=true]") && !priced.has(slug) && b.integrations[slug];
    const cost = item.querySelector("[data-cost]");
    if (cost) cost.textContent = share ? `+${price(share)}` : "";
    if (share) priced.add(slug);
  }
}

const sleep = (/** @type {number} */ ms) => new Promise((done) => setTimeout(done, ms));

/** Whether a bundle's bytes and prices are the last word. @param {any} b */
const settled = (b) => b.final && Object.values(b.integrations).every((s) => s.exact);

/** What an integration adds, once it is known. @param {any} share */
const price = (share) => (share.exact ? showBytes(share.brotli) : "…");

/** Waits until a revision is live or cannot be, then says so. @param {number} revision @param {string} what */
async function follow(revision, what) {
  one("#strip")?.setAttribute("data-state", "building");
  for (let wait = 40; wait < 4000; wait *= 1.4) {
    await sleep(wait);
    const b = await call("/bundle");
    if (b.wanted > revision) return; // a newer flip has taken over
    if (b.state === "failed") {
      showBundle(b);
      say(`${what}, but revision ${revision} cannot go live: ${b.error}`, true);
      return;
    }
    if (b.revision >= revision && b.state === "live") {
      showBundle(b);
      say(`${what}. Live in ${Math.round(b.flipToLiveMs)} ms, ${showBytes(b.bytes.brotli)} to each page.`);
      // The exact price of each integration and the final bytes come a moment later.
      for (let now = b, i = 0; i < 10 && now.revision === revision && !settled(now); i++) {
        await sleep(300);
        now = await call("/bundle");
        if (now.revision === revision) showBundle(now);
      }
      return;
    }
  }
  say(`${what}. It is taking longer than usual to go live.`, true);
}

/** The switches: at once, back again when refused. */
function switches() {
  for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form.flip"))) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = /** @type {HTMLButtonElement} */ (form.querySelector(".switch"));
      if (button.getAttribute("aria-busy") === "true") return;
      const item = /** @type {HTMLElement} */ (form.closest("[data-id]"));
      const on = button.getAttribute("aria-checked") !== "true";
      const name = button.getAttribute("aria-label") ?? "";
      button.setAttribute("aria-checked", String(on));
      button.setAttribute("aria-busy", "true");
      try {
        const d = await call(`/integrations/${encodeURIComponent(item.dataset.id ?? "")}`, { method: "PUT", body: JSON.stringify({ enabled: on }) });
        /** @type {HTMLInputElement} */ (form.elements.namedItem("enabled")).value = String(!on);
        button.removeAttribute("aria-busy");
        await follow(d.revision, `${name} ${on ? "on" : "off"}`);
      } catch (e) {
        button.setAttribute("aria-checked", String(!on));
        const err = /** @type {Error & {status?: number}} */ (e);
        if (err.status === 422) location.assign(`${main.dataset.base}/integrations/${item.dataset.id}`);
        else say(err.message || "The server does not answer.", true);
      } finally {
        button.removeAttribute("aria-busy");
      }
    });
  }
}

/** Copy buttons; where the clipboard is out of reach (plain http on a name), the text is selected. */
function copies() {
  for (const b of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("button.copy"))) {
    b.hidden = false;
    b.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(b.dataset.copy ?? "");
        b.textContent = "Copied";
      } catch {
        const code = b.parentElement?.querySelector("code");
        if (code) getSelection()?.selectAllChildren(code);
        b.textContent = "Press Ctrl+C";
      }
      setTimeout(() => (b.textContent = "Copy"), 2000);
    });
  }
}

/** Settings that mean nothing beside another one's value are not shown. */
function conditions() {
  for (const field of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-when]"))) {
    const [key, value] = (field.dataset.when ?? "").split("=");
    const other = /** @type {HTMLInputElement | null} */ (document.getElementById(`f-${key}`));
    if (!other) continue;
    field.querySelector(".when")?.remove();
    const show = () => (field.hidden = (other.type === "checkbox" ? String(other.checked) : other.value) !== value);
    other.addEventListener("change", show);
    show();
  }
}

/** Something a visitor sent, as text: anything but a plain value as JSON. @param {unknown} v */
const plain = (v) => (v === undefined || v === null ? "" : typeof v === "object" ? JSON.stringify(v) : String(v));

const kept = 200; // events on the page

function live() {
  const list = one("#live-list");
  if (!list || !api) return;
  const empty = /** @type {HTMLElement} */ (one("#live-empty"));
  const state = /** @type {HTMLElement} */ (one("#live-state"));
  const filter = /** @type {HTMLInputElement} */ (one("#live-filter"));
  const only = /** @type {HTMLInputElement} */ (one("#live-only"));
  const pause = /** @type {HTMLButtonElement} */ (one("#live-pause"));
  const clear = /** @type {HTMLButtonElement} */ (one("#live-clear"));
  one("#live-off")?.remove();
  for (const e of [filter, pause, clear, one("#live-only-box")]) /** @type {HTMLElement} */ (e).hidden = false;

  /** @type {{ li: HTMLElement, text: string, discard: boolean }[]} newest first */
  let rows = [];
  /** @type {any[]} */
  let held = []; // while paused
  const seen = new Set(); // a stream that was cut begins with what is known
  let connected = false;
  let missed = 0;

  /** @type {number | undefined} */
  let telling; // a screen reader must not be told of every single event
  const tell = () => (telling ??= setTimeout(tellNow, 400));
  const tellNow = () => {
    telling = undefined;
    const n = rows.filter((r) => !r.li.hidden).length;
    state.textContent = `${connected ? "" : "Reconnecting… "}${n} event${n === 1 ? "" : "s"}${held.length ? `, ${held.length} waiting` : ""}`;
    empty.hidden = rows.length > 0;
  };
  const visible = (/** @type {{text: string, discard: boolean}} */ r) =>
    (!only.checked || r.discard) && r.text.includes(filter.value.trim().toLowerCase());

  /** @param {any} e */
  const show = (e) => {
    const v = e.value ?? {};
    const of = (e.kind === "discard" && v.event && typeof v.event === "object" && v.event) || v; // what was discarded, as far as it was kept
    const li = el("li", "in");
    const details = el("details");
    const line = el("summary");
    const at = new Date(e.receivedAt);
    const time = el("time", "", at.toLocaleTimeString([], { hour12: false }));
    time.title = at.toISOString();
    const type = e.kind === "event" ? plain(v.type) || "event" : e.kind === "discard" ? "discarded" : "unknown key";
    const name = e.kind === "discard" ? [plain(e.code) || "no reason given", plain(of.event), plain(v.message)].filter(Boolean).join(" · ")
      : plain(v.event ?? v.name ?? (v.type === "page" ? v.context?.page?.path : undefined) ?? v.traits?.email ?? v.traits?.name ?? v.groupId ?? v.previousId);
    const who = of.userId ? plain(of.userId) : of.anonymousId ? `anonymous ${plain(of.anonymousId).slice(0, 8)}` : "";
    line.append(time, el("span", `kind ${e.kind}`, type), el("span", "name", name), el("span", "who", who), el("span", "fine env", e.environment ?? ""));
    details.append(line);
    details.addEventListener("toggle", () => {
      if (!details.querySelector("pre")) details.append(el("pre", "", JSON.stringify(v, null, 2)));
    });
    li.append(details);
    const row = { li, text: `${type} ${name} ${who} ${JSON.stringify(v)}`.toLowerCase(), discard: e.kind === "discard" };
    li.hidden = !visible(row);
    rows.unshift(row);
    list.prepend(li);
    while (rows.length > kept) rows.pop()?.li.remove();
  };

  const take = (/** @type {MessageEvent} */ m) => {
    if (seen.has(m.lastEventId)) return;
    seen.add(m.lastEventId);
    if (seen.size > 4 * kept) seen.delete(seen.values().next().value);
    const e = JSON.parse(m.data);
    if (pause.getAttribute("aria-pressed") === "true") {
      held.push(e);
      if (held.length > kept) held.shift();
    } else show(e);
    tell();
  };

  const stream = new EventSource(`${api}/events?backlog=${kept / 2}`);
  for (const kind of ["event", "discard", "unresolved"]) stream.addEventListener(kind, take);
  stream.addEventListener("dropped", (m) => {
    const n = JSON.parse(m.data).dropped - missed;
    missed += n;
    list.prepend(el("li", "gap", `${n} more events came faster than this page could show them.`));
  });
  stream.addEventListener("open", () => { connected = true; missed = 0; tell(); });
  stream.addEventListener("error", () => { connected = false; tell(); });

  const sift = () => { for (const r of rows) r.li.hidden = !visible(r); tell(); };
  filter.addEventListener("input", sift);
  only.addEventListener("change", sift);
  pause.addEventListener("click", () => {
    const on = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(on));
    pause.textContent = on ? "Resume" : "Pause";
    if (!on) { held.forEach(show); held = []; }
    tell();
  });
  clear.addEventListener("click", () => { rows = []; held = []; list.replaceChildren(); tell(); });
}

/** A form that was saved leads back here: wait for what it made to go live. */
async function afterSave() {
  if (!api || one("#strip")?.getAttribute("data-state") !== "building") return;
  const b = await call("/bundle");
  if (b.state === "building") await follow(b.wanted, "Saved");
  else showBundle(b);
}

switches();
copies();
conditions();
live();
afterSave().catch(() => {}); // the page says what it knew when it was made
