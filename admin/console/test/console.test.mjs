// The console in Chromium, over settings in memory (e2e/console).
// SCREENSHOTS=DIR also writes every page, phone and desktop, light and dark.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-features=LocalNetworkAccessChecks",
];
const pages = ["", "/install", "/events", "/history", "/settings", "/integrations/mixpanel", "/integrations/customerio"];

let server, ready, browser, session;

before(async () => {
  server = spawn("go", ["run", "./e2e/console"], { stdio: ["ignore", "pipe", "inherit"], detached: true });
  ready = await new Promise((resolve) => server.stdout.once("data", (line) => resolve(JSON.parse(line))));
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
});

after(async () => {
  await browser?.close();
  if (server) process.kill(-server.pid, "SIGINT"); // go run and what it runs
});

/** A page that is signed in, and fails its test on any error or forbidden thing but those expected. */
async function open(t, options = {}, expected = []) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, storageState: session, ...options });
  await context.route("**", (route) => (new URL(route.request().url()).hostname === "127.0.0.1" ? route.continue() : route.abort()));
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (e) => complaints.push(e.message));
  page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
  page.on("dialog", (d) => { complaints.push(`dialog: ${d.message()}`); d.dismiss(); });
  t.after(async () => {
    await context.close();
    assert.deepEqual(complaints, expected);
  });
  return page;
}

const api = (path, init = {}) =>
  fetch(`${ready.url}/api/v1/workspaces/default/sources/website${path}`, { ...init, headers: { Authorization: `Bearer ${ready.token}`, "Content-Type": "application/json" } });
const emit = (value, Discard = false) => fetch(`${ready.url}/test/event`, { method: "POST", body: JSON.stringify({ Discard, Value: value }) });
const source = "/default/website";
const refused = (status) => [`Failed to load resource: the server responded with a status of ${status}`];

test("the link in the terminal signs in, once", async (t) => {
  const page = await open(t);
  await page.goto(ready.link);
  await page.keyboard.press("Enter"); // the button has the focus
  await page.waitForURL(`${ready.url}/`);
  session = await page.context().storageState();
  assert.equal(session.cookies[0].httpOnly, true);
  assert.equal(session.cookies[0].sameSite, "Strict");
  assert.equal(await page.evaluate(() => document.cookie), "");
});

test("a flip is live without a reload", async (t) => {
  const page = await open(t);
  await page.goto(ready.url + source);
  const before = Number(await page.locator("#strip [data-s=revision]").textContent());
  await page.getByRole("switch", { name: "Intercom" }).click();
  await page.locator("#toast.show").filter({ hasText: /Intercom on\. Live in \d+ ms/ }).waitFor();
  assert.equal(Number(await page.locator("#strip [data-s=revision]").textContent()), before + 1);
  assert.match(await page.locator("#lines").textContent(), /Intercom/);
  assert.equal(await page.getByRole("switch", { name: "Intercom" }).getAttribute("aria-checked"), "true");
  // From the keyboard, back again.
  await page.getByRole("switch", { name: "Intercom" }).focus();
  await page.keyboard.press("Space");
  await page.locator("#toast.show").filter({ hasText: "Intercom off" }).waitFor();
  assert.doesNotMatch(await page.locator("#lines").textContent(), /Intercom/);
});

test("a revision that cannot go live is said, and the last good one stays", async (t) => {
  const page = await open(t);
  await page.goto(ready.url + source);
  await fetch(`${ready.url}/test/fail?why=${encodeURIComponent("intercom: <b>load</b> threw")}`, { method: "POST" });
  await page.getByRole("switch", { name: "Intercom" }).click();
  await page.locator("#failure").filter({ hasText: "intercom: <b>load</b> threw" }).waitFor();
  await fetch(`${ready.url}/test/fail?why=`, { method: "POST" });
  await page.getByRole("switch", { name: "Intercom" }).click();
  await page.locator("#toast.show").filter({ hasText: "Intercom off" }).waitFor();
  assert.equal(await page.locator("#failure").isVisible(), false);
});

test("a form says what is wrong beside the field, and hides what does not apply", async (t) => {
  const page = await open(t, {}, refused("422 (Unprocessable Entity)"));
  await page.goto(`${ready.url}${source}`);
  await page.getByRole("link", { name: "Set up Customer.io" }).click();
  assert.equal(await page.getByLabel("Site ID").isVisible(), true);
  await page.getByLabel("Generation").selectOption("cdp");
  assert.equal(await page.getByLabel("Site ID").isVisible(), false);
  await page.getByLabel("Generation").selectOption("journeys");
  const answer = page.waitForResponse((r) => r.request().method() === "POST");
  await page.getByRole("button", { name: "Switch on" }).click();
  assert.equal((await answer).status(), 422);
  await page.locator(".field .wrong").filter({ hasText: "required" }).waitFor();
});

test("live events: as they come, filtered, paused, expanded", async (t) => {
  const page = await open(t);
  await page.goto(`${ready.url}${source}/events`);
  await page.locator("#live-list li").first().waitFor();
  await emit({ type: "track", event: "Needle", userId: "u9", properties: { haystack: 7 } });
  const needle = page.locator("#live-list li").filter({ hasText: "Needle" });
  await needle.waitFor();
  await needle.locator("summary").click();
  await needle.locator("pre").filter({ hasText: '"haystack": 7' }).waitFor();
  await page.getByLabel("Filter events").fill("needle");
  assert.equal(await page.locator("#live-list li:visible").count(), 1);
  await page.getByLabel("Filter events").fill("");
  await emit({ code: "skew_too_large" }, true);
  await page.locator("#live-list li").filter({ hasText: "skew_too_large" }).waitFor();
  await page.getByLabel("Discarded only").check();
  assert.equal(await needle.isVisible(), false);
  await page.getByLabel("Discarded only").uncheck();
  await page.getByRole("button", { name: "Pause" }).click();
  await emit({ type: "track", event: "While paused" });
  await page.locator("#live-state").filter({ hasText: "waiting" }).waitFor();
  assert.equal(await page.locator("#live-list li").filter({ hasText: "While paused" }).count(), 0);
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator("#live-list li").filter({ hasText: "While paused" }).waitFor();
});

test("a visitor's values are text, whatever they are", async (t) => {
  const page = await open(t);
  await page.goto(`${ready.url}${source}/events`);
  const evil = `<img src=x onerror=alert(1)><script>alert(2)</script>\u2028"'`;
  for (const value of [
    { type: evil, event: evil, userId: evil, traits: { [evil]: evil } },
    { type: "identify", traits: { email: evil, __proto__: { a: 1 }, constructor: evil } },
    { type: "page", name: { toString: "x" }, context: { page: { path: [evil] } } },
    { type: null, event: 12, userId: { deep: [evil] }, anonymousId: [] },
    evil, null, 7, [evil],
  ]) {
    await emit(value);
    await emit(value, true);
  }
  await emit({ code: evil, event: evil }, true);
  await emit({ type: "track", event: "The last one" });
  await page.locator("#live-list li").filter({ hasText: "The last one" }).waitFor();
  for (const details of await page.locator("#live-list summary").all()) await details.click({ noWaitAfter: true });
  assert.equal(await page.locator("#live-list img, #live-list script").count(), 0);
  assert.ok((await page.locator("#live-list li").filter({ hasText: "onerror=alert(1)" }).count()) > 8);
});

test("a customer's values are text, whatever they are", async (t) => {
  const page = await open(t);
  const evil = `"'><img src=x onerror=alert(1)><script>alert(2)</script>`;
  assert.equal((await api("", { method: "PATCH", body: JSON.stringify({ name: evil }) })).status, 200);
  for (const path of pages) {
    await page.goto(ready.url + source + path);
    assert.equal(await page.locator("h1").textContent(), evil, path);
  }
  assert.equal((await api("", { method: "PATCH", body: JSON.stringify({ name: "Website" }) })).status, 200);
});

test("without JavaScript everything but live events works", async (t) => {
  const page = await open(t, { javaScriptEnabled: false });
  await page.goto(ready.url + source);
  await page.locator('[aria-label="Intercom"]').click();
  await page.locator(".note", { hasText: "Switched on." }).waitFor();
  await page.locator('[aria-label="Intercom"]').click();
  await page.locator(".note", { hasText: "Switched off." }).waitFor();
  await page.goto(`${ready.url}${source}/history`);
  await page.locator(".history li:nth-child(2) button").click();
  await page.locator(".note", { hasText: "Went back." }).waitFor();
  await page.goto(`${ready.url}${source}/events`);
  await page.getByText("tagmill events tail website").waitFor();
});

test("the keyboard reaches everything, and nothing is wider than a phone", async (t) => {
  const page = await open(t, { viewport: { width: 375, height: 812 } });
  await page.goto(ready.url + source);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  for (const path of pages) {
    await page.goto(ready.url + source + path);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, `${path} scrolls sideways`);
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll("button, a, input:not([type=hidden]), select, textarea")]
        .filter((e) => !e.textContent.trim() && !e.getAttribute("aria-label") && !e.labels?.length).map((e) => e.outerHTML));
    assert.deepEqual(nameless, [], path);
  }
});

test("a page of another origin can do nothing", async (t) => {
  const page = await open(t, {}, refused("403 (Forbidden)"));
  await page.goto(`${ready.url}/api/v1/openapi.json`);
  const other = `http://localhost:${new URL(ready.url).port}`; // another origin to a browser, an own name to us
  const context = page.context();
  await context.route(`${other}/stranger`, (route) => route.fulfill({ contentType: "text/html", body: `<form method="post" action="${ready.url}${source}/delete"><input name="confirm" value="website"><button>go</button></form>` }));
  await context.unroute("**");
  await page.goto(`${other}/stranger`);
  const answer = page.waitForResponse((r) => r.request().method() === "POST");
  await page.getByRole("button").click();
  assert.equal((await answer).status(), 403);
  assert.equal((await api("")).status, 200);
});

if (process.env.SCREENSHOTS) {
  test("screenshots", async (t) => {
    for (const width of [1280, 375]) {
      for (const colorScheme of ["light", "dark"]) {
        const page = await open(t, { viewport: { width, height: 900 }, colorScheme });
        for (const path of ["home", ...pages]) {
          await page.goto(ready.url + (path === "home" ? "/" : source + path));
          if (path === "/events") await page.locator("#live-list li").first().waitFor();
          const name = path.replaceAll("/", "-").replace(/^-/, "") || "integrations";
          await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: true });
        }
      }
    }
  });
}
