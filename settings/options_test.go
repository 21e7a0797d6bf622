package settings_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tagmill/tagmill/settings"
	"github.com/tagmill/tagmill/settings/storetest"
)

func options(o settings.Options) settings.UpdateSource {
	return settings.UpdateSource{Workspace: "default", Source: "website", Options: &o}
}

func TestOptionRanges(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	caching := func(change func(*settings.Caching)) settings.Options {
		c := settings.DefaultCaching
		change(&c)
		return settings.Options{Caching: &c}
	}
	for _, c := range []struct {
		options     settings.Options
		path, words string
	}{
		{caching(func(c *settings.Caching) { c.SMaxAge = 61 }), "options.caching.sMaxAge", "only where CDN invalidation"},
		{caching(func(c *settings.Caching) { c.MaxAge = -1 }), "options.caching.maxAge", "0 to 86400"},
		{caching(func(c *settings.Caching) { c.StaleWhileRevalidate = 1 << 40 }), "options.caching.staleWhileRevalidate", "out of range"},
		{caching(func(c *settings.Caching) { c.StaleIfError = -5 }), "options.caching.staleIfError", "out of range"},
		{settings.Options{Address: "half"}, "options.address", "full, truncated, off"},
		{settings.Options{Bots: "eat"}, "options.bots", "mark, drop"},
		{settings.Options{EventsPerSecond: -2}, "options.eventsPerSecond", "-1 for no limit"},
		{settings.Options{AllowedOrigins: make([]string, 201)}, "options.allowedOrigins", "at most 200"},
		{settings.Options{AllowedOrigins: []string{"https://a.example", "*"}}, "options.allowedOrigins", "alone"},
	} {
		if p := d.wrong(options(c.options)); p.Path != c.path || !strings.Contains(p.Message, c.words) {
			t.Errorf("%+v: got %+v", c.options, p)
		}
	}
	d.Rules.LongSMaxAge = true
	d.do(options(caching(func(c *settings.Caching) { c.SMaxAge = 365 * 86400 })))
}

func TestOrigins(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	for given, want := range map[string]string{
		"HTTPS://Shop.Example/":       "https://shop.example",
		"https://shop.example:443":    "https://shop.example",
		"http://localhost:3000":       "http://localhost:3000",
		"https://*.shop.example:8443": "https://*.shop.example:8443",
		"http://[::1]:80":             "http://[::1]",
		"http://127.0.0.1:8090":       "http://127.0.0.1:8090",
		"*":                           "*",
	} {
		d.do(options(settings.Options{AllowedOrigins: []string{given, given}}))
		if got := d.site().Options.AllowedOrigins; !slices.Equal(got, []string{want}) {
			t.Errorf("%q became %q, want %q once", given, got, want)
		}
	}
	for _, bad := range []string{
		"", "shop.example", "ftp://shop.example", "https://", "https://shop.example/path", "https://shop.example?x", "https://u@shop.example",
		"https://shop.example:0", "https://shop.example:99999", "https://sh*p.example", "https://*.com", "https://*", "https://bücher.example",
		"https://a..b", "https://a b", "https://*.*.example.com", "null", "javascript:alert(1)", "https://a.example#", "https://" + strings.Repeat("a", 64) + ".example",
	} {
		if p := d.wrong(options(settings.Options{AllowedOrigins: []string{bad}})); p.Path != "options.allowedOrigins[0]" {
			t.Errorf("%q: got %+v", bad, p)
		}
	}
}

func TestOriginAllowed(t *testing.T) {
	patterns := []string{"https://shop.example", "https://*.shop.example", "http://localhost:3000"}
	for origin, want := range map[string]bool{
		"https://shop.example":           true,
		"https://SHOP.example":           true,
		"https://a.b.shop.example":       true,
		"http://localhost:3000":          true,
		"http://shop.example":            false,
		"https://shop.example.evil.test": false,
		"https://evilshop.example":       false,
		"https://.shop.example":          false,
		"https://evil/.shop.example":     false,
		"https://a.shop.example:444":     false,
		"http://localhost:3001":          false,
		"null":                           false,
		"":                               false,
	} {
		if got := settings.OriginAllowed(patterns, origin); got != want {
			t.Errorf("%q: %v", origin, got)
		}
	}
	if !settings.OriginAllowed(nil, "https://anyone.example") {
		t.Error("no patterns must allow all")
	}
}

func TestEffective(t *testing.T) {
	ws := settings.Options{Bots: "drop", EventsPerSecond: 10, AllowedOrigins: []string{"https://a.example"}, SPA: new(true), Caching: &settings.Caching{MaxAge: 1}}
	got := settings.Effective(settings.Options{}, settings.Options{})
	if *got.Caching != settings.DefaultCaching || got.Address != "full" || got.Bots != "mark" || *got.SPA || *got.RefreshIDCookie || got.EventsPerSecond != 0 {
		t.Errorf("defaults: %+v", got)
	}
	got = settings.Effective(ws, settings.Options{SPA: new(false), Address: "off"})
	if got.Bots != "drop" || *got.SPA || got.Address != "off" || got.EventsPerSecond != 10 || got.Caching.MaxAge != 1 {
		t.Errorf("sum: %+v", got)
	}
	got = settings.Effective(ws, settings.Options{EventsPerSecond: -1, AllowedOrigins: []string{"*"}})
	if got.EventsPerSecond != 0 || got.AllowedOrigins != nil {
		t.Errorf("undone: %+v", got)
	}
	*got.SPA, got.Caching.MaxAge = false, 7
	if !*ws.SPA || ws.Caching.MaxAge != 1 {
		t.Error("Effective shares memory with its arguments")
	}
	if got := settings.DefaultCaching.WorstCase(); got != 150 {
		t.Errorf("worst case %d s", got)
	}
}

func TestCachingLeftOutTakesDefaults(t *testing.T) {
	var c settings.Caching
	if err := json.Unmarshal([]byte(`{"maxAge": 300}`), &c); err != nil {
		t.Fatal(err)
	}
	want := settings.DefaultCaching
	want.MaxAge = 300
	if c != want {
		t.Errorf("got %+v", c)
	}
}

// Undo in a workspace whose options changed every way there is.
func TestRollbackBringsBackWhatWasInForce(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	d.do(options(settings.Options{Address: "off"}))
	was := d.snap.Effective(d.site())
	d.do(settings.UpdateWorkspace{Workspace: "default", Options: &settings.Options{
		Bots: "drop", EventsPerSecond: 10, AllowedOrigins: []string{"https://a.example"}, SPA: new(true), RefreshIDCookie: new(true),
		Caching: &settings.Caching{MaxAge: 1},
	}})
	d.do(options(settings.Options{}))
	d.do(settings.Rollback{Workspace: "default", Source: "website", Revision: 2})
	got := d.snap.Effective(d.site())
	a, errA := json.Marshal(was)
	b, errB := json.Marshal(got)
	if err := errors.Join(errA, errB); err != nil || string(a) != string(b) {
		t.Errorf("in force %s, want %s (%v)", b, a, err)
	}
}
