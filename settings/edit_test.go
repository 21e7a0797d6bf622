package settings_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tagmill/tagmill/settings"
	"github.com/tagmill/tagmill/settings/storetest"
)

// desk applies changes to a snapshot in memory, as an engine would to its own.
type desk struct {
	*testing.T
	settings.Editor
	snap *settings.Snapshot
	past map[string]*settings.Revision
}

func newDesk(t *testing.T, c settings.Catalog) *desk {
	t.Helper()
	sealer, err := settings.NewSealer(storetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{T: t, snap: settings.NewSnapshot(0, nil, nil), past: map[string]*settings.Revision{}, Editor: settings.Editor{
		Catalog: c, Sealer: sealer, Now: func() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) },
	}}
	d.do(settings.CreateWorkspace{Slug: "default"}, settings.CreateSource{Workspace: "default", Slug: "website", WriteKey: "web-key"})
	return d
}

func (d *desk) try(changes ...settings.Change) (*settings.Edit, error) {
	return d.Edit(d.snap, "tester", func(id string, n int64) (*settings.Revision, error) {
		if r := d.past[fmt.Sprint(id, n)]; r != nil {
			return r, nil
		}
		return nil, settings.ErrNotFound
	}, changes...)
}

func (d *desk) do(changes ...settings.Change) *settings.Edit {
	d.Helper()
	e, err := d.try(changes...)
	if err != nil {
		d.Fatal(err)
	}
	d.snap = e.Next
	for _, r := range e.Revisions {
		d.past[fmt.Sprint(r.SourceID, r.Number)] = &r
	}
	return e
}

func (d *desk) site() *settings.Source { return d.snap.Source("default", "website") }

// wrong returns the one problem that changes have.
func (d *desk) wrong(changes ...settings.Change) settings.Problem {
	d.Helper()
	_, err := d.try(changes...)
	var invalid *settings.Invalid
	if !errors.As(err, &invalid) || len(invalid.Problems) != 1 {
		d.Errorf("%+v: got %v, want one problem", changes, err)
		return settings.Problem{}
	}
	return invalid.Problems[0]
}

func put(integration string, values map[string]any) settings.PutDestination {
	return settings.PutDestination{Workspace: "default", Source: "website", Integration: integration, Enabled: true, Settings: values}
}

func mixpanel(key string, value any) settings.PutDestination {
	return put("mixpanel", map[string]any{"token": "t", key: value})
}

func TestBadInputIsNamed(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	d.Rules.ReservedEnv = []string{"TAGMILL_ADMIN_TOKEN"}
	d.Env = func(name string) (string, bool) { return "x", name == "THERE" || name == "TAGMILL_ADMIN_TOKEN" }
	deep := any("x")
	for range 20 {
		deep = []any{deep}
	}
	long := strings.Repeat("x", 70_000)
	for _, c := range []struct {
		change      settings.Change
		path, words string
	}{
		{settings.CreateWorkspace{Slug: "Über"}, "slug", "lower-case letter"},
		{settings.CreateWorkspace{Slug: ""}, "slug", "is missing"},
		{settings.CreateWorkspace{Slug: strings.Repeat("a", 64)}, "slug", "at most 63"},
		{settings.CreateSource{Workspace: "default", Slug: "new"}, "slug", "reserved"},
		{settings.CreateSource{Workspace: "default", Slug: "x", Name: "a\x00b"}, "name", "control"},
		{settings.CreateSource{Workspace: "default", Slug: "x", Name: strings.Repeat("é", 101)}, "name", "longer than 100"},
		{settings.CreateSource{Workspace: "default", Slug: "x", WriteKey: "a/b"}, "writeKey", `"a/b"`},
		{settings.CreateSource{Workspace: "default", Slug: "x", WriteKey: "__proto__"}, "writeKey", "JavaScript"},
		{settings.AddKey{Workspace: "default", Source: "website", Environment: "Prod!"}, "environment", "lower-case word"},
		{settings.AddKey{Workspace: "default", Source: "website", Key: strings.Repeat("k", 65)}, "key", "64"},
		{settings.UpdateSource{Workspace: "default", Source: "website", Name: new("  ")}, "name", "is empty"},
		{settings.PutDestination{Workspace: "default", Source: "website", Integration: "mixpanel", Name: "E U"}, "name", "lower-case"},
		{settings.PutDestination{Workspace: "default", Source: "website", Integration: "intercom", Mode: "cloud", Settings: map[string]any{"appId": "x"}}, "mode", "browser, server, both"},
		{settings.PutDestination{Workspace: "default", Source: "website", Integration: "intercom", Mode: "server", Settings: map[string]any{"appId": "x"}}, "mode", "runs in browser only"},
		{mixpanel("nosuch", "x"), "settings.nosuch", "not a setting"},
		{mixpanel("people", "yes"), "settings.people", "must be a bool"},
		{mixpanel("region", "a\xff"), "settings.region", "UTF-8"},
		{mixpanel("sample", math.NaN()), "settings.sample", "JSON"},
		{mixpanel("sample", 1<<60), "settings.sample", "quotes"},
		{mixpanel("sample", time.Now()), "settings.sample", "date: put it in quotes"},
		{mixpanel("events", deep), "settings.events", "nested more than"},
		{mixpanel("events", make(chan int)), "settings.events", "chan int"},
		{mixpanel("rename", map[string]any{"__proto__": "x"}), "settings.rename", "__proto__"},
		{mixpanel("region", long), "settings", "at most 65536"},
		{mixpanel("region", "${env:THERE}"), "settings.region", "only a secret can"},
		{mixpanel("region", map[string]any{"$secret": "sec_x"}), "settings.region", "not one"},
		{mixpanel("apiSecret", 12), "settings.apiSecret", "must be text"},
		{mixpanel("apiSecret", settings.Mask), "settings.apiSecret", "only the mask"},
		{mixpanel("apiSecret", "${env:NOT_THERE}"), "settings.apiSecret", "NOT_THERE is not set"},
		{mixpanel("apiSecret", "${env:no good}"), "settings.apiSecret", "not the name"},
		{mixpanel("apiSecret", "${env:TAGMILL_ADMIN_TOKEN}"), "settings.apiSecret", "server's own"},
		{mixpanel("apiSecret", map[string]any{"$secret": "sec_guess"}), "settings.apiSecret", "not this setting's"},
	} {
		p := d.wrong(c.change)
		if p.Path != c.path || !strings.Contains(p.Message, c.words) {
			t.Errorf("%.200v: got %q: %q, want %q: …%s…", c.change, p.Path, p.Message, c.path, c.words)
		}
	}
	if d.site().Revision != 1 {
		t.Error("bad input made a revision")
	}
}

func TestMissingThingsAreNamed(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	for _, c := range []struct {
		change settings.Change
		words  string
	}{
		{settings.CreateSource{Workspace: "nosuch", Slug: "x"}, `workspace "nosuch"`},
		{settings.DeleteSource{Workspace: "default", Source: "nosuch"}, `source "nosuch"`},
		{put("nosuch", nil), `integration "nosuch"`},
		{settings.DeleteDestination{Workspace: "default", Source: "website", Integration: "mixpanel"}, `destination "mixpanel"`},
		{settings.RetireKey{Workspace: "default", Source: "website", Key: "nosuch"}, `write key "nosuch"`},
	} {
		if _, err := d.try(c.change); !errors.Is(err, settings.ErrNotFound) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%+v: %v", c.change, err)
		}
	}
}

func TestSecretNeedsAKey(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	d.Sealer = nil
	if p := d.wrong(mixpanel("apiSecret", "x")); !strings.Contains(p.Message, "TAGMILL_SECRET_KEY") {
		t.Errorf("got %q", p.Message)
	}
}

// A catalog may quote a bad value in its complaint; a secret is never quoted.
func TestRefusedSecretIsNotRepeated(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	if p := d.wrong(mixpanel("apiSecret", "hunter two")); strings.Contains(p.Message, "hunter") {
		t.Errorf("the answer repeats the secret: %q", p.Message)
	}
	if p := d.wrong(mixpanel("region", "not good")); !strings.Contains(p.Message, "not good") {
		t.Errorf("a plain value is not named: %q", p.Message)
	}
}

// An integration that a newer version dropped, or judges more strictly, can
// still be switched off and removed, and not be switched on.
func TestCatalogMovesOn(t *testing.T) {
	catalog := storetest.TestCatalog()
	d := newDesk(t, catalog)
	d.do(put("intercom", map[string]any{"appId": "x"}))
	d.do(put("mixpanel", map[string]any{"token": "x"}))
	delete(catalog, "intercom")
	catalog["mixpanel"].Fields["region"] = storetest.Field{Scope: "server", Type: "string", Required: true}
	off := func(integration string) settings.PutDestination {
		return settings.PutDestination{Workspace: "default", Source: "website", Integration: integration}
	}
	if p := d.wrong(put("intercom", nil)); !strings.Contains(p.Message, "not in this version's catalog") {
		t.Errorf("got %q", p.Message)
	}
	if p := d.wrong(put("mixpanel", nil)); p.Path != "settings.region" {
		t.Errorf("got %q", p.Path)
	}
	d.do(off("intercom"))
	d.do(off("mixpanel"))
	if p := d.wrong(settings.Rollback{Workspace: "default", Source: "website", Revision: 2}); !strings.Contains(p.Path, "revision 2: intercom") {
		t.Errorf("rolling back to what cannot work: %q", p.Path)
	}
	d.do(settings.DeleteDestination{Workspace: "default", Source: "website", Integration: "intercom"})
}

func TestRemadeDestinationHasItsOwnID(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	ids := []string{}
	id := func() { ids = append(ids, d.site().Destinations[0].ID) }
	d.do(put("mixpanel", map[string]any{"token": "x"}))
	id()
	d.do(settings.DeleteDestination{Workspace: "default", Source: "website", Integration: "MP"})
	d.do(put("Mixpanel", map[string]any{"token": "x"}))
	id()
	d.do(settings.Rollback{Workspace: "default", Source: "website", Revision: 2})
	id()
	if ids[0] == ids[1] || ids[0] != ids[2] {
		t.Errorf("ids %q: a new one for a new destination, the old one for the old", ids)
	}
}

func TestEditLeavesThePastAlone(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	d.do(put("mixpanel", map[string]any{"token": "x", "rename": map[string]any{"a": "b"}}))
	before := d.snap
	frozen, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]any{"token": "y", "rename": map[string]any{"a": "c"}}
	d.do(
		settings.PutDestination{Workspace: "default", Source: "website", Integration: "mixpanel", Settings: given},
		settings.UpdateWorkspace{Workspace: "default", Name: new("Else"), Options: &settings.Options{Bots: "drop"}},
		settings.AddKey{Workspace: "default", Source: "website"},
		settings.RetireKey{Workspace: "default", Source: "website", Key: "web-key"},
		settings.CreateSource{Workspace: "default", Slug: "more"},
		settings.DeleteSource{Workspace: "default", Source: "website"},
	)
	now, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	if string(now) != string(frozen) {
		t.Errorf("an old snapshot changed from\n%s to\n%s", frozen, now)
	}
	// What the caller gave stays the caller's.
	given["rename"].(map[string]any)["a"] = "changed later"
	if got := d.snap.Deleted()[0].Destinations[0].Settings["rename"].(map[string]any)["a"]; got != "c" {
		t.Errorf("the store shares a map with its caller: %v", got)
	}
}

func TestSecretReplacedInOneTransactionIsNotKept(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	e := d.do(mixpanel("apiSecret", "first"), mixpanel("apiSecret", "second"))
	if len(e.Sealed) != 1 {
		t.Errorf("%d secrets to keep, want 1", len(e.Sealed))
	}
}

func TestSummariesTellNoValues(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	e := d.do(mixpanel("apiSecret", "canary"), settings.UpdateSource{Workspace: "default", Source: "website", Options: &settings.Options{
		Bots: "drop", Address: "off", SPA: new(true), EventsPerSecond: 5, Caching: &settings.Caching{}, AllowedOrigins: []string{"https://canary.example"},
	}})
	got := e.Revisions[0].Summary
	want := "caching changed; allowed origins changed; address privacy changed; bots changed; rate limit changed; and 2 more"
	if got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	e = d.do(mixpanel("apiSecret", "canary2"))
	if got := e.Revisions[0].Summary; got != "mixpanel: apiSecret changed" {
		t.Errorf("summary %q", got)
	}
}

func TestAuthorIsCleaned(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	for in, want := range map[string]string{
		"": "unknown", "a\nb\xff": "ab\uFFFD", strings.Repeat("é", 300): strings.Repeat("é", 100),
	} {
		e, err := d.Edit(d.snap, in, nil, settings.AddKey{Workspace: "default", Source: "website"})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Revisions[0].Author; got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestMadeKeysAreSegmentShaped(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	seen := map[rune]int{}
	for range 300 {
		d.do(settings.AddKey{Workspace: "default", Source: "website"})
	}
	for _, k := range d.site().Keys[1:] {
		if len(k.Key) != 32 || strings.ContainsAny(k.Key, "-_") {
			t.Fatalf("made key %q", k.Key)
		}
		for _, r := range k.Key {
			seen[r]++
		}
	}
	if len(seen) != 62 {
		t.Errorf("made keys use %d letters, want 62", len(seen))
	}
}

func TestGoValuesBecomeJSONs(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	d.do(put("mixpanel", map[string]any{
		"token": "x", "events": []string{"a"}, "rename": map[string]string{"a": "b"}, "sample": json.Number("12"), "people": true, "region": nil,
	}))
	got, err := json.Marshal(d.site().Destinations[0].Settings)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"events":["a"],"people":true,"rename":{"a":"b"},"sample":12,"token":"x"}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, isFloat := d.site().Destinations[0].Settings["sample"].(float64); !isFloat {
		t.Errorf("a number is kept as %T", d.site().Destinations[0].Settings["sample"])
	}
}

func TestDestinationsHaveALimit(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	var changes []settings.Change
	for i := range 201 {
		c := put("mixpanel", map[string]any{"token": "x"})
		c.Name = fmt.Sprint("n", i)
		changes = append(changes, c)
	}
	if p := d.wrong(changes...); !strings.Contains(p.Message, "200") || !strings.HasSuffix(p.Path, "mixpanel:n200") {
		t.Errorf("got %+v", p)
	}
	if _, err := d.try(changes[:200]...); err != nil {
		t.Error(err)
	}
}

// Public is what a browser gets: nothing that is planted elsewhere may be in it.
func TestPublicCanary(t *testing.T) {
	catalog := storetest.TestCatalog()
	d := newDesk(t, catalog)
	const canary = "canary-1f3a"
	d.do(
		settings.PutDestination{Workspace: "default", Source: "website", Integration: "mixpanel", Enabled: true, Mode: settings.Both,
			Settings: map[string]any{"token": "visible", "apiSecret": canary, "trap": canary, "region": canary}},
		settings.PutDestination{Workspace: "default", Source: "website", Integration: "webhook", Enabled: true, Mode: settings.Server,
			Settings: map[string]any{"url": canary, "secret": canary}},
		settings.PutDestination{Workspace: "default", Source: "website", Integration: "intercom", Enabled: false,
			Settings: map[string]any{"appId": canary}},
	)
	look := func(when string, want ...string) {
		t.Helper()
		public, err := settings.Public(d.site(), catalog)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(public)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), canary) || strings.Contains(string(text), "$secret") || strings.Contains(string(text), "sec_") {
			t.Errorf("%s: a browser would see %s", when, text)
		}
		for _, w := range want {
			if !strings.Contains(string(text), w) {
				t.Errorf("%s: %s is missing in %s", when, w, text)
			}
		}
		for _, dst := range d.site().Destinations {
			shown, err := json.Marshal(settings.Masked(dst, catalog))
			if err != nil {
				t.Fatal(err)
			}
			if dst.Integration == "mixpanel" && (strings.Contains(string(shown), "$secret") || strings.Count(string(shown), canary) > 1) {
				t.Errorf("%s: an editor would see %s", when, shown)
			}
		}
	}
	look("as it is", "visible", `"names":["mixpanel","Mixpanel","MP"]`)
	// A manifest changes its mind about fields that are stored already.
	fields := catalog["mixpanel"].Fields
	fields["apiSecret"] = storetest.Field{Scope: "browser", Type: "string"}
	look("a secret declared public", "visible")
	delete(fields, "region")
	look("a field removed", "visible")
	fields["token"] = storetest.Field{Scope: "browser", Secret: true, Type: "string"}
	look("a public field declared secret", "mixpanel")
	delete(catalog, "mixpanel")
	look("an integration removed", "[]")
}

func TestPublicIsDeterministic(t *testing.T) {
	catalog := storetest.TestCatalog()
	d := newDesk(t, catalog)
	for _, name := range []string{"b", "a0", "a"} {
		c := put("mixpanel", map[string]any{"token": name, "people": true, "sample": 1, "events": []any{"x"}})
		c.Name = name
		d.do(c)
	}
	public, err := settings.Public(d.site(), catalog)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range public {
		got = append(got, string(p.Settings))
	}
	want := []string{
		`{"events":["x"],"people":true,"sample":1,"token":"a"}`,
		`{"events":["x"],"people":true,"sample":1,"token":"a0"}`,
		`{"events":["x"],"people":true,"sample":1,"token":"b"}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
