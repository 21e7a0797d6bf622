package cdn

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

const livePath = "/analytics.js/v1/KEY/analytics.min.js"

func bundle(id string) *Bundle {
	return &Bundle{
		BuildID:  id,
		Identity: []byte("script " + id), Gzip: []byte("gzipped " + id), Brotli: []byte("brotlied " + id),
		Caching:  Caching{MaxAge: 60, SMaxAge: 60, StaleWhileRevalidate: 30, StaleIfError: 86400},
		Settings: []byte(`{"build":"` + id + `"}`),
	}
}

func putOrigin(t testing.TB) *Origin {
	t.Helper()
	o := New(Config{})
	o.Put("KEY", Default, bundle("b1"))
	return o
}

// request parses a request as the server would. Each header is "Name: value".
func request(t testing.TB, method, uri string, headers ...string) *fasthttp.RequestCtx {
	t.Helper()
	raw := method + " " + uri + " HTTP/1.1\r\nHost: cdn.example\r\n"
	for _, h := range headers {
		raw += h + "\r\n"
	}
	ctx := &fasthttp.RequestCtx{}
	if err := ctx.Request.Read(bufio.NewReaderSize(strings.NewReader(raw+"\r\n"), 1<<20)); err != nil {
		t.Fatalf("%s %q: %v", method, uri, err)
	}
	return ctx
}

// ask answers a request without a network.
func ask(t testing.TB, o *Origin, method, uri string, headers ...string) *fasthttp.Response {
	t.Helper()
	ctx := request(t, method, uri, headers...)
	o.Handle(ctx)
	return &ctx.Response
}

func expect(t *testing.T, r *fasthttp.Response, status int, body string, headers ...string) {
	t.Helper()
	if r.StatusCode() != status {
		t.Errorf("status %d, want %d", r.StatusCode(), status)
	}
	if !strings.Contains(string(r.Body()), body) || body == "" && len(r.Body()) > 0 {
		t.Errorf("body %q, want %q", r.Body(), body)
	}
	for _, h := range headers {
		name, want, _ := strings.Cut(h, ": ")
		if got := string(r.Header.Peek(name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestHit(t *testing.T) {
	r := ask(t, putOrigin(t), "GET", livePath, "Accept-Encoding: gzip, deflate, br")
	expect(t, r, 200, "brotlied b1",
		"Content-Type: text/javascript; charset=utf-8",
		"Content-Encoding: br",
		"Cache-Control: max-age=60, s-maxage=60, stale-while-revalidate=30, stale-if-error=86400",
		"Vary: Accept-Encoding",
		"Access-Control-Allow-Origin: *",
		"Cross-Origin-Resource-Policy: cross-origin",
		"Timing-Allow-Origin: *",
		"X-Content-Type-Options: nosniff",
		"ETag: "+string(entityTag([]byte("brotlied b1"), brotli)))
}

func TestEachEncodingHasItsBytesAndItsETag(t *testing.T) {
	o := putOrigin(t)
	etags := map[string]bool{}
	for accept, want := range map[string]string{"br": "brotlied b1", "gzip": "gzipped b1", "identity": "script b1"} {
		for _, path := range []string{livePath, strings.Replace(livePath, "KEY/", "KEY/platform/", 1)} {
			r := ask(t, o, "GET", path, "Accept-Encoding: "+accept)
			expect(t, r, 200, want)
			if got := string(r.Header.Peek("Content-Encoding")); got != accept && accept != "identity" || accept == "identity" && got != "" {
				t.Errorf("%s: Content-Encoding %q", accept, got)
			}
			etag := string(r.Header.Peek("ETag"))
			etags[etag] = true
			again := ask(t, o, "GET", path, "Accept-Encoding: "+accept, "If-None-Match: "+etag)
			expect(t, again, 304, "", "ETag: "+etag, "Vary: Accept-Encoding", "Access-Control-Allow-Origin: *",
				"Cache-Control: max-age=60, s-maxage=60, stale-while-revalidate=30, stale-if-error=86400", "Content-Encoding: ")
			other := ask(t, o, "GET", path, "Accept-Encoding: "+accept, `If-None-Match: "older"`, "If-None-Match: W/"+etag)
			expect(t, other, 304, "")
		}
	}
	if len(etags) != 3 {
		t.Errorf("ETags: %v", etags)
	}
	// The tag of one encoding is no validator of another.
	br := string(entityTag([]byte("brotlied b1"), brotli))
	expect(t, ask(t, o, "GET", livePath, "Accept-Encoding: gzip", "If-None-Match: "+br), 200, "gzipped b1")
}

func TestNoAcceptableEncoding(t *testing.T) {
	r := ask(t, putOrigin(t), "GET", livePath, "Accept-Encoding: identity;q=0")
	expect(t, r, 406, "every encoding", "Cache-Control: no-store", "Vary: Accept-Encoding")
}

func TestSettings(t *testing.T) {
	o := putOrigin(t)
	r := ask(t, o, "GET", "/v1/projects/KEY/settings")
	expect(t, r, 200, `{"build":"b1"}`, "Content-Type: application/json; charset=utf-8", "Access-Control-Allow-Origin: *",
		"Cache-Control: max-age=60, s-maxage=60, stale-while-revalidate=30, stale-if-error=86400")
	expect(t, ask(t, o, "GET", "/v1/projects/KEY/settings", "If-None-Match: "+string(r.Header.Peek("ETag"))), 304, "")
	expect(t, ask(t, o, "GET", "/v1/projects/NOPE/settings"), 404, `{"error":"unknown-write-key"`,
		"Content-Type: application/json; charset=utf-8", "Tagmill-Error: unknown-write-key", "Cache-Control: max-age=10")
	none := bundle("b2")
	none.Settings = nil
	o.Put("KEY", Default, none)
	expect(t, ask(t, o, "GET", "/v1/projects/KEY/settings"), 404, "unknown-write-key")
}

func TestProvisionalBytesAreSoonAskedForAgain(t *testing.T) {
	o := New(Config{})
	b := bundle("b1")
	b.Provisional = true
	o.Put("KEY", Default, b)
	expect(t, ask(t, o, "GET", livePath), 200, "script b1", "Cache-Control: max-age=5, s-maxage=5, stale-if-error=86400")
	expect(t, ask(t, o, "GET", "/analytics.js/v1/KEY/r/b1.min.js"), 200, "script b1", "Cache-Control: max-age=5, s-maxage=5, stale-if-error=86400")
	expect(t, ask(t, o, "GET", "/v1/projects/KEY/settings"), 200, "b1",
		"Cache-Control: max-age=60, s-maxage=60, stale-while-revalidate=30, stale-if-error=86400")
	b.Caching.MaxAge = 2
	o.Put("KEY", Default, b)
	expect(t, ask(t, o, "GET", livePath), 200, "script b1", "Cache-Control: max-age=2, s-maxage=5, stale-if-error=86400")
}

func TestCacheControl(t *testing.T) {
	for want, c := range map[string]Caching{
		"max-age=0":                                    {},
		"max-age=300, s-maxage=3600":                   {MaxAge: 300, SMaxAge: 3600},
		"max-age=0, s-maxage=1, stale-if-error=2":      {SMaxAge: 1, StaleIfError: 2},
		"max-age=1, stale-while-revalidate=7":          {MaxAge: 1, SMaxAge: -1, StaleWhileRevalidate: 7},
		"max-age=0, s-maxage=9, stale-if-error=999999": {MaxAge: -5, SMaxAge: 9, StaleIfError: 999999},
	} {
		if got := c.cacheControl(false); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}

func TestBuilds(t *testing.T) {
	asked := 0
	o := New(Config{LookupBuild: func(_ context.Context, key, id string) (*Bundle, error) {
		asked++
		if key != "KEY" || id != "old1" {
			return nil, fmt.Errorf("build %s: %w", id, ErrUnknownBuild)
		}
		return bundle(id), nil
	}})
	o.Put("KEY", Default, bundle("b1"))
	const year = "Cache-Control: public, max-age=31536000, immutable"
	expect(t, ask(t, o, "GET", "/analytics.js/v1/KEY/r/b1.min.js", "Accept-Encoding: br"), 200, "brotlied b1", year, "Content-Encoding: br")
	if asked != 0 {
		t.Error("the live build was looked up")
	}
	for range 3 {
		expect(t, ask(t, o, "GET", "/analytics.js/v1/KEY/r/old1.min.js", "Accept-Encoding: gzip"), 200, "gzipped old1", year)
	}
	if asked != 1 {
		t.Errorf("an old build was looked up %d times", asked)
	}
	for range 3 {
		expect(t, ask(t, o, "GET", "/analytics.js/v1/KEY/r/none.min.js"), 404, "no such build", "Cache-Control: no-store")
	}
	if asked != 2 {
		t.Errorf("an unknown build was looked up %d times", asked-1)
	}
	expect(t, ask(t, New(Config{}), "GET", "/analytics.js/v1/KEY/r/b1.min.js"), 404, "no such build")
}

func TestAProvisionalBuildIsLookedUpAgain(t *testing.T) {
	asked := 0
	o := New(Config{LookupBuild: func(_ context.Context, key, id string) (*Bundle, error) {
		asked++
		b := bundle(id)
		b.Provisional = asked == 1
		return b, nil
	}})
	for _, want := range []string{"max-age=5, s-maxage=5, stale-if-error=86400", immutable, immutable} {
		expect(t, ask(t, o, "GET", "/analytics.js/v1/KEY/r/old1.min.js"), 200, "script old1", "Cache-Control: "+want)
	}
	if asked != 2 {
		t.Errorf("looked up %d times", asked)
	}
}

func TestUnknownKey(t *testing.T) {
	o := New(Config{})
	for _, method := range []string{"GET", "HEAD"} {
		expect(t, ask(t, o, method, "/analytics.js/v1/No.Pe~1/analytics.min.js"), 200, `console;c&&c.warn`,
			"Tagmill-Error: unknown-write-key", "Cache-Control: max-age=10", "Content-Type: text/javascript; charset=utf-8",
			"Access-Control-Allow-Origin: *", "X-Content-Type-Options: nosniff")
	}
	if body := string(ask(t, o, "GET", livePath).Body()); !strings.Contains(body, `the write key \"KEY\" is unknown`) {
		t.Errorf("the warning does not name the key: %s", body)
	}
}

func TestQuotedCannotLeaveItsString(t *testing.T) {
	for _, s := range []string{`"`, `\`, "</script>", "\u2028", "\n", "<!--"} {
		if q := quoted(s); strings.ContainsAny(q[1:len(q)-1], "<>&\u2028\n") || q == `"""` {
			t.Errorf("%q is quoted as %s", s, q)
		}
	}
}

func TestRemove(t *testing.T) {
	o := putOrigin(t)
	o.Put("other", Default, bundle("o"))
	o.Remove("KEY")
	o.Remove("never there")
	expect(t, ask(t, o, "GET", livePath), 200, "is unknown", "Tagmill-Error: unknown-write-key")
	expect(t, ask(t, o, "GET", "/v1/projects/other/settings"), 200, "o")
}

func TestNonCanonicalIsNotFoundAndNotStored(t *testing.T) {
	o := New(Config{Lookup: func(context.Context, string) (*Bundle, error) {
		t.Error("looked up")
		return nil, ErrUnknownKey
	}})
	o.Put("KEY", Default, bundle("b1"))
	for _, uri := range nonCanonical {
		ctx := &fasthttp.RequestCtx{} // some of them fasthttp refuses to parse
		ctx.Request.Header.SetRequestURI(uri)
		if string(ctx.Request.Header.RequestURI()) != uri {
			continue
		}
		o.Handle(ctx)
		expect(t, &ctx.Response, 404, "no such path", "Cache-Control: no-store")
	}
}

func TestMethods(t *testing.T) {
	o := putOrigin(t)
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"} {
		expect(t, ask(t, o, method, livePath), 405, "only GET and HEAD", "Allow: GET, HEAD", "Cache-Control: no-store")
	}
}

// No header but those of the table may change a byte: a cache that keys on
// them alone is right.
func TestOtherHeadersChangeNothing(t *testing.T) {
	o := putOrigin(t)
	want := ask(t, o, "GET", livePath, "Accept-Encoding: br").String()
	names := []string{"Cookie", "User-Agent", "Origin", "Referer", "Accept", "Accept-Language", "Range", "If-Modified-Since", "If-Match", "If-Range",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "Forwarded",
		"CloudFront-Viewer-Country", "Sec-GPC", "DNT", "Save-Data", "Sec-Fetch-Dest", "Access-Control-Request-Method", "Cache-Control", "Pragma", "Via", "Upgrade", "TE"}
	value := rapid.StringMatching(`[ -~]{0,60}`)
	rapid.Check(t, func(t *rapid.T) {
		var headers []string
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			name := rapid.OneOf(rapid.SampledFrom(names), rapid.StringMatching(`X-[A-Za-z0-9-]{1,20}`)).Draw(t, "name")
			headers = append(headers, name+": "+value.Draw(t, "value"))
		}
		headers = append(headers, "Accept-Encoding: br")
		raw := "GET " + livePath + " HTTP/1.1\r\nHost: " + rapid.StringMatching(`[a-z.]{1,20}`).Draw(t, "host") + "\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n"
		ctx := &fasthttp.RequestCtx{}
		if err := ctx.Request.Read(bufio.NewReaderSize(strings.NewReader(raw), 1<<16)); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		o.Handle(ctx)
		if got := ctx.Response.String(); got != want {
			t.Fatalf("changed by one of %q:\n%s\nwant\n%s", headers, got, want)
		}
	})
}

// Over a real connection: HEAD and 304 have no body, and what follows on the
// connection is read right.
func TestOnTheWire(t *testing.T) {
	// fasthttp's own two: the clock of the Date header, for the whole process,
	// and the cleaner of a pool, which ends seconds after its server.
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
	o := putOrigin(t)
	ln := fasthttputil.NewInmemoryListener()
	srv := &fasthttp.Server{Handler: o.Handle, NoDefaultServerHeader: true, NoDefaultContentType: true}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	conn, err := ln.Dial()
	if err != nil {
		t.Fatal(err)
	}
	etag := string(entityTag([]byte("gzipped b1"), gzip))
	r := bufio.NewReader(conn)
	for range 2 {
		for _, c := range []struct {
			method, extra, body string
			status, length      int
		}{
			{"HEAD", "", "", 200, len("gzipped b1")},
			{"GET", "If-None-Match: " + etag + "\r\n", "", 304, -1},
			{"HEAD", "If-None-Match: *\r\n", "", 304, -1},
			{"GET", "", "gzipped b1", 200, len("gzipped b1")},
		} {
			if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n%s\r\n", c.method, livePath, c.extra); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(r, &http.Request{Method: c.method})
			if err != nil {
				t.Fatal(err)
			}
			var body bytes.Buffer
			if _, err := body.ReadFrom(res.Body); err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != c.status || body.String() != c.body || c.length >= 0 && int(res.ContentLength) != c.length {
				t.Errorf("%s %s: %s, %d bytes announced, body %q", c.method, c.extra, res.Status, res.ContentLength, body.String())
			}
			if res.Header.Get("ETag") != etag || res.Header.Get("Date") == "" {
				t.Errorf("%s %s: headers %v", c.method, c.extra, res.Header)
			}
		}
	}
	conn.Close()
	if err := srv.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
}

// While bundles are swapped, every answer is one bundle's, whole.
func TestReadersNeverSeeAMixture(t *testing.T) {
	o := New(Config{})
	var bundles [4]*Bundle
	for i := range bundles {
		bundles[i] = bundle(fmt.Sprintf("b%d", i))
	}
	o.Put("KEY", Default, bundles[0])
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	writers.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				o.Put("KEY", Default, bundles[i%len(bundles)])
				o.Put(fmt.Sprintf("other%d", i%1000), Default, bundles[0])
				o.Remove(fmt.Sprintf("other%d", (i+500)%1000))
			}
		}
	})
	for range 3 {
		readers.Go(func() {
			for range 2000 {
				r := ask(t, o, "GET", livePath, "Accept-Encoding: br")
				if want := string(entityTag(r.Body(), brotli)); r.StatusCode() != 200 || string(r.Header.Peek("ETag")) != want {
					t.Errorf("status %d, ETag %s of body %q", r.StatusCode(), r.Header.Peek("ETag"), r.Body())
					return
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	writers.Wait()
}
