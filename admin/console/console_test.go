package console_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tagmill/tagmill/admin"
	"github.com/tagmill/tagmill/admin/admintest"
	"github.com/tagmill/tagmill/admin/console"
	"github.com/tagmill/tagmill/events/eventlog"
	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/settings"
)

// rig is the private listener with the console behind it, and a browser that
// knows no script.
type rig struct {
	t       *testing.T
	h       http.Handler
	auth    *admin.Auth
	store   *admintest.Store
	bundles *admintest.Bundles
	cookie  string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	now := func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) }
	catalog, err := integrations.Open()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t}
	if r.store, err = admintest.NewStore(catalog, now); err != nil {
		t.Fatal(err)
	}
	r.bundles = &admintest.Bundles{Store: r.store, Now: now}
	if r.auth, err = admin.NewAuth(admin.AuthConfig{Token: "a-token-of-the-tests", SessionKey: make([]byte, 32), Now: now}); err != nil {
		t.Fatal(err)
	}
	pages, err := console.New(console.Config{
		Auth: r.auth, Store: r.store, Catalog: catalog, Bundles: r.bundles, Snippet: admintest.Snippets{},
		LogStats:     func() eventlog.Stats { return eventlog.Stats{Bytes: 1e9, Budget: 25e8, BytesPerHour: 1e7} },
		PublicURL:    func() string { return "https://t.shop.example" },
		CollectorURL: func() string { return "https://t.shop.example/v1" },
		Version:      "test", Log: slog.New(slog.DiscardHandler), Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.h = admin.New(admin.Config{API: http.NotFoundHandler(), Console: pages, Metrics: http.NotFoundHandler(), Ready: func() error { return nil }, Log: slog.New(slog.DiscardHandler)})
	return r
}

// signedIn is a rig whose browser has a session.
func signedIn(t *testing.T) *rig {
	r := newRig(t)
	secret, _ := r.auth.NewLink()
	w := r.post("/signin", "link", secret)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("sign in: %d %s", w.Code, w.Body)
	}
	r.cookie = strings.Split(w.Header().Get("Set-Cookie"), ";")[0]
	return r
}

func (r *rig) send(req *http.Request) *httptest.ResponseRecorder {
	req.Header.Set("Cookie", r.cookie)
	w := httptest.NewRecorder()
	r.h.ServeHTTP(w, req)
	return w
}

func (r *rig) get(path string) *httptest.ResponseRecorder {
	return r.send(httptest.NewRequest("GET", "http://localhost"+path, nil))
}

// post sends a form as a browser does: name, value pairs.
func (r *rig) post(path string, pairs ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	req := httptest.NewRequest("POST", "http://localhost"+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return r.send(req)
}

// saved posts a form that must lead on.
func (r *rig) saved(path string, pairs ...string) {
	r.t.Helper()
	if w := r.post(path, pairs...); w.Code != http.StatusSeeOther {
		r.t.Fatalf("POST %s: %d %s", path, w.Code, w.Body)
	}
}

func (r *rig) source() *settings.Source { return r.store.Snapshot().Source("default", "website") }

func (r *rig) do(changes ...settings.Change) {
	r.t.Helper()
	if _, err := r.store.Do(context.Background(), "test", changes...); err != nil {
		r.t.Fatal(err)
	}
}

const src = "/default/website"

const mixpanelToken = "0123456789abcdef0123456789abcdef"

var everyPage = []string{
	"/", src, src + "/install", src + "/events", src + "/history", src + "/settings",
	src + "/integrations/mixpanel", src + "/integrations/ga4", src + "/integrations/customerio", src + "/integrations/mixpanel?another=1",
}

func TestStrangersAreSentToSignIn(t *testing.T) {
	r := newRig(t)
	for _, path := range append(everyPage, "/nope") {
		if w := r.get(path); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/signin" {
			t.Errorf("%s: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
	r.post(src+"/delete", "confirm", "website")
	r.post(src+"/integrations/mixpanel", "enabled", "true", "s.token", mixpanelToken)
	if s := r.source(); s == nil || s.Revision != 1 {
		t.Errorf("a stranger changed the source: %+v", s)
	}
}

func TestSignInOnce(t *testing.T) {
	r := newRig(t)
	secret, _ := r.auth.NewLink()
	for range 3 { // looking at the page does not use the link up
		if w := r.get("/signin?link=" + secret); w.Code != 200 || !strings.Contains(w.Body.String(), secret) || w.Header().Get("Set-Cookie") != "" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	w := r.post("/signin", "link", secret)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	r.cookie = strings.Split(w.Header().Get("Set-Cookie"), ";")[0]
	if w := r.get("/"); w.Code != 200 {
		t.Errorf("home: %d", w.Code)
	}
	if w := r.post("/signin", "link", secret); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "tagmill signin") {
		t.Errorf("again: %d %s", w.Code, w.Body)
	}
	r.saved("/signout")
	if w := r.get("/"); w.Code != http.StatusSeeOther {
		t.Errorf("after signing out: %d", w.Code)
	}
}

func TestEveryPageIsWhole(t *testing.T) {
	r := signedIn(t)
	inline := regexp.MustCompile(`(?i)<script(?:>| [^>]*>)[^<]|\son[a-z]+=|\sstyle=|javascript:|<style`)
	id := regexp.MustCompile(`\sid="([^"]+)"`)
	ref := regexp.MustCompile(`\s(?:for|aria-labelledby)="([^"]+)"`)
	for _, path := range everyPage {
		w := r.get(path)
		html := w.Body.String()
		if w.Code != 200 || !strings.Contains(html, "</html>") {
			t.Errorf("%s: %d, and ends %q", path, w.Code, html[max(0, len(html)-40):])
			continue
		}
		if m := inline.FindString(html); m != "" {
			t.Errorf("%s has %q, which the policy forbids", path, m)
		}
		ids := map[string]bool{}
		for _, m := range id.FindAllStringSubmatch(html, -1) {
			if ids[m[1]] {
				t.Errorf("%s has two elements called %s", path, m[1])
			}
			ids[m[1]] = true
		}
		for _, m := range ref.FindAllStringSubmatch(html, -1) {
			if !ids[m[1]] {
				t.Errorf("%s refers to %s, which is not there", path, m[1])
			}
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached: %q", path, w.Header().Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/nope", "/default/nope", src + "/nope", src + "/integrations/nope", "/assets/nope.js"} {
		if w := r.get(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestAssetsNeverChange(t *testing.T) {
	r := signedIn(t)
	for _, m := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(r.get("/").Body.String(), -1) {
		w := r.get(m[1])
		if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", m[1], w.Code, w.Header())
		}
	}
}

func TestTheScriptIsSmall(t *testing.T) {
	b, err := os.ReadFile("assets/console.js")
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 15_000 {
		t.Errorf("console.js has %d bytes, at most 15000", len(b))
	}
	for _, way := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"} {
		if strings.Contains(string(b), way) {
			t.Errorf("console.js uses %s: values must reach the page as text", way)
		}
	}
}

func TestAFlipWithoutScript(t *testing.T) {
	r := signedIn(t)
	// It needs its token first.
	if w := r.post(src+"/integrations/mixpanel/flip", "enabled", "true"); w.Header().Get("Location") != src+"/integrations/mixpanel" {
		t.Fatalf("%d to %q", w.Code, w.Header().Get("Location"))
	}
	r.saved(src+"/integrations/mixpanel", "enabled", "true", "s.token", " "+mixpanelToken+" ", "s.superProperties", "plan\r\n\r\n company ", "s.people", "true")
	d := r.source().Destinations[0]
	if !d.Enabled || d.Settings["token"] != mixpanelToken || fmt.Sprint(d.Settings["superProperties"]) != "[plan company]" || d.Settings["ignoreDnt"] != false {
		t.Errorf("saved %+v", d)
	}
	if html := r.get(src).Body.String(); !strings.Contains(html, `aria-checked="true" aria-label="Mixpanel"`) {
		t.Error("the switch is not on")
	}
	r.saved(src+"/integrations/mixpanel/flip", "enabled", "false")
	if d := r.source().Destinations[0]; d.Enabled || d.Settings["token"] != mixpanelToken {
		t.Errorf("off: %+v", d)
	}
	r.saved(src+"/integrations/mixpanel/flip", "enabled", "true")
	r.saved(src+"/integrations/mixpanel", "another", "1", "name", "eu", "enabled", "true", "s.token", mixpanelToken, "s.region", "eu")
	if n := len(r.source().Destinations); n != 2 {
		t.Fatalf("%d destinations", n)
	}
	if w := r.post(src+"/integrations/mixpanel", "another", "1", "name", "eu", "enabled", "true", "s.token", mixpanelToken); w.Code != 422 {
		t.Errorf("a second eu: %d", w.Code)
	}
	r.saved(src + "/integrations/mixpanel:eu/remove")
	if n := len(r.source().Destinations); n != 1 {
		t.Errorf("%d destinations after removing one", n)
	}
	history, _ := r.store.History(context.Background(), r.source().ID, 0, 1)
	if history[0].Author != "console" {
		t.Errorf("author %q", history[0].Author)
	}
	r.saved(src+"/rollback", "revision", "1")
	if n := len(r.source().Destinations); n != 0 {
		t.Errorf("%d destinations after going back", n)
	}
}

func TestMistakesStandBesideTheirFields(t *testing.T) {
	r := signedIn(t)
	w := r.post(src+"/integrations/ga4", "enabled", "true", "s.measurementId", "nonsense", "s.cookieExpires", "soon", "s.apiSecret", " c4n4ry")
	html := w.Body.String()
	if w.Code != 422 || strings.Count(html, `aria-invalid="true"`) < 2 {
		t.Errorf("%d with %d fields marked", w.Code, strings.Count(html, `aria-invalid="true"`))
	}
	for _, kept := range []string{`value="nonsense"`, `value="soon"`} {
		if !strings.Contains(html, kept) {
			t.Errorf("%s was lost", kept)
		}
	}
	if strings.Contains(html, "c4n4ry") {
		t.Error("a secret came back")
	}
	w = r.post(src+"/options", "allowedOrigins", "nowhere", "caching.maxAge", "soon")
	if w.Code != 422 || !strings.Contains(w.Body.String(), "is not a whole number") {
		t.Errorf("options: %d", w.Code)
	}
	w = r.post(src+"/options", "allowedOrigins", "nowhere")
	if w.Code != 422 || !strings.Contains(w.Body.String(), "is not an origin") || !strings.Contains(w.Body.String(), ">nowhere</textarea>") {
		t.Errorf("options: %d", w.Code)
	}
	w = r.post("/new", "workspace", "default", "name", "Website")
	if w.Code != 422 || !strings.Contains(w.Body.String(), "website") {
		t.Errorf("a second Website: %d", w.Code)
	}
}

func TestSecretsStayWhereTheyAre(t *testing.T) {
	r := signedIn(t)
	r.saved(src+"/integrations/ga4", "enabled", "true", "s.measurementId", "G-TEST123456", "s.apiSecret", "c4n4ry-value")
	ref := fmt.Sprint(r.source().Destinations[0].Settings["apiSecret"])
	for _, path := range everyPage {
		if strings.Contains(r.get(path).Body.String(), "c4n4ry") {
			t.Errorf("%s shows a secret", path)
		}
	}
	r.saved(src+"/integrations/ga4", "enabled", "true", "s.measurementId", "G-TEST654321", "s.apiSecret", "")
	if got := fmt.Sprint(r.source().Destinations[0].Settings["apiSecret"]); got != ref {
		t.Errorf("an empty field changed the secret: %s to %s", ref, got)
	}
	r.saved(src+"/integrations/ga4", "enabled", "true", "s.measurementId", "G-TEST654321", "forget.apiSecret", "1")
	if got, has := r.source().Destinations[0].Settings["apiSecret"]; has {
		t.Errorf("the secret was not forgotten: %v", got)
	}
}

func TestTwoEditorsAtOneForm(t *testing.T) {
	r := signedIn(t)
	r.do(settings.PutDestination{Workspace: "default", Source: "website", Integration: "crazyegg", Enabled: true, Settings: map[string]any{"accountNumber": "00111111"}})
	w := r.post(src+"/integrations/mixpanel", "revision", "1", "enabled", "true", "s.token", mixpanelToken)
	html := w.Body.String()
	if w.Code != http.StatusConflict || !strings.Contains(html, "(by test)") || !strings.Contains(html, mixpanelToken) {
		t.Fatalf("%d %s", w.Code, html)
	}
	m := regexp.MustCompile(`name="revision" value="(\d+)"`).FindStringSubmatch(html)
	r.saved(src+"/integrations/mixpanel", "revision", m[1], "enabled", "true", "s.token", mixpanelToken)
}

func TestSourcesKeysAndOptions(t *testing.T) {
	r := signedIn(t)
	r.saved("/new", "workspace", "default", "name", "My Shop (EU)")
	if r.store.Snapshot().Source("default", "my-shop-eu") == nil {
		t.Error("no short name was made from the name")
	}
	r.saved("/new/workspace", "name", "Acme")
	r.saved(src+"/rename", "name", "Shop")
	r.saved(src+"/keys", "environment", "staging")
	r.saved(src+"/keys/retire", "key", "wk_website_1")
	r.saved(src+"/options", "allowedOrigins", "https://a.example\nhttps://*.b.example", "address", "truncated", "bots", "drop", "spa", "on", "refreshIdCookie", "off", "caching.maxAge", "30", "eventsPerSecond", "500")
	s := r.source()
	o := s.Options
	if s.Name != "Shop" || len(s.Keys) != 2 || s.Keys[0].RetiredAt == nil || len(o.AllowedOrigins) != 2 || o.Address != "truncated" ||
		o.Bots != "drop" || !*o.SPA || *o.RefreshIDCookie || o.Caching.MaxAge != 30 || o.Caching.SMaxAge != 60 || o.EventsPerSecond != 500 {
		t.Errorf("source %+v, options %+v", s, o)
	}
	r.saved(src + "/options")
	if o := r.source().Options; o.Caching != nil || o.SPA != nil || o.AllowedOrigins != nil {
		t.Errorf("empty fields left %+v", o)
	}
	if w := r.post(src+"/delete", "confirm", "wrong"); w.Code != 422 || r.source() == nil {
		t.Errorf("deleted without being asked twice: %d", w.Code)
	}
	r.saved(src+"/delete", "confirm", "website")
	if r.source() != nil {
		t.Error("still there")
	}
}

// Whatever people typed is text on every page that shows it.
func TestNothingTypedBecomesMarkup(t *testing.T) {
	r := signedIn(t)
	const evil = `"'><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}&lt;</textarea></code>` + "\u2028"
	name := strings.ReplaceAll(evil, "\u2028", "")
	r.do(settings.UpdateSource{Workspace: "default", Source: "website", Name: &name},
		settings.PutDestination{Workspace: "default", Source: "website", Integration: "mixpanel", Enabled: true, Settings: map[string]any{
			"token": mixpanelToken, "groupKey": name, "superProperties": []any{name},
		}})
	r.bundles.SetFail(evil)
	r.do(settings.RetireKey{Workspace: "default", Source: "website", Key: "wk_website_1"}, settings.AddKey{Workspace: "default", Source: "website", Environment: "production"})
	check := func(where, html string) {
		t.Helper()
		if strings.Contains(html, "<script>alert") || strings.Contains(html, "<img src=x") || strings.Contains(html, `"'><`) {
			t.Errorf("%s lets markup through", where)
		}
	}
	for _, path := range everyPage {
		w := r.get(path)
		if w.Code != 200 {
			t.Fatalf("%s: %d", path, w.Code)
		}
		if !strings.Contains(w.Body.String(), "&lt;script&gt;alert(1)") && path != "/" {
			t.Errorf("%s does not show the name at all", path)
		}
		check(path, w.Body.String())
	}
	for _, f := range []func() *httptest.ResponseRecorder{
		func() *httptest.ResponseRecorder {
			return r.post("/new", "workspace", "default", "name", evil, "slug", evil)
		},
		func() *httptest.ResponseRecorder { return r.post("/new/workspace", "name", evil) },
		func() *httptest.ResponseRecorder { return r.post(src+"/rename", "name", evil) },
		func() *httptest.ResponseRecorder { return r.post(src+"/keys", "environment", evil) },
		func() *httptest.ResponseRecorder {
			return r.post(src+"/options", "allowedOrigins", evil, "address", evil)
		},
		func() *httptest.ResponseRecorder { return r.post(src+"/delete", "confirm", evil) },
		func() *httptest.ResponseRecorder { return r.post(src+"/rollback", "revision", evil) },
		func() *httptest.ResponseRecorder {
			return r.post(src+"/integrations/ga4", "s.measurementId", evil, "s.ignoredTraits", evil, "mode", evil)
		},
		func() *httptest.ResponseRecorder {
			return r.post(src+"/integrations/mixpanel", "another", "1", "name", evil)
		},
		func() *httptest.ResponseRecorder { return r.get(src + "?note=" + url.QueryEscape(evil)) },
		func() *httptest.ResponseRecorder { return r.get(src + "/install?key=" + url.QueryEscape(evil)) },
		func() *httptest.ResponseRecorder { return r.get("/" + url.PathEscape(evil)) },
		func() *httptest.ResponseRecorder { return r.get(src + "/integrations/" + url.PathEscape(evil)) },
	} {
		w := f()
		check("an answer", w.Body.String())
		if w.Code >= 500 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	anonymous := newRig(t)
	check("sign in", anonymous.get("/signin?link="+url.QueryEscape(evil)).Body.String())
}

func TestAFailedRevisionIsSaid(t *testing.T) {
	r := signedIn(t)
	r.get(src) // revision 1 is live
	r.bundles.SetFail("mixpanel: load threw")
	r.do(settings.PutDestination{Workspace: "default", Source: "website", Integration: "mixpanel", Enabled: true, Settings: map[string]any{"token": mixpanelToken}})
	for _, path := range []string{src, src + "/history", "/"} {
		html := r.get(path).Body.String()
		if !strings.Contains(html, "ot live") || path != "/" && !strings.Contains(html, "mixpanel: load threw") {
			t.Errorf("%s does not say that the newest revision failed", path)
		}
	}
}

func TestTheStoreIsAway(t *testing.T) {
	r := signedIn(t)
	r.store.Down = settings.ErrUnavailable
	if w := r.post(src+"/rename", "name", "x"); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "try again") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := r.get(src); w.Code != 200 {
		t.Errorf("pages cannot be read: %d", w.Code)
	}
}
