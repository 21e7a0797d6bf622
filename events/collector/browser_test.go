package collector

import (
	"bytes"
	"encoding/base64"
	"image/gif"
	"net/url"
	"strings"
	"testing"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/valyala/fasthttp"
)

func header(res *fasthttp.Response, name string) string { return string(res.Header.Peek(name)) }

func TestSimplePostsAreReadableByAnyPage(t *testing.T) {
	b := newRig(t, Source{})
	res := b.post("/v1/t", track, "Origin", "https://shop.example", "Content-Type", "text/plain")
	b.want(res, 200)
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      "https://shop.example",
		"Access-Control-Allow-Credentials": "true",
		"Vary":                             "Origin",
	} {
		if got := header(res, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := header(res, "Access-Control-Expose-Headers"); !strings.Contains(got, "Retry-After") {
		t.Errorf("exposed: %q", got)
	}
	if res := b.post("/v1/t", track); header(res, "Access-Control-Allow-Origin") != "*" || header(res, "Access-Control-Allow-Credentials") != "" {
		t.Errorf("without an origin: %s", &res.Header)
	}
	b.fail = eventlog.ErrUnavailable // a page must see errors too
	if res := b.post("/v1/t", track, "Origin", "https://shop.example"); header(res, "Access-Control-Allow-Origin") != "https://shop.example" {
		t.Errorf("on 503: %s", &res.Header)
	}
}

func TestPreflight(t *testing.T) {
	b := newRig(t, Source{})
	for _, path := range append(Paths(), "/v1/pixel/track") {
		res := b.do("OPTIONS", path, "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "Authorization,content-type, X-My-App ,<bad>,x-retry-count")
		if res.StatusCode() != 204 || len(res.Body()) != 0 {
			t.Fatalf("%s: %d %q", path, res.StatusCode(), res.Body())
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin":      "https://shop.example",
			"Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Headers":     "authorization, content-type, x-retry-count, x-my-app",
			"Access-Control-Max-Age":           "86400",
			"Vary":                             "Origin, Access-Control-Request-Headers",
		} {
			if got := header(res, name); got != want {
				t.Errorf("%s: %s: %q, want %q", path, name, got, want)
			}
		}
	}
	res := b.do("OPTIONS", "/v1/t", "")
	if got := header(res, "Access-Control-Allow-Headers"); res.StatusCode() != 204 || got != allowedHeaders {
		t.Errorf("plain OPTIONS: %d, %q", res.StatusCode(), got)
	}
	if len(b.records()) != 0 {
		t.Error("a preflight stored something")
	}
}

func TestIDCookieIsRefreshed(t *testing.T) {
	const id = "2f1c8f0e-5b5e-4a57-9a2e-3c0f6d9e7b1a"
	for _, test := range []struct {
		name                         string
		host, origin, cookie, fetchd string
		want                         string
	}{
		{"same site", "c.shop.example", "https://www.shop.example", id, "same-site", "Domain=shop.example; Path=/; SameSite=Lax; Secure"},
		{"same origin, with ports", "shop.example:8443", "https://shop.example:8443", id, "same-origin", "Domain=shop.example; Path=/; SameSite=Lax; Secure"},
		{"no Sec-Fetch-Site", "c.shop.example", "http://shop.example", id, "", "Domain=shop.example; Path=/; SameSite=Lax"},
		{"two-label suffix", "c.shop.co.uk", "https://www.shop.co.uk", id, "same-site", "Domain=shop.co.uk; Path=/; SameSite=Lax; Secure"},
		{"hosted on a public suffix", "c.me.github.io", "https://www.me.github.io", id, "", "Domain=me.github.io; Path=/; SameSite=Lax; Secure"},
		{"upper case", "C.SHOP.example", "https://WWW.shop.EXAMPLE", id, "", "Domain=shop.example; Path=/; SameSite=Lax; Secure"},
		{"other site", "c.shop.example", "https://other.example", id, "cross-site", ""},
		{"other site that lies", "c.shop.example", "https://other.example", id, "same-site", ""},
		{"browser says cross-site", "c.shop.example", "https://shop.example", id, "cross-site", ""},
		{"neighbours on a public suffix", "you.github.io", "https://me.github.io", id, "", ""},
		{"a public suffix", "co.uk", "https://co.uk", id, "", ""},
		{"address", "192.0.2.1", "https://192.0.2.1", id, "same-origin", ""},
		{"IPv6", "[2001:db8::1]:80", "https://[2001:db8::1]", id, "same-origin", ""},
		{"localhost", "localhost:8080", "http://localhost:8080", id, "same-origin", ""},
		{"no origin", "shop.example", "", id, "same-origin", ""},
		{"null origin", "shop.example", "null", id, "", ""},
		{"no cookie", "shop.example", "https://shop.example", "", "same-origin", ""},
		{"odd cookie", "shop.example", "https://shop.example", `a"b`, "same-origin", ""},
		{"long cookie", "shop.example", "https://shop.example", strings.Repeat("a", 300), "same-origin", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newRig(t, Source{RefreshIDCookie: true})
			headers := []string{"Host", test.host, "Origin", test.origin, "Cookie", "a=b; ajs_anonymous_id=" + test.cookie + "; c=d"}
			if test.fetchd != "" {
				headers = append(headers, "Sec-Fetch-Site", test.fetchd)
			}
			res := b.post("/v1/t", track, headers...)
			b.want(res, 200)
			want := ""
			if test.want != "" {
				want = "ajs_anonymous_id=" + test.cookie + "; Max-Age=31536000; " + test.want
			}
			var got string
			for _, line := range strings.Split(res.Header.String(), "\r\n") {
				if v, ok := strings.CutPrefix(line, "Set-Cookie: "); ok {
					got += v
				}
			}
			if got != want {
				t.Errorf("Set-Cookie %q, want %q", got, want)
			}
			b.sources.byKey[key] = Source{ID: "src-1"}
			if res := b.post("/v1/t", track, headers...); strings.Contains(res.Header.String(), "Set-Cookie") {
				t.Error("set though the source does not want it")
			}
		})
	}
}

func TestRegistrable(t *testing.T) {
	for host, want := range map[string]string{
		"a.b.shop.example:80": "shop.example", "Shop.Example.": "shop.example", "a.shop.co.jp": "shop.co.jp",
		"": "", ":80": "", "..": "", "a..": "", "shop.example\\@x": "", "sh;op.example": "", "example": "", "1.2.3.4": "", "[::1]:80": "", "::1": "",
	} {
		if got := registrable(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func TestPixel(t *testing.T) {
	json := `{"userId":"u>?","event":"Mail Opened","writeKey":"` + key + `","properties":{"x":"~~~???>>>"}}`
	for name, data := range map[string]string{
		"JSON":                  url.QueryEscape(json),
		"base64":                url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(json))),
		"base64, not escaped":   base64.StdEncoding.EncodeToString([]byte(json)),
		"base64url":             base64.URLEncoding.EncodeToString([]byte(json)),
		"base64url, no padding": base64.RawURLEncoding.EncodeToString([]byte(json)),
	} {
		b := newRig(t, Source{})
		b.wantPixel(b.do("GET", "/v1/pixel/track?data="+data, "", "User-Agent", "Mozilla/5.0"))
		_, m := b.only(eventlog.Event)
		if m["type"] != "track" || m["userId"] != "u>?" || m["context"].(map[string]any)["ip"] != "203.0.113.77" {
			t.Errorf("%s: %v", name, m)
		}
		b.count(b.metrics.pixels.accepted, 1)
	}
	for _, query := range []string{
		"", "?", "?data=", "?data=%ff", "?data={", "?data=" + url.QueryEscape(`{"userId":"u"}`),
		"?data=" + url.QueryEscape(strings.Repeat("x", 100<<10)), "?x=1",
		"?data=" + url.QueryEscape(strings.ReplaceAll(json, key, "not-a-known-key")),
	} {
		b := newRig(t, Source{})
		b.wantPixel(b.do("GET", "/v1/pixel/track"+query, ""))
		b.wantPixel(b.do("GET", "/v1/pixel/nonsense"+query, ""))
		b.count(b.metrics.pixels.failed, 2)
		if len(b.records()) != 0 {
			t.Errorf("%s: stored %v", query, brief(b.records()))
		}
	}
	b := newRig(t, Source{})
	b.fail = eventlog.ErrFull
	b.wantPixel(b.do("GET", "/v1/pixel/track?data="+url.QueryEscape(json), ""))
	b.fail = nil
	b.wantPixel(b.do("HEAD", "/v1/pixel/track?data="+url.QueryEscape(json), ""))
	if len(b.records()) != 0 {
		t.Error("HEAD stored an event")
	}
	res := b.do("POST", "/v1/pixel/track", json)
	b.want(res, 405)
	if got := header(res, "Allow"); got != "GET, HEAD, OPTIONS" {
		t.Errorf("Allow %q", got)
	}
}

func (b *rig) wantPixel(res *fasthttp.Response) {
	b.t.Helper()
	img, err := gif.Decode(bytes.NewReader(res.Body()))
	if err != nil || img.Bounds().Dx() != 1 || img.Bounds().Dy() != 1 {
		b.t.Fatalf("not a GIF of one pixel: %v", err)
	}
	if _, _, _, alpha := img.At(0, 0).RGBA(); alpha != 0 {
		b.t.Error("the pixel is to be seen")
	}
	if res.StatusCode() != 200 || header(res, "Content-Type") != "image/gif" || header(res, "Cache-Control") != "no-store" {
		b.t.Errorf("%d, %s", res.StatusCode(), &res.Header)
	}
}

func TestClientMetrics(t *testing.T) {
	b := newRig(t, Source{})
	for _, body := range []string{`{"series":[]}`, "", "rubbish", strings.Repeat("x", 1<<20)} {
		b.want(b.post("/v1/m", body, "Content-Type", "text/plain"), 200)
	}
	b.count(b.metrics.clientReports, 4)
}

func TestCSPReports(t *testing.T) {
	b := newRig(t, Source{})
	for _, body := range []string{
		`{"csp-report":{"document-uri":"https://shop.example/","violated-directive":"script-src 'self'","effective-directive":"script-src-elem","blocked-uri":"https://CDN.example/x.js"}}`,
		`{"csp-report":{"violated-directive":"script-src-elem","blocked-uri":"https://cdn.example"}}`,
		`[{"type":"csp-violation","body":{"blockedURL":"https://cdn.example:8443/y","effectiveDirective":"script-src-elem"}},{"type":"deprecation","body":{}}]`,
	} {
		res := b.post("/v1/csp", body, "Content-Type", "application/reports+json")
		if res.StatusCode() != 204 {
			t.Errorf("%s: %d %s", body, res.StatusCode(), res.Body())
		}
	}
	b.count(b.metrics.csp.WithLabelValues("script-src-elem", "cdn.example"), 3)
	for _, body := range []string{"", "x", "{}", `{"csp-report":7}`, `{"csp-report":null}`, `"x"`, strings.Repeat("[", 70<<10)} {
		b.want(b.post("/v1/csp", body), 400)
	}

	// Whatever is sent, the number of series stays small.
	for i := range 3 * maxBlocked {
		directive, host := strings.Repeat("d", i), strings.Repeat("h", i%60+1)+strings.Repeat("i", i/60+1)
		b.post("/v1/csp", `{"csp-report":{"effective-directive":"`+directive+`","blocked-uri":"https://`+host+`/"}}`)
	}
	families, err := b.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if n := len(f.Metric); f.GetName() == "tagmill_collector_csp_violations_total" && n > maxBlocked+2 {
			t.Errorf("%d series", n)
		}
	}
	b.count(b.metrics.csp.WithLabelValues("other", "other"), float64(3*maxBlocked-(maxBlocked-1)))
}

// The bodies and headers below are those of Segment's clients.
func TestRequestsOfSegmentsClients(t *testing.T) {
	for _, test := range []struct {
		name, path, body string
		headers          []string
		events           int
		client           bool
	}{
		{"analytics-next 1.84, standard delivery", "/v1/t",
			`{"timestamp":"2026-11-22T10:00:00.123Z","integrations":{},"type":"track","event":"e","properties":{},"context":{"page":{"path":"/","referrer":"","search":"","title":"","url":"https://shop.example/"},"userAgent":"Mozilla/5.0","locale":"en-US","library":{"name":"analytics.js","version":"next-1.84.3"},"timezone":"UTC"},"messageId":"ajs-next-1732269600123-8b6b5fb5-9e0b-4d0a-a4b5-0c6c8e6d1f5a","anonymousId":"a","userId":null,"writeKey":"` + key + `","sentAt":"2026-11-22T10:00:00.456Z","_metadata":{"bundled":["Segment.io"],"unbundled":[],"bundledIds":[]}}`,
			[]string{"Content-Type", "text/plain", "Authorization", basic(key + ":"), "Origin", "https://shop.example", "User-Agent", "Mozilla/5.0"}, 1, true},
		{"analytics-next, batching", "/v1/b",
			`{"writeKey":"` + key + `","batch":[{"type":"page","name":null,"category":null,"properties":{"path":"/"},"anonymousId":"a","messageId":"m1","timestamp":"2026-11-22T10:00:00.123Z","context":{},"writeKey":"` + key + `"},{"type":"track","event":"e","anonymousId":"a","messageId":"m2","writeKey":"` + key + `"}],"sentAt":"2026-11-22T10:00:00.456Z"}`,
			[]string{"Content-Type", "text/plain", "Origin", "https://shop.example", "X-Retry-Count", "1"}, 2, true},
		{"analytics-node", "/v1/batch",
			`{"batch":[{"userId":"u","traits":{"a":1},"type":"identify","messageId":"node-next-1732269600123-x","timestamp":"2026-11-22T10:00:00.123Z","context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"}},"integrations":{},"_metadata":{"nodeVersion":"22.0.0","jsRuntime":"node"}}],"writeKey":"` + key + `","sentAt":"2026-11-22T10:00:00.456Z"}`,
			[]string{"Content-Type", "application/json", "Authorization", basic(key + ":"), "User-Agent", "analytics-node-next/latest"}, 1, false},
		{"analytics-node with OAuth", "/v1/batch",
			`{"batch":[{"userId":"u","type":"identify"}],"writeKey":"` + key + `","sentAt":"2026-11-22T10:00:00.456Z"}`,
			[]string{"Content-Type", "application/json", "Authorization", "Bearer ey.ey.x"}, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newRig(t, Source{})
			b.want(b.post(test.path, test.body, test.headers...), 200)
			records := b.records()
			if len(records) != test.events {
				t.Fatalf("records %v", brief(records))
			}
			for _, r := range records {
				if r.Kind != eventlog.Event || bytes.Contains(r.Value, []byte(`"ip"`)) != test.client {
					t.Errorf("record of kind %d: %s", r.Kind, r.Value)
				}
			}
		})
	}
}
