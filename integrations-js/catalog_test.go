package integrations

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tagmill/tagmill/settings"
)

var _ settings.Catalog = (*Catalog)(nil)

func open(t *testing.T) *Catalog {
	t.Helper()
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fixture is a valid manifest, edited. Numbers are float64, as JSON has them.
func fixture(edit func(map[string]any)) map[string]any {
	m := map[string]any{
		"slug": "acme", "name": "Acme", "aliases": []any{"Acme Analytics"}, "description": "For tests.",
		"docsUrl": "https://acme.example/docs", "category": "analytics", "consent": "analytics", "status": "beta",
		"modes": []any{"browser"}, "hosts": map[string]any{"script": []any{"https://cdn.acme.example"}, "connect": []any{"{origin}"}},
		"cookies":  []any{map[string]any{"name": "_acme", "purpose": "visitor", "ttl": "1 year"}},
		"pageview": "none", "budgetBytes": 300.0, "verified": map[string]any{"sdk": "fake"},
		"settings": []any{
			map[string]any{"key": "token", "label": "Token", "type": "string", "required": true, "pattern": "^[a-f]{4}$", "scope": "browser", "testValue": "abcd"},
			map[string]any{"key": "secret", "label": "Secret", "type": "string", "scope": "server", "secret": true, "testValue": "test-secret"},
			map[string]any{"key": "note", "label": "Note", "type": "string", "scope": "server", "testValue": "a note"},
			map[string]any{"key": "plan", "label": "Plan", "type": "enum", "enum": []any{"free", "paid"}, "default": "free", "scope": "browser", "testValue": "paid"},
			map[string]any{"key": "seats", "label": "Seats", "type": "number", "min": 1.0, "max": 9.0, "showIf": map[string]any{"plan": "paid"}, "required": true, "scope": "both", "testValue": 3.0},
			map[string]any{"key": "tags", "label": "Tags", "type": "list", "pattern": "^[a-z]+$", "scope": "browser", "testValue": []any{"a"}},
			map[string]any{"key": "names", "label": "Names", "type": "map", "scope": "browser", "testValue": map[string]any{"a": "b"}},
			map[string]any{"key": "loud", "label": "Loud", "type": "bool", "default": true, "scope": "browser", "testValue": true},
			map[string]any{"key": "origin", "label": "Origin", "type": "string", "scope": "browser", "testValue": "https://own.example"},
		},
	}
	if edit != nil {
		edit(m)
	}
	return m
}

func setting(m map[string]any, i int) map[string]any {
	return m["settings"].([]any)[i].(map[string]any)
}

// fixtureFS holds manifests in folders named acme, acmeb, ...
func fixtureFS(manifests ...map[string]any) fs.FS {
	fsys := fstest.MapFS{}
	for i, m := range manifests {
		data, err := json.Marshal(m)
		if err != nil {
			panic(err) // a fixture is plain data
		}
		folder := "acme" + strings.Repeat("b", i)
		fsys[folder+"/manifest.json"] = &fstest.MapFile{Data: data}
		fsys[folder+"/browser.ts"] = &fstest.MapFile{Data: []byte("export default () => ({ load() {} })")}
	}
	return fsys
}

func load(t *testing.T, manifests ...map[string]any) *Catalog {
	t.Helper()
	c, err := Load(fixtureFS(manifests...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheCatalogIsWhole(t *testing.T) {
	c := open(t)
	var slugs []string
	for _, m := range c.Manifests() {
		slugs = append(slugs, m.Slug)
		for _, file := range []string{"browser.ts", "README.md"} {
			if _, err := fs.Stat(FS, m.Slug+"/"+file); err != nil {
				t.Error(err)
			}
		}
		readme, _ := FS.ReadFile(m.Slug + "/README.md")
		if unverified := strings.Contains(string(readme), "not verified against the vendor's SDK"); unverified != (m.Verified.SDK == "fake") && m.Slug != "customerio" {
			t.Errorf("%s/README.md: says not verified: %v, the manifest's verified.sdk is %s", m.Slug, unverified, m.Verified.SDK)
		}
	}
	for _, want := range []string{"chartbeat", "crazyegg", "customerio", "ga4", "intercom", "kissmetrics", "mixpanel", "olark"} {
		if !slices.Contains(slugs, want) {
			t.Errorf("slugs %v lack %s", slugs, want)
		}
	}
}

func TestNamesResolve(t *testing.T) {
	c := open(t)
	for name, want := range map[string]string{
		"mixpanel": "mixpanel", "Mixpanel": "mixpanel", "MIXPANEL": "mixpanel", "Google Analytics 4": "ga4",
		"Google Analytics 4 Web": "ga4", "Customer.io": "customerio", "Customer IO": "customerio", "KISSmetrics": "kissmetrics", "Crazy Egg": "crazyegg",
	} {
		if got, ok := c.Slug(name); !ok || got != want {
			t.Errorf("Slug(%q) = %q, %v; want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "All", "Segment.io", "mix panel", "__proto__"} {
		if got, ok := c.Slug(name); ok {
			t.Errorf("Slug(%q) = %q, want none", name, got)
		}
	}
	if got := c.Names("mixpanel"); got[0] != "mixpanel" || got[1] != "Mixpanel" {
		t.Errorf("Names = %v: slug and display name come first", got)
	}
	if c.Names("nope") != nil || c.Manifest("nope") != nil {
		t.Error("an unknown slug has names or a manifest")
	}
}

func TestAnswersAreTheCallersOwn(t *testing.T) {
	c := open(t)
	c.Names("ga4")[0] = "changed"
	c.Manifests()[0] = nil
	if c.Names("ga4")[0] != "ga4" || c.Manifests()[0] == nil {
		t.Error("a caller changed the catalog")
	}
}

func TestField(t *testing.T) {
	c := load(t, fixture(nil))
	for key, want := range map[string]struct {
		scope      string
		secret, ok bool
	}{
		"token": {"browser", false, true}, "secret": {"server", true, true}, "note": {"server", false, true},
		"seats": {"both", false, true}, "nope": {"", false, false},
	} {
		scope, secret, ok := c.Field("acme", key)
		if scope != want.scope || secret != want.secret || ok != want.ok {
			t.Errorf("Field(%q) = %q, %v, %v; want %+v", key, scope, secret, ok, want)
		}
	}
	if _, _, ok := c.Field("nope", "token"); ok {
		t.Error("an unknown slug has a field")
	}
}

// Each manifest that lies is refused with its file and the field at fault.
func TestLyingManifests(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(map[string]any)
		want string
	}{
		"unknown field":          {func(m map[string]any) { m["colour"] = "red" }, `unknown field "colour"`},
		"slug is not the folder": {func(m map[string]any) { m["slug"] = "other" }, "slug: "},
		"slug with a dash":       {func(m map[string]any) { m["slug"] = "ac-me" }, "slug: "},
		"no name":                {func(m map[string]any) { m["name"] = " " }, "name: "},
		"reserved alias":         {func(m map[string]any) { m["aliases"] = []any{"All"} }, "aliases: "},
		"repeated alias":         {func(m map[string]any) { m["aliases"] = []any{"Acme"} }, "aliases: "},
		"category":               {func(m map[string]any) { m["category"] = "misc" }, "category: "},
		"consent":                {func(m map[string]any) { m["consent"] = "" }, "consent: "},
		"no modes":               {func(m map[string]any) { m["modes"] = []any{} }, "modes: "},
		"budget":                 {func(m map[string]any) { m["budgetBytes"] = 1801 }, "budgetBytes: "},
		"no script host":         {func(m map[string]any) { m["hosts"] = map[string]any{} }, "hosts.script: "},
		"http host":              {func(m map[string]any) { m["hosts"] = map[string]any{"script": []any{"http://a.example"}} }, "hosts.script: "},
		"any host":               {func(m map[string]any) { m["hosts"] = map[string]any{"script": []any{"https://*"}} }, "hosts.script: "},
		"keyword as host":        {func(m map[string]any) { m["hosts"] = map[string]any{"script": []any{"'unsafe-inline'"}} }, "hosts.script: "},
		"host of no setting":     {func(m map[string]any) { m["hosts"] = map[string]any{"script": []any{"{nope}"}} }, "hosts.script: "},
		"host of a secret":       {func(m map[string]any) { m["hosts"] = map[string]any{"script": []any{"{secret}"}} }, "hosts.script: "},
		"unknown directive":      {func(m map[string]any) { m["hosts"].(map[string]any)["worker"] = []any{"https://a.example"} }, "hosts.worker: "},
		"cookie without purpose": {func(m map[string]any) { m["cookies"] = []any{map[string]any{"name": "a"}} }, "cookies: "},
		"npm without package":    {func(m map[string]any) { m["verified"] = map[string]any{"sdk": "npm"} }, "verified: "},
		"key twice":              {func(m map[string]any) { setting(m, 1)["key"] = "token" }, "settings[1] (token).key: "},
		"wrong pattern":          {func(m map[string]any) { setting(m, 0)["pattern"] = "^[a-$" }, "settings[0] (token).pattern: "},
		"loose pattern":          {func(m map[string]any) { setting(m, 0)["pattern"] = "[a-f]" }, "settings[0] (token).pattern: "},
		"testValue vs pattern":   {func(m map[string]any) { setting(m, 0)["testValue"] = "wxyz" }, "settings[0] (token).testValue: "},
		"testValue vs type":      {func(m map[string]any) { setting(m, 7)["testValue"] = "yes" }, "settings[7] (loud).testValue: "},
		"no testValue":           {func(m map[string]any) { delete(setting(m, 2), "testValue") }, "settings[2] (note).testValue: "},
		"default vs enum":        {func(m map[string]any) { setting(m, 3)["default"] = "gold" }, "settings[3] (plan).default: "},
		"enum without default":   {func(m map[string]any) { delete(setting(m, 3), "default") }, "settings[3] (plan).default: "},
		"secret in the browser":  {func(m map[string]any) { setting(m, 1)["scope"] = "both" }, "settings[1] (secret).scope: "},
		"secret with default":    {func(m map[string]any) { setting(m, 1)["default"] = "x" }, "settings[1] (secret).default: "},
		"required with default":  {func(m map[string]any) { setting(m, 0)["default"] = "abcd" }, "settings[0] (token).default: "},
		"showIf of nothing":      {func(m map[string]any) { setting(m, 4)["showIf"] = map[string]any{"plan": "gold"} }, "settings[4] (seats).showIf: "},
		"origin that is none":    {func(m map[string]any) { setting(m, 8)["testValue"] = "*" }, "hosts.connect: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(fixtureFS(fixture(c.edit)))
			if err == nil {
				t.Fatal("it was loaded")
			}
			if msg := err.Error(); !strings.Contains(msg, "acme/manifest.json: ") || !strings.Contains(msg, c.want) {
				t.Errorf("the error must name acme/manifest.json and %q:\n%s", c.want, msg)
			}
		})
	}
}

func TestNamesBelongToOne(t *testing.T) {
	second := func(edit func(map[string]any)) map[string]any {
		return fixture(func(m map[string]any) {
			m["slug"], m["name"], m["aliases"] = "acmeb", "Acme B", []any{}
			edit(m)
		})
	}
	for field, m := range map[string]map[string]any{
		"name: ":       second(func(m map[string]any) { m["name"] = "ACME" }),
		"aliases[0]: ": second(func(m map[string]any) { m["aliases"] = []any{"acme analytics"} }),
	} {
		_, err := Load(fixtureFS(fixture(nil), m))
		if err == nil || !strings.Contains(err.Error(), "acmeb/manifest.json: "+field) || !strings.Contains(err.Error(), "taken by acme") {
			t.Errorf("%s got %v", field, err)
		}
	}
}

func TestLoadReportsAllManifestsAtOnce(t *testing.T) {
	_, err := Load(fixtureFS(
		fixture(func(m map[string]any) { m["category"], m["status"] = "x", "y" }),
		fixture(func(m map[string]any) { m["consent"] = "z" }),
	))
	for _, want := range []string{"acme/manifest.json: category", "acme/manifest.json: status", "acmeb/manifest.json: consent", "acmeb/manifest.json: slug"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

func TestLoadNeedsCodeAndWellFormedJSON(t *testing.T) {
	fsys := fixtureFS(fixture(nil)).(fstest.MapFS)
	manifest := fsys["acme/manifest.json"]
	delete(fsys, "acme/browser.ts")
	if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), "browser.ts") {
		t.Errorf("without browser.ts: %v", err)
	}
	for _, tail := range []string{"{}", "]", "x"} {
		fsys := fstest.MapFS{"acme/manifest.json": {Data: append(slices.Clone(manifest.Data), tail...)}, "acme/browser.ts": {}}
		if _, err := Load(fsys); err == nil {
			t.Errorf("with %q behind it: loaded", tail)
		}
	}
	if c, err := Load(fstest.MapFS{}); err != nil || len(c.Manifests()) != 0 {
		t.Errorf("an empty catalog: %v", err)
	}
}
