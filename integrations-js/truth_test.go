package integrations_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/dop251/goja"

	"github.com/tagmill/tagmill/bundler"
	integrations "github.com/tagmill/tagmill/integrations-js"
	runtimejs "github.com/tagmill/tagmill/runtime-js"
)

// A manifest is only worth something if the code keeps to it. These tests run
// each browser.ts and compare what it does with what its manifest says: which
// settings it reads, which scripts it asks for, which budget it keeps.

func TestCodeKeepsToItsManifest(t *testing.T) {
	c, err := integrations.Open()
	if err != nil {
		t.Fatal(err)
	}
	for _, lie := range lies(t, c, integrations.FS) {
		t.Error(lie)
	}
}

func TestLyingCodeIsCaught(t *testing.T) {
	manifest := func(hosts, settings string) string {
		return `{"slug":"liar","name":"Liar","aliases":[],"description":"d","docsUrl":"https://x.example","category":"analytics","consent":"analytics",
			"status":"beta","modes":["browser"],"hosts":{"script":[` + hosts + `]},"cookies":[],"pageview":"none","settings":[` + settings + `],"budgetBytes":300,"verified":{"sdk":"fake"}}`
	}
	const token = `{"key":"token","label":"Token","type":"string","required":true,"scope":"browser","testValue":"abc"}`
	const code = `export default (settings, env) => ({ load() { return env.script('https://cdn.liar.example/' + settings.token) } })`
	for name, test := range map[string]struct{ manifest, code, want string }{
		"honest":          {manifest(`"https://cdn.liar.example"`, token), code, ""},
		"wildcard":        {manifest(`"https://*.liar.example"`, token), code, ""},
		"missing host":    {manifest(`"https://other.example"`, token), code, "liar/manifest.json: hosts.script: does not have https://cdn.liar.example"},
		"near miss":       {manifest(`"https://*.cdn.liar.example"`, token), code, "liar/manifest.json: hosts.script: does not have"},
		"unused setting":  {manifest(`"https://cdn.liar.example"`, token+`,{"key":"extra","label":"E","type":"bool","scope":"browser","testValue":true}`), code, "liar/manifest.json: settings (extra): browser.ts never reads it"},
		"unknown setting": {manifest(`"https://cdn.liar.example"`, ""), code, "liar/browser.ts: reads settings.token, which the manifest does not have"},
		"server setting":  {manifest(`"https://cdn.liar.example"`, `{"key":"token","label":"T","type":"string","scope":"server","testValue":"abc"}`), code, "liar/browser.ts: reads settings.token, which the manifest does not have"},
		"no script":       {manifest(`"https://cdn.liar.example"`, token), `export default (settings) => ({ load() { settings.token } })`, "liar/browser.ts: asks for no script"},
	} {
		fsys := fstest.MapFS{"liar/manifest.json": {Data: []byte(test.manifest)}, "liar/browser.ts": {Data: []byte(test.code)}}
		c, err := integrations.Load(fsys)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := strings.Join(lies(t, c, fsys), "\n")
		if test.want == "" && found != "" || !strings.Contains(found, test.want) {
			t.Errorf("%s: found %q, want %q", name, found, test.want)
		}
	}
}

// lies runs every integration under its test values, its defaults and each
// value of each enum, makes every call, and says where code and manifest differ.
func lies(t *testing.T, c *integrations.Catalog, fsys fs.FS) []string {
	t.Helper()
	var found []string
	for _, m := range c.Manifests() {
		read, scripts := map[string]bool{}, 0
		for _, values := range variations(m) {
			public, err := c.Public(m.Slug, values)
			if err != nil {
				t.Fatal(err)
			}
			seen := watch(t, fsys, m.Slug, public)
			for _, key := range seen.Read {
				read[key] = true
			}
			scripts += len(seen.Scripts)
			for _, src := range seen.Scripts {
				if u, err := url.Parse(src); err != nil || !allows(c.Hosts(m.Slug, values)["script"], u) {
					found = append(found, fmt.Sprintf("%s/manifest.json: hosts.script: does not have https://%s, which browser.ts loads %s from", m.Slug, u.Host, src))
				}
			}
		}
		for _, f := range m.Settings {
			if f.Scope != "server" && !read[f.Key] {
				found = append(found, fmt.Sprintf("%s/manifest.json: settings (%s): browser.ts never reads it", m.Slug, f.Key))
			}
			if f.Scope != "server" {
				delete(read, f.Key)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(read)) {
			found = append(found, fmt.Sprintf("%s/browser.ts: reads settings.%s, which the manifest does not have for a browser", m.Slug, key))
		}
		if scripts == 0 {
			found = append(found, m.Slug+"/browser.ts: asks for no script")
		}
	}
	return found
}

// variations are the settings worth running under.
func variations(m *integrations.Manifest) []map[string]any {
	full, least := map[string]any{}, map[string]any{}
	for _, f := range m.Settings {
		full[f.Key] = f.TestValue
		if f.Required {
			least[f.Key] = f.TestValue
		}
	}
	all := []map[string]any{full, least}
	for _, f := range m.Settings {
		for _, v := range f.Enum {
			one := maps.Clone(full)
			one[f.Key] = v
			all = append(all, one)
		}
	}
	return all
}

func allows(hosts []string, u *url.URL) bool {
	return slices.ContainsFunc(hosts, func(h string) bool {
		if suffix, ok := strings.CutPrefix(h, "https://*."); ok {
			return u.Scheme == "https" && strings.HasSuffix(u.Host, "."+suffix)
		}
		return h == u.Scheme+"://"+u.Host
	})
}

// sighting is what one integration did.
type sighting struct{ Read, Scripts []string }

// watcher is a runtime that only watches: settings behind a proxy that notes
// what is read, a page where everything exists, scripts that load at once.
const watcher = `
export function start(config: any, factories: any) {
  const read = new Set<string>(), scripts: string[] = [];
  const anything: any = new Proxy(function () {}, { get: (o: any, k) => (k in o ? o[k] : anything), apply: () => anything, construct: () => anything });
  const settings = new Proxy(config.destinations[0].settings, { get(o: any, k: any) { read.add(k); return o[k]; } });
  const env = {
    w: anything, d: anything, track() {}, until: () => Promise.resolve(),
    user: () => ({ anonymousId: 'a', traits: {} }),
    script: (src: string) => { scripts.push(src); return Promise.resolve(); },
  };
  const it = factories[config.destinations[0].slug](settings, env);
  const base = { messageId: 'm', timestamp: '2026-01-02T03:04:05.678Z', anonymousId: 'a', userId: 'u', context: {}, options: {} };
  const properties = { products: [{ product_id: 'p', price: 1 }], revenue: 2, order_id: 'o', url: 'https://x.example/' };
  const call = (type: string, more: any) => { if (it[type]) it[type](Object.assign({ type }, base, more)); };
  Promise.resolve(it.load()).then(() => {
    for (const type of ['page', 'screen']) call(type, { name: 'n', category: 'c', properties });
    call('track', { event: 'Order Completed', properties });
    call('identify', { traits: { email: 'e', plan: 'p' } });
    call('group', { groupId: 'g', traits: {} });
    call('alias', { previousId: 'a' });
    if (it.reset) it.reset();
  }).then(() => { (globalThis as any).seen = JSON.stringify({ Read: [...read], Scripts: scripts }); },
          (e) => { (globalThis as any).failed = String(e && e.stack || e); });
}`

func watch(t *testing.T, fsys fs.FS, slug string, settings json.RawMessage) (seen sighting) {
	t.Helper()
	runtime := fstest.MapFS{"start.ts": {Data: []byte(watcher)}, "types.ts": {Data: []byte("export {}")}}
	kit, err := fs.Glob(runtimejs.FS, "kit/*.ts")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range kit {
		data, err := runtimejs.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		runtime[name] = &fstest.MapFile{Data: data}
	}
	runtime["types.ts"].Data, err = runtimejs.FS.ReadFile("types.ts")
	if err != nil {
		t.Fatal(err)
	}
	b := bundler.New(bundler.Sources{Runtime: runtime, Integrations: fsys})
	bundle, err := b.Build(bundler.Input{WriteKey: "k", Collector: "https://c.example/v1",
		Destinations: []bundler.Destination{{ID: "d", Slug: slug, Names: []string{slug}, Settings: settings}}})
	if err != nil {
		t.Fatal(err)
	}
	vm := goja.New()
	if _, err := vm.RunString("var window = globalThis"); err != nil {
		t.Fatal(err)
	}
	if _, err := vm.RunString(string(bundle.JS)); err != nil {
		t.Fatalf("%s: %v", slug, err)
	}
	if failed := vm.Get("failed"); failed != nil {
		t.Fatalf("%s with %s: %s", slug, settings, failed)
	}
	if err := json.Unmarshal([]byte(vm.Get("seen").String()), &seen); err != nil {
		t.Fatalf("%s: %v", slug, err)
	}
	return seen
}
