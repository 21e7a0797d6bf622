package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tagmill/tagmill/admin"
	"github.com/tagmill/tagmill/admin/admintest"
	"github.com/tagmill/tagmill/admin/api"
	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/memory"
	"github.com/tagmill/tagmill/events/live"
	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/settings"
)

func TestMain(m *testing.M) {
	flag.Parse()
	goleak.VerifyTestMain(m)
}

const token = "a-token-of-the-tests"

// rig is the private listener with the API behind it.
type rig struct {
	t       *testing.T
	h       http.Handler
	api     *api.API
	store   *admintest.Store
	bundles *weighing
	events  *memory.Log
	feed    *live.Feed
}

// weighing are Bundles with scales.
type weighing struct{ *admintest.Bundles }

func (weighing) Weigh(_ context.Context, _ *settings.Snapshot, src *settings.Source) (bundler.Report, error) {
	n := 6000
	for _, d := range src.Destinations {
		if d.Enabled {
			n += 500
		}
	}
	return bundler.Report{Brotli: n}, nil
}

func newRig(t *testing.T) *rig {
	t.Helper()
	now := func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) }
	catalog, err := integrations.Open()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, events: memory.New(memory.Options{})}
	if r.store, err = admintest.NewStore(catalog, now); err != nil {
		t.Fatal(err)
	}
	r.feed = live.New(r.events, live.Options{})
	r.bundles = &weighing{&admintest.Bundles{Store: r.store, Now: now}}
	auth, err := admin.NewAuth(admin.AuthConfig{Token: token, SessionKey: make([]byte, 32), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	r.api, err = api.New(api.Config{
		Auth: auth, Store: r.store, Catalog: catalog, Bundles: r.bundles, Snippet: admintest.Snippets{}, Live: r.feed,
		LogStats: func() eventlog.Stats {
			return eventlog.Stats{Bytes: 1e9, Budget: 25e8, BytesPerHour: 1e7, Cursors: []eventlog.CursorStats{{Name: "archive", Lag: 3}}}
		},
		ConsoleURL: func() string { return "http://127.0.0.1:9090" }, Version: "test", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.h = admin.New(admin.Config{API: r.api, Console: http.NotFoundHandler(), Metrics: http.NotFoundHandler(), Ready: func() error { return nil }, Log: slog.New(slog.DiscardHandler)})
	return r
}

// do makes a request with the token. path is below /api/v1; "." begins a
// source's. headers are name, value pairs.
func (r *rig) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	req := httptest.NewRequest(method, "http://localhost/api/v1"+strings.Replace(path, "./", "/workspaces/default/sources/website/", 1), strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	r.h.ServeHTTP(w, req)
	return w
}

// want makes a request that must be answered so, and returns the answer.
func (r *rig) want(status int, method, path, body string, headers ...string) map[string]any {
	r.t.Helper()
	w := r.do(method, path, body, headers...)
	if w.Code != status {
		r.t.Fatalf("%s %s: %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	if status >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
		r.t.Errorf("%s %s: an error of type %q", method, path, w.Header().Get("Content-Type"))
	}
	out := map[string]any{}
	if b := w.Body.Bytes(); len(b) > 0 && b[0] == '{' {
		if err := json.Unmarshal(b, &out); err != nil {
			r.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return out
}

const src = "/workspaces/default/sources/website"

// mixpanelToken is a value that the manifest takes.
const mixpanelToken = "0123456789abcdef0123456789abcdef"

func TestAFlipIsARevision(t *testing.T) {
	r := newRig(t)
	first := r.want(200, "GET", src, "")
	if first["revision"] != 1.0 || first["writeKey"] != "wk_website_1" {
		t.Fatalf("source: %v", first)
	}
	on := r.want(200, "PUT", "./integrations/mixpanel", `{"enabled":true,"mode":"browser","settings":{"token":"`+mixpanelToken+`"}}`)
	if on["revision"] != 2.0 || on["enabled"] != true || on["integration"] != "mixpanel" {
		t.Errorf("on: %v", on)
	}
	off := r.want(200, "PUT", "./integrations/MP", `{"enabled":false}`) // an alias; the settings stay
	if off["revision"] != 3.0 || off["settings"].(map[string]any)["token"] != mixpanelToken {
		t.Errorf("off: %v", off)
	}
	if again := r.want(200, "PUT", "./integrations/mixpanel", `{"enabled":false}`); again["revision"] != 3.0 {
		t.Errorf("a flip that changes nothing made a revision: %v", again)
	}
	second := r.want(200, "PUT", "./integrations/mixpanel:eu", `{"settings":{"token":"`+mixpanelToken+`"}}`)
	if second["name"] != "eu" || second["enabled"] != true || second["revision"] != 4.0 {
		t.Errorf("a second one: %v", second)
	}
	if gone := r.want(200, "DELETE", "./integrations/mixpanel:eu", ""); gone["revision"] != 5.0 {
		t.Errorf("removed: %v", gone)
	}
	back := r.want(200, "POST", "./rollback", `{"revision":4}`)
	if back["revision"] != 6.0 || len(back["integrations"].([]any)) != 2 {
		t.Errorf("rolled back: %v", back)
	}
	if report := r.want(200, "GET", "./bundle", ""); report["revision"] != 6.0 || report["state"] != "live" || report["worstCaseStalenessSeconds"] != 150.0 {
		t.Errorf("bundle: %v", report)
	}
}

func TestSettingsNamedOneByOne(t *testing.T) {
	r := newRig(t)
	got := r.want(422, "PUT", "./integrations/mixpanel", `{"settings":{"token":"nonsense","bogus":1,"replayPercent":"many"}}`)
	text, _ := json.Marshal(got["errors"])
	for _, key := range []string{"body.settings.token", "body.settings.bogus", "body.settings.replayPercent"} {
		if !bytes.Contains(text, []byte(key)) {
			t.Errorf("%s is not named in %s", key, text)
		}
	}
	if rev := r.want(200, "GET", src, "")["revision"]; rev != 1.0 {
		t.Errorf("refused settings made revision %v", rev)
	}
}

// No answer to any question has a secret in it.
func TestSecretsNeverComeBack(t *testing.T) {
	r := newRig(t)
	const secret = "c4n4ry-s3cret-value"
	r.want(200, "PUT", "./integrations/ga4", `{"settings":{"measurementId":"G-TEST123456","apiSecret":"`+secret+`"}}`)
	masked := r.want(200, "GET", "./integrations/ga4", "")["settings"].(map[string]any)["apiSecret"]
	if masked != settings.Mask {
		t.Errorf("masked: %v", masked)
	}
	// Sent back as it came, it stays; so do all the paths below.
	r.want(200, "PUT", "./integrations/ga4", `{"settings":{"measurementId":"G-TEST123456","apiSecret":"`+settings.Mask+`"}}`)
	answers := []*httptest.ResponseRecorder{
		r.do("PUT", "./integrations/ga4", `{"settings":{"measurementId":"G-TEST123456","apiSecret":"`+secret+` "}}`), // refused for its space
		r.do("PUT", "./integrations/ga4", `{"settings":"`+secret+`"}`),
		r.do("PUT", "./integrations/ga4", `{"mode":"`+secret+`"}`),
	}
	for _, path := range []string{src, "./integrations/ga4", "./revisions?full=true", "./bundle", "./bundle.js", "./snippet", "/export", "/workspaces", "/workspaces/default/sources"} {
		w := r.do("GET", path, "")
		if w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
		answers = append(answers, w)
	}
	for _, w := range answers {
		if strings.Contains(w.Body.String(), secret) || strings.Contains(w.Body.String(), "$secret") {
			t.Errorf("a secret came back: %s", w.Body)
		}
	}
}

func TestSourcesAndKeys(t *testing.T) {
	r := newRig(t)
	r.want(201, "POST", "/workspaces", `{"slug":"acme","name":"Acme"}`)
	r.want(409, "POST", "/workspaces", `{"slug":"acme","name":"Acme"}`)
	made := r.want(201, "POST", "/workspaces/acme/sources", `{"slug":"shop","name":"Shop"}`)
	if made["writeKey"] == "" || made["workspace"] != "acme" {
		t.Errorf("made: %v", made)
	}
	kept := r.want(201, "POST", "/workspaces/acme/sources", `{"slug":"blog","name":"Blog","writeKey":"old_segment_key"}`)
	if kept["writeKey"] != "old_segment_key" {
		t.Errorf("kept: %v", kept)
	}

	staging := r.want(201, "POST", "./keys", `{"environment":"staging"}`)
	other := r.want(201, "POST", "./keys", "")
	if staging["environment"] != "staging" || other["environment"] != "production" || other["key"] == staging["key"] {
		t.Errorf("keys: %v %v", staging, other)
	}
	r.want(204, "DELETE", "./keys/"+staging["key"].(string), "")
	r.want(204, "DELETE", "./keys?key="+other["key"].(string), "")
	r.want(204, "DELETE", "./keys", `{"key":"wk_website_1"}`)
	r.want(422, "DELETE", "./keys", "")
	r.want(404, "DELETE", "./keys?key=nobodys", "")
	if got := r.want(200, "GET", src, ""); got["writeKey"] != "" || len(got["keys"].([]any)) != 3 {
		t.Errorf("after retiring all: %v", got)
	}
	r.want(404, "GET", "./snippet", "") // says that there is no key

	r.want(204, "DELETE", "/workspaces/acme/sources/blog", "")
	r.want(404, "GET", "/workspaces/acme/sources/blog", "")
}

func TestOptionsAreMergePatched(t *testing.T) {
	r := newRig(t)
	got := r.want(200, "PATCH", src, `{"name":"Shop","options":{"caching":{"maxAge":10,"sMaxAge":20,"staleWhileRevalidate":5,"staleIfError":60},"spa":true,"allowedOrigins":["https://Shop.example/"]}}`)
	if got["name"] != "Shop" {
		t.Errorf("name: %v", got["name"])
	}
	got = r.want(200, "PATCH", src, `{"options":{"spa":null,"bots":"drop","caching":{"maxAge":30}}}`)
	text, _ := json.Marshal(got["options"])
	want := `{"allowedOrigins":["https://shop.example"],"bots":"drop","caching":{"maxAge":30,"sMaxAge":20,"staleIfError":60,"staleWhileRevalidate":5}}`
	if string(text) != want {
		t.Errorf("options %s, want %s", text, want)
	}
	for body, location := range map[string]string{
		`{"options":{"bogus":1}}`:                    "body.options.bogus",
		`{"naem":"x"}`:                               "body.naem",
		`{"options":{"address":"half"}}`:             "body.options.address",
		`{"options":{"allowedOrigins":["nowhere"]}}`: "body.options.allowedOrigins[0]",
		`{"options":{"caching":{"maxAge":-1}}}`:      "body.options.caching.maxAge",
		`{"options":{"caching":{"maxAgee":1}}}`:      "body.options.caching.maxAgee",
		`{"options":{"spa":"yes"}}`:                  "body.options.spa",
	} {
		if text, _ := json.Marshal(r.want(422, "PATCH", src, body)["errors"]); !strings.Contains(string(text), `"`+location+`"`) {
			t.Errorf("%s: %s does not name %s", body, text, location)
		}
	}
}

func TestTwoEditorsCannotUndoEachOther(t *testing.T) {
	r := newRig(t)
	r.want(200, "PUT", "./integrations/mixpanel", `{"settings":{"token":"`+mixpanelToken+`"}}`, "If-Match", `"1"`)
	for _, stale := range []func() map[string]any{
		func() map[string]any {
			return r.want(409, "PUT", "./integrations/mixpanel", `{"enabled":false}`, "If-Match", `"1"`)
		},
		func() map[string]any { return r.want(409, "PATCH", src, `{"name":"x"}`, "If-Match", `1`) },
		func() map[string]any { return r.want(409, "DELETE", src, "", "If-Match", `W/"1"`) },
		func() map[string]any { return r.want(409, "POST", "./rollback", `{"revision":1}`, "If-Match", `"1"`) },
	} {
		if detail := stale()["detail"].(string); !strings.Contains(detail, "revision 2") {
			t.Errorf("the conflict does not say what is there: %s", detail)
		}
	}
	r.want(400, "PUT", "./integrations/mixpanel", `{"enabled":false}`, "If-Match", `"soon"`)
	r.want(200, "PUT", "./integrations/mixpanel", `{"enabled":false}`, "If-Match", `*`)
}

func TestRevisionsAreListedInPages(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.want(200, "PUT", "./integrations/mixpanel", `{"enabled":true,"settings":{"token":"`+mixpanelToken+`"}}`)
		r.want(200, "PUT", "./integrations/mixpanel", `{"enabled":false}`)
	}
	var seen []float64
	for path := "./revisions?limit=3"; path != ""; {
		w := r.do("GET", path, "")
		var page []map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		for _, rev := range page {
			seen = append(seen, rev["number"].(float64))
			if rev["live"] != (rev["number"] == 7.0) {
				t.Errorf("live: %v", rev)
			}
		}
		path = ""
		if link := w.Header().Get("Link"); link != "" {
			path = strings.TrimPrefix(link[1:strings.Index(link, ">")], "/api/v1")
		}
	}
	if len(seen) != 7 || seen[0] != 7 || seen[6] != 1 {
		t.Errorf("revisions %v", seen)
	}
}

func TestSnippet(t *testing.T) {
	r := newRig(t)
	if got := r.want(200, "GET", "./snippet", ""); !strings.Contains(got["html"].(string), "wk_website_1") {
		t.Errorf("inline: %v", got)
	}
	if got := r.want(200, "GET", "./snippet?form=external", ""); got["cspHash"] == "" || got["js"] == "" {
		t.Errorf("external: %v", got)
	}
	if w := r.do("GET", "./snippet", "", "Accept", "text/html"); !strings.HasPrefix(w.Body.String(), "<script>") || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("as text: %v %s", w.Header(), w.Body)
	}
	r.want(404, "GET", "./snippet?key=nobodys", "")
	r.want(422, "GET", "./snippet?form=sideways", "")
}

func TestDocuments(t *testing.T) {
	r := newRig(t)
	r.want(200, "PUT", "./integrations/ga4", `{"settings":{"measurementId":"G-TEST123456","apiSecret":"s3cret-value"}}`)
	export := r.do("GET", "/export", "").Body.String()
	same := r.want(200, "POST", "/apply?prune=true", export, "Content-Type", "application/yaml")
	if len(same["changes"].([]any)) != 0 {
		t.Errorf("an export changes: %v", same)
	}
	const doc = "workspaces:\n  default:\n    sources:\n      website:\n        destinations:\n          mixpanel:\n            settings: {token: " + mixpanelToken + "}\n"
	dry := r.want(200, "POST", "/apply?dryRun=true", doc, "Content-Type", "application/yaml")
	text, _ := json.Marshal(dry)
	if !strings.Contains(string(text), `"before":{"brotli":6500`) || !strings.Contains(string(text), `"after":{"brotli":7000`) || !strings.Contains(string(text), "https://cdn.mxpnl.com") {
		t.Errorf("dry run: %s", text)
	}
	if rev := r.want(200, "GET", src, "")["revision"]; rev != 2.0 {
		t.Errorf("a dry run made revision %v", rev)
	}
	r.want(200, "POST", "/apply", doc, "Content-Type", "application/yaml")
	if rev := r.want(200, "GET", src, "")["revision"]; rev != 3.0 {
		t.Errorf("applied: revision %v", rev)
	}
	bad := r.want(422, "POST", "/apply", "workspaces:\n  default:\n    surces: {}\n", "Content-Type", "application/yaml")
	if text, _ := json.Marshal(bad["errors"]); !strings.Contains(string(text), "line 3") {
		t.Errorf("mistake without its line: %s", text)
	}
	r.want(422, "POST", "/apply", "{", "Content-Type", "application/json")
}

// Every route of the contract's table, but those of later issues.
func TestEveryRouteIsThere(t *testing.T) {
	r := newRig(t)
	doc := r.want(200, "GET", "/openapi.json", "", "Authorization", "")
	if doc["openapi"] != "3.1.0" {
		t.Errorf("version %v", doc["openapi"])
	}
	paths := doc["paths"].(map[string]any)
	const s = "/api/v1/workspaces/{ws}/sources"
	for _, route := range []string{
		"get /api/v1/catalog", "get /api/v1/workspaces", "post /api/v1/workspaces",
		"get " + s, "post " + s, "get " + s + "/{source}", "patch " + s + "/{source}", "delete " + s + "/{source}",
		"post " + s + "/{source}/keys", "delete " + s + "/{source}/keys",
		"put " + s + "/{source}/integrations/{integration}", "delete " + s + "/{source}/integrations/{integration}",
		"get " + s + "/{source}/revisions", "post " + s + "/{source}/rollback", "get " + s + "/{source}/bundle",
		"get " + s + "/{source}/snippet", "get " + s + "/{source}/events",
		"post /api/v1/apply", "get /api/v1/export", "post /api/v1/signin-links",
	} {
		method, path, _ := strings.Cut(route, " ")
		if p, ok := paths[path].(map[string]any); !ok || p[method] == nil {
			t.Errorf("%s is missing", route)
		}
	}
}

// UPDATE_SNAPSHOTS=1 rewrites openapi.json: read its difference.
func TestOpenAPISnapshot(t *testing.T) {
	got := newRig(t).do("GET", "/openapi.json", "").Body.Bytes()
	if os.Getenv("UPDATE_SNAPSHOTS") != "" {
		if err := os.WriteFile("openapi.json", append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(want), bytes.TrimSpace(got)) {
		t.Error("the API has changed: run UPDATE_SNAPSHOTS=1 go test ./admin/api and read what git diff says")
	}
}

func TestProblems(t *testing.T) {
	r := newRig(t)
	var out strings.Builder
	show := func(name, method, path, body string, headers ...string) {
		w := r.do(method, path, body, headers...)
		out.WriteString("# " + name + "\n" + method + " " + path + " " + body + "\n")
		out.WriteString(http.StatusText(w.Code) + " " + w.Header().Get("Content-Type") + "\n" + strings.TrimSpace(w.Body.String()) + "\n\n")
	}
	show("no token", "GET", "/workspaces", "", "Authorization", "")
	show("wrong token", "GET", "/workspaces", "", "Authorization", "Bearer wrong")
	show("no such workspace", "GET", "/workspaces/nope/sources", "")
	show("no such source", "GET", "/workspaces/default/sources/nope", "")
	show("no such integration", "PUT", "./integrations/nope", `{"enabled":true}`)
	show("no such revision", "POST", "./rollback", `{"revision":99}`)
	show("no such route", "GET", "/nope", "")
	show("wrong method", "PUT", "/workspaces", "{}")
	show("not JSON", "POST", "/workspaces", `{"slug":`)
	show("trailing bytes", "POST", "/workspaces", `{"slug":"a"} {}`)
	show("given twice", "POST", "/workspaces", `{"slug":"a","slug":"b"}`)
	show("given twice, deep", "PUT", "./integrations/mixpanel", `{"settings":{"a":[{"x":1,"x":2}]}}`)
	show("unknown field", "POST", "/workspaces", `{"slug":"a","nmae":"A"}`)
	show("missing field", "POST", "/workspaces", `{"name":"A"}`)
	show("wrong type", "POST", "/workspaces", `{"slug":7}`)
	show("no body", "POST", "/workspaces", "")
	show("bad slug", "POST", "/workspaces", `{"slug":"</script>"}`)
	show("not JSON at all", "POST", "/workspaces", "<x/>", "Content-Type", "application/xml")
	show("unknown query", "GET", "./revisions?limt=3", "")
	show("wrong mode", "PUT", "./integrations/mixpanel", `{"mode":"sideways"}`)
	show("another origin", "POST", "/workspaces", `{"slug":"a"}`, "Origin", "https://evil.example")
	r.store.Down = settings.ErrUnavailable
	show("store away", "POST", "/workspaces", `{"slug":"a"}`)
	r.store.Down = os.ErrPermission
	show("store broken", "POST", "/workspaces", `{"slug":"a"}`)

	const file = "testdata/problems.txt"
	if os.Getenv("UPDATE_SNAPSHOTS") != "" {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != out.String() {
		t.Errorf("problems have changed: run UPDATE_SNAPSHOTS=1 go test ./admin/api and read what git diff says; got\n%s", out.String())
	}
}

func TestBodiesAreBounded(t *testing.T) {
	r := newRig(t)
	r.want(413, "POST", "/workspaces", `{"slug":"`+strings.Repeat("a", 2<<20)+`"}`)
}

func TestCurlsDefaultContentType(t *testing.T) {
	newRig(t).want(201, "POST", "/workspaces", `{"slug":"acme"}`, "Content-Type", "application/x-www-form-urlencoded")
}

func TestLogView(t *testing.T) {
	if got := newRig(t).want(200, "GET", "/log", ""); got["daysLeft"] != 6.25 {
		t.Errorf("log: %v", got)
	}
}

func TestSigninLink(t *testing.T) {
	got := newRig(t).want(201, "POST", "/signin-links", "")
	if !strings.HasPrefix(got["url"].(string), "http://127.0.0.1:9090/signin?link=") {
		t.Errorf("link: %v", got)
	}
}

func record(kind eventlog.Kind, key, value string) eventlog.Record {
	return eventlog.Record{Kind: kind, WriteKey: key, MessageID: "m1", ReceivedAt: time.Unix(1e9, 0), Value: []byte(value)}
}

func TestLiveEvents(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.feed.Run(ctx) }() // ends with ctx, waited for below
	server := httptest.NewServer(r.h)
	defer func() {
		r.api.Drain() // Close waits for the stream
		server.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	hostile := `{"type":"track","event":"\u003c/script>` + "\u2028" + `","note":"a\nevent: discard\ndata: {}"}`
	if err := r.events.Append(ctx, []eventlog.Record{
		record(eventlog.Event, "somebody_elses", `{"type":"page"}`),
		record(eventlog.Event, "wk_website_1", hostile),
		record(eventlog.Discard, "wk_website_1", `{"code":"event_too_large"}`),
		record(eventlog.Event, "wk_website_1", `not json`),
	}); err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/v1"+src+"/events", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Last-Event-ID", "whatever")
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("headers %v", res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	next := func() (event string, data map[string]any) {
		t.Helper()
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				event = value
			case "data":
				if err := json.Unmarshal([]byte(value), &data); err != nil {
					t.Fatalf("%v in %q", err, value)
				}
			case "":
				if event != "" {
					return event, data
				}
			}
		}
		t.Fatal("the stream ended")
		return "", nil
	}
	event, data := next()
	if event != "event" || data["environment"] != "production" || data["writeKey"] != "wk_website_1" {
		t.Errorf("first: %s %v", event, data)
	}
	var want any
	_ = json.Unmarshal([]byte(hostile), &want)
	if got, _ := json.Marshal(data["value"]); string(got) != string(must(json.Marshal(want))) {
		t.Errorf("value %s", got)
	}
	if event, data = next(); event != "discard" || data["code"] != "event_too_large" {
		t.Errorf("second: %s %v", event, data)
	}
	if event, data = next(); event != "event" || data["value"] != "not json" {
		t.Errorf("third: %s %v", event, data)
	}
	// And then as they come.
	if err := r.events.Append(ctx, []eventlog.Record{record(eventlog.Unresolved, "wk_website_1", `{"type":"page"}`)}); err != nil {
		t.Fatal(err)
	}
	if event, _ = next(); event != "unresolved" {
		t.Errorf("fourth: %s", event)
	}
	r.api.Drain()
	if lines.Scan() {
		t.Errorf("after draining: %q", lines.Text())
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
