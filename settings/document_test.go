package settings_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tagmill/tagmill/settings"
	"github.com/tagmill/tagmill/settings/storetest"
)

// apply does what the server does with a file.
func (d *desk) apply(text string, prune bool) (*settings.Edit, error) {
	doc, err := settings.ParseDocument([]byte(text))
	if err != nil {
		return nil, err
	}
	changes, err := doc.Plan(d.snap, d.Catalog, prune)
	if err != nil {
		return nil, err
	}
	e, err := d.try(changes...)
	if err != nil {
		return nil, doc.Locate(err)
	}
	return e, nil
}

func (d *desk) mustApply(text string, prune bool) []string {
	d.Helper()
	before := d.snap
	e, err := d.apply(text, prune)
	if err != nil {
		d.Fatalf("%v\n%s", err, text)
	}
	d.snap = e.Next
	return settings.Compare(before, d.snap)
}

func (d *desk) export() string {
	d.Helper()
	text, err := settings.Export(d.snap, d.Catalog).YAML()
	if err != nil {
		d.Fatal(err)
	}
	return string(text)
}

const example = `version: 1
workspaces:
  default:
    name: Default
    options:
      bots: drop
    sources:
      website:
        name: Website
        writeKeys:
          - key: web-key
            environment: production
          - key: web-staging
            environment: staging
        options:
          caching:
            maxAge: 300
            sMaxAge: 60
            staleWhileRevalidate: 30
            staleIfError: 86400
          allowedOrigins:
            - https://*.shop.example
        destinations:
          intercom:
            enabled: false
            mode: browser
            settings:
              appId: abc
          mixpanel:
            enabled: true
            mode: both
            settings:
              apiSecret: ${env:MIXPANEL_SECRET}
              events:
                - Order Completed
              people: true
              sample: 12
              token: "12345"
          mixpanel:eu:
            enabled: true
            mode: browser
            settings:
              token: ye s
`

func TestExportIsWhatWasApplied(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	text := strings.Replace(example, "ye s", "yes", 1)
	got := d.mustApply(text, false)
	want := []string{
		`default: renamed to "Default"; bots changed`,
		`default/website: renamed to "Website"; staging key web-stag… added; caching changed; allowed origins changed; ` +
			`intercom added, switched off; mixpanel switched on; mixpanel:eu switched on`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("changed\n%s", strings.Join(got, "\n"))
	}
	if strings.Contains(d.export(), `token: yes`) {
		text = strings.Replace(text, "token: yes", `token: yes`, 1)
	} else {
		text = strings.Replace(text, "token: yes", `token: "yes"`, 1)
	}
	if d.export() != text {
		t.Errorf("exported\n%s\nwant\n%s", d.export(), text)
	}
	if again := d.mustApply(d.export(), true); len(again) > 0 {
		t.Errorf("applying the export changed %q", again)
	}
	// The same on an empty store, write keys and all.
	other := &desk{T: t, Editor: d.Editor, snap: settings.NewSnapshot(0, nil, nil)}
	other.mustApply(text, true)
	if other.export() != text {
		t.Errorf("a copy exports\n%s", other.export())
	}
}

func TestDocumentMistakesAllAtOnce(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	check := func(text string, want ...string) {
		t.Helper()
		_, err := d.apply(text, false)
		var invalid *settings.Invalid
		if !errors.As(err, &invalid) {
			t.Errorf("got %v\n%s", err, text)
			return
		}
		var got []string
		for _, p := range invalid.Problems {
			got = append(got, strings.TrimPrefix(fmt.Sprintf("%d %s: %s", p.Line, p.Path, p.Message), "0 : "))
		}
		ok := len(got) == len(want)
		for i := range want {
			ok = ok && strings.Contains(got[i], want[i])
		}
		if !ok {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	check("", "document is empty")
	check("workspaces: [", "1 : did not find expected node content")
	check("version: 1\nworkspaces:\n  a: b: c\n", "3 : mapping values are not allowed")
	check("version: 2\n", "version is 2, this program reads version 1")
	check("workspaces: {}\n---\nworkspaces: {}\n", "more than one YAML document")
	check("workspaces:\n  default: {}\n  default: {}\n", "3 : mapping key \"default\" already defined at line 2")
	check(`workspaces:
  default:
    nmae: x
    sources:
      website:
        writeKeys: web-key
        options: {caching: {maxage: 1}, spa: yes please}
        destinations:
          mixpanel: {enabled: sometimes, setings: {}}
`,
		`3 : "nmae" is not known here: there is name, options, sources`,
		`6 : is a text here, must be a list`,
		`7 : "maxage" is not known here: there is maxAge, sMaxAge`,
		`7 : is a text here, must be a bool`,
		`9 : is a text here, must be a bool`,
		`9 : "setings" is not known here: there is enabled, mode, settings`,
	)
	check(strings.Replace(strings.Replace(strings.Replace(example,
		"bots: drop", "bots: eat", 1),
		"sample: 12", "sample: many\n              since: 2020-01-01", 1),
		"intercom:", "intercomm:", 1),
		`6 workspaces.default.options.bots: "eat" is none of`,
		`24 workspaces.default.sources.website.destinations.intercomm: integration "intercomm" is not in the catalog`,
		`38 workspaces.default.sources.website.destinations.mixpanel.settings.since: was read as a date`,
		`37 workspaces.default.sources.website.destinations.mixpanel.settings.sample: must be a number`,
		`44 workspaces.default.sources.website.destinations.mixpanel:eu.settings.token: "ye s" has a space`,
	)
	check(`workspaces:
  default:
    sources:
      website:
        writeKeys: [{key: a}, {key: a}, {environment: staging}]
        destinations:
          mixpanel: {settings: {token: a}}
          MP: {settings: {token: b}}
`,
		"5 workspaces.default.sources.website.writeKeys[1]: key \"a\" is listed twice",
		"5 workspaces.default.sources.website.writeKeys[2]: has no key",
		`7 workspaces.default.sources.website.destinations.mixpanel: is the same destination as "MP"`,
	)
	check(strings.Repeat("#", 9<<20), "at most")
}

func TestPlanWithoutPruneDeletesNothing(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	d.do(
		mixpanel("apiSecret", "x"), put("intercom", map[string]any{"appId": "x"}),
		settings.AddKey{Workspace: "default", Source: "website", Key: "second"},
		settings.CreateSource{Workspace: "default", Slug: "other", WriteKey: "other-key"},
		options(settings.Options{Bots: "drop"}),
	)
	const text = `
workspaces:
  default:
    sources:
      website:
        writeKeys: [{key: web-key}]
        destinations:
          Mixpanel: {}
`
	if got := d.mustApply(text, false); len(got) > 0 {
		t.Errorf("changed %q", got)
	}
	got := d.mustApply(text, true)
	want := []string{
		"default/other: source deleted",
		"default/website: production key second retired; bots changed; intercom removed",
	}
	if !slices.Equal(got, want) {
		t.Errorf("pruned %q, want %q", got, want)
	}
	if ref, isRef := settings.Ref(d.site().Destinations[0].Settings["apiSecret"]); !isRef || ref == "" {
		t.Error("the kept destination lost its secret")
	}
}

// In Git, renaming a source is a removal and an addition: the key goes along.
func TestPruneLetsAKeyMove(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	const text = "workspaces: {default: {sources: {shop: {writeKeys: [{key: web-key}]}}}}"
	if _, err := d.apply(text, false); !errors.Is(err, settings.ErrConflict) {
		t.Errorf("without prune the key is taken: %v", err)
	}
	d.mustApply(text, true)
	if src := d.snap.SourceByKey("web-key"); src == nil || src.Slug != "shop" {
		t.Errorf("the key finds %+v", src)
	}
}

func TestExportedSecretNames(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	eu := mixpanel("apiSecret", "two")
	eu.Name = "eu"
	d.do(
		mixpanel("apiSecret", "one"), eu,
		settings.CreateSource{Workspace: "default", Slug: "a-b"}, settings.CreateSource{Workspace: "default", Slug: "a"},
		settings.PutDestination{Workspace: "default", Source: "a", Integration: "mixpanel", Settings: map[string]any{"token": "t", "apiSecret": "three"}},
	)
	text := d.export()
	for _, name := range []string{"TAGMILL_SECRET_DEFAULT_WEBSITE_MIXPANEL_API_SECRET}", "TAGMILL_SECRET_DEFAULT_WEBSITE_MIXPANEL_EU_API_SECRET}", "TAGMILL_SECRET_DEFAULT_A_MIXPANEL_API_SECRET}"} {
		if strings.Count(text, "${env:"+name) != 1 {
			t.Errorf("%s is not once in\n%s", name, text)
		}
	}
	for _, plain := range []string{"one", "two", "three", "sec_", "$secret"} {
		if strings.Contains(text, plain) {
			t.Errorf("%q is in\n%s", plain, text)
		}
	}
	if got := d.mustApply(text, true); len(got) > 0 {
		t.Errorf("applying it changed %q", got)
	}
	// Elsewhere the names are variables, which must be set there.
	other := &desk{T: t, Editor: d.Editor, snap: settings.NewSnapshot(0, nil, nil)}
	other.Env = func(string) (string, bool) { return "", false }
	if _, err := other.apply(text, false); err == nil || !strings.Contains(err.Error(), "TAGMILL_SECRET_DEFAULT_WEBSITE_MIXPANEL_EU_API_SECRET is not set") {
		t.Errorf("got %v", err)
	}
}

func TestExportRoundTrips(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := newDesk(t, storetest.TestCatalog())
		text := rapid.Custom(func(rt *rapid.T) string {
			// No spaces: the catalog refuses them.
			return strings.ReplaceAll(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
				"null", "~", "yes", "0x1f", "1e3", "2020-01-01", "- a", "a: b", "#", "''", `"`, "|", ">", "!!int", "&a", "*a", "<<", "\u2028", "</script>", "\t", "\n", "\r\n", "\u0085", "\ufeff", "${env", "=", "%",
			})).Draw(rt, "text"), " ", "_")
		})
		for range rapid.IntRange(1, 4).Draw(rt, "destinations") {
			values := map[string]any{"token": "t" + text.Draw(rt, "token")}
			if rapid.Bool().Draw(rt, "list") {
				values["events"] = []any{text.Draw(rt, "event"), rapid.Float64Range(-1e300, 1e300).Draw(rt, "number"), rapid.Int64Range(-1<<53, 1<<53).Draw(rt, "int"), nil, true}
			}
			if rapid.Bool().Draw(rt, "map") {
				values["rename"] = map[string]any{text.Draw(rt, "key"): text.Draw(rt, "value"), "nested": map[string]any{"a": []any{}}}
			}
			if rapid.Bool().Draw(rt, "secret") {
				values["apiSecret"] = "s" + text.Draw(rt, "secret text")
			}
			c := put("mixpanel", values)
			c.Name = rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,3}|`).Draw(rt, "name")
			c.Enabled = rapid.Bool().Draw(rt, "enabled")
			if e, err := d.try(c); err == nil {
				d.snap = e.Next
			} else if rt.Logf("%v", err); !errors.As(err, new(*settings.Invalid)) {
				rt.Fatal(err)
			}
		}
		if o := rapid.SampledFrom([]*settings.Options{nil, {Bots: "drop"}, {SPA: new(false), Caching: &settings.Caching{}}}).Draw(rt, "options"); o != nil {
			d.do(options(*o))
		}
		first := d.export()
		if got := d.mustApply(first, true); len(got) > 0 {
			rt.Fatalf("applying an export changed %q\n%s", got, first)
		}
		other := &desk{T: t, Editor: d.Editor, snap: settings.NewSnapshot(0, nil, nil)}
		other.mustApply(first, true)
		if second := other.export(); second != first {
			rt.Fatalf("a copy exports\n%s\nwant\n%s", second, first)
		}
		if a, b := publicText(rt, d), publicText(rt, other); a != b {
			rt.Fatalf("a copy publishes\n%s\nwant\n%s", b, a)
		}
	})
}

func publicText(t rapid.TB, d *desk) string {
	t.Helper()
	list, err := settings.Public(d.site(), d.Catalog)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		list[i].ID = "" // another in each store
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestJSONIsADocumentToo(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	got := d.mustApply("{\n\t\"workspaces\": {\"default\": {\"sources\": {\"website\": {\"destinations\": {\"intercom\": {\"settings\": {\"appId\": \"x\\u2028\"}}}}}}}\n}", false)
	if !slices.Equal(got, []string{"default/website: intercom switched on"}) {
		t.Errorf("changed %q", got)
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("workspaces: &w {default: {sources: *w}}"))
	f.Add([]byte("workspaces: {default: {sources: {website: {destinations: {mixpanel: {settings: {<<: {token: a}, ? [a]: b}}}}}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDesk(t, storetest.TestCatalog())
		e, err := d.apply(string(bytes.ToValidUTF8(data, nil)), true)
		if err != nil {
			return
		}
		// What was taken is whole: it exports, and the export changes nothing.
		d.snap = e.Next
		if got := d.mustApply(d.export(), true); len(got) > 0 {
			t.Errorf("applying the export changed %q", got)
		}
	})
}

// The example that people will copy.
func TestDocumentedExampleWorks(t *testing.T) {
	page, err := os.ReadFile("../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```yaml\n")
	text, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("docs/settings.md has no example")
	}
	d := newDesk(t, storetest.TestCatalog())
	d.mustApply(text, true)
	if got := d.snap.SourceByKey("my-staging-key"); got == nil || got.Options.Caching.SMaxAge != 60 || len(got.Destinations) != 2 {
		t.Errorf("made %+v", got)
	}
}
