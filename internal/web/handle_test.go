package web

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
)

// named answers with its name and the path it sees.
func named(name string) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		ctx.SetBodyString(name + " " + string(ctx.Request.Header.RequestURI()) + " " + string(ctx.Path()))
	}
}

func get(t *testing.T, s *Server, uri string) string {
	t.Helper()
	answers, _ := raw(t, s.Addr(), "GET "+uri+" HTTP/1.1\r\nHost: h\r\n\r\n", 1)
	if len(answers) != 1 {
		t.Fatalf("%s: no answer", uri)
	}
	return answers[0]
}

func TestTheLongestPrefixWins(t *testing.T) {
	s := start(t, Config{}, Route{"/v1/", "events", named("events")}, Route{"/v1/projects/", "settings", named("settings")}, Route{"/scripts/", "scripts", named("scripts")})
	for uri, want := range map[string]string{
		"/v1/t":            "200 events /v1/t /v1/t",
		"/v1/projects":     "200 events /v1/projects /v1/projects",
		"/v1/projects/k":   "200 settings /v1/projects/k /v1/projects/k",
		"/scripts/a%2fb?q": "200 scripts /scripts/a%2fb?q /scripts/a/b", // raw for those who match raw
		"/v1":              "404 no such path\n",
		"/":                "404 no such path\n",
		"//v1/t":           "404 no such path\n",
		"/x/../v1/t":       "404 no such path\n",
		"/%76%31/t":        "404 no such path\n",
		"/V1/t":            "404 no such path\n",
	} {
		if got := get(t, s, uri); got != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
}

func TestThePrefixIsCutOff(t *testing.T) {
	s := start(t, Config{Prefix: "/t/x"}, Route{"/v1/", "events", named("events")})
	for uri, want := range map[string]string{
		"/t/x/v1/a?b=c":         "200 events /v1/a?b=c /v1/a",
		"http://h/t/x/v1/a":     "200 events /v1/a /v1/a",
		"/v1/a":                 "404 no such path\n",
		"/t/x":                  "404 no such path\n",
		"/t/x/":                 "404 no such path\n",
		"/t/xv1/a":              "404 no such path\n",
		"/t/x//v1/a":            "404 no such path\n",
		"/t/%78/v1/a":           "404 no such path\n",
		"/livez":                "200 ok\n",
		"/t/x/livez":            "404 no such path\n",
		"/t/x/v1/" + "a/../../": "200 events /v1/a/../../ /",
	} {
		if got := get(t, s, uri); got != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
}

func TestHealth(t *testing.T) {
	var ready atomic.Pointer[error]
	s := start(t, Config{Ready: func() error {
		if err := ready.Load(); err != nil {
			return *err
		}
		return nil
	}}, Route{"/", "all", named("all")})
	if got := get(t, s, "/livez") + get(t, s, "/readyz"); got != "200 ok\n200 ok\n" {
		t.Errorf("ready: %q", got)
	}
	err := errors.New("the log is not open yet")
	ready.Store(&err)
	if got := get(t, s, "/livez") + get(t, s, "/readyz"); got != "200 ok\n503 the log is not open yet\n" {
		t.Errorf("not ready: %q", got)
	}
	if got := get(t, s, "/readyz/"); !strings.HasPrefix(got, "200 all") {
		t.Errorf("not health: %q", got)
	}
}

func TestAPanicIsA500AndTheProcessGoesOn(t *testing.T) {
	var log syncBuffer
	s := start(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, Route{"/boom", "boom", func(ctx *fasthttp.RequestCtx) {
		ctx.SetBodyString("half an answer with secrets")
		ctx.Response.Header.Set("X-Secret", "1")
		panic("boom of the handler")
	}}, Route{"/", "all", named("all")})
	answers, closed := raw(t, s.Addr(), "GET /boom HTTP/1.1\r\nHost: h\r\n\r\n"+"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 2)
	if len(answers) != 1 || answers[0] != "500 internal error\n" || !closed {
		t.Errorf("answers %q, closed %v", answers, closed)
	}
	res, err := http.Get(s.URL() + "/boom")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.Header.Get("X-Secret") != "" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers of a 500: %v", res.Header)
	}
	if got := get(t, s, "/a"); got != "200 all /a /a" {
		t.Errorf("after a panic: %q", got)
	}
	if l := log.String(); !strings.Contains(l, "boom of the handler") || !strings.Contains(l, "handle_test.go") || !strings.Contains(l, "route=boom") {
		t.Errorf("log: %s", l)
	}
}

func TestLimits(t *testing.T) {
	s := start(t, Config{Limits: Limits{MaxHeaderBytes: 1024, MaxBodyBytes: 100}}, Route{"/x/", "echo", echo})
	const post = "POST /x/a HTTP/1.1\r\nHost: h\r\n"
	for name, c := range map[string]struct{ request, want string }{
		"header too large":       {post + "X-A: " + strings.Repeat("a", 2000) + "\r\n\r\n", "431 request line and header are too large\n"},
		"target too large":       {"GET /x/" + strings.Repeat("a", 2000) + " HTTP/1.1\r\nHost: h\r\n\r\n", "431 request line and header are too large\n"},
		"body too large":         {post + "Content-Length: 101\r\n\r\n" + strings.Repeat("a", 101), "400 request body is too large\n"},
		"body far too large":     {post + "Content-Length: 8000000\r\n\r\n" + strings.Repeat("a", 8000000), "400 request body is too large\n"},
		"body said to be huge":   {post + "Content-Length: 999999999\r\n\r\n", "400 request body is too large\n"},
		"chunked body too large": {post + "Transfer-Encoding: chunked\r\n\r\n65\r\n" + strings.Repeat("a", 101) + "\r\n0\r\n\r\n", "400 request body is too large\n"},
		"body as large as may":   {post + "Content-Length: 100\r\n\r\n" + strings.Repeat("a", 100), `200 POST /x/a "` + strings.Repeat("a", 100) + `"`},
	} {
		answers, closed := raw(t, s.Addr(), c.request, 1)
		if len(answers) != 1 || answers[0] != c.want || closed == strings.HasPrefix(c.want, "200") {
			t.Errorf("%s: %q, closed %v", name, answers, closed)
		}
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	s, err := New(Config{Addr: "127.0.0.1:0"}, Route{"/x/", "echo", echo})
	if err != nil {
		t.Fatal(err)
	}
	s.conns.set(Limits{RequestTimeout: 50 * time.Millisecond, IdleTimeout: 50 * time.Millisecond}, 10*time.Millisecond)
	run(t, s)
	for name, request := range map[string]string{
		"header":  "GET /x/a HTTP/1.1\r\nHo",
		"body":    "POST /x/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe",
		"chunk":   "POST /x/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
		"nothing": "",
	} {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn) // ends only when the server closes
		if err != nil || bytes.HasPrefix(answer, []byte("HTTP/1.1 2")) {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
		conn.Close()
	}
	// Idle between requests: closed without a word.
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /x/a HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(conn); err != nil || bytes.Count(answer, []byte("HTTP/1.1 ")) != 1 {
		t.Errorf("idle: %q, %v", answer, err)
	}
}

func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	s, err := New(Config{Addr: "127.0.0.1:0"}, Route{"/", "large", func(ctx *fasthttp.RequestCtx) { ctx.SetBody(make([]byte, 64<<20)) }})
	if err != nil {
		t.Fatal(err)
	}
	s.conns.set(Limits{RequestTimeout: 50 * time.Millisecond, IdleTimeout: time.Hour}, 10*time.Millisecond)
	run(t, s)
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	for range time.Tick(time.Millisecond) { // the test's own time-out ends it otherwise
		if s.conns.count() == 0 {
			return
		}
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := start(t, Config{Limits: Limits{MaxConns: 1}}, Route{"/", "slow", func(ctx *fasthttp.RequestCtx) {
		entered <- struct{}{}
		<-leave
	}})
	first := make(chan string, 1)
	go func() { first <- get(t, s, "/") }()
	<-entered
	if got := get(t, s, "/"); !strings.HasPrefix(got, "503 ") {
		t.Errorf("beyond the limit: %q", got)
	}
	close(leave)
	if got := <-first; got != "200 " {
		t.Errorf("within the limit: %q", got)
	}
}

func TestMetricsAndAccessLog(t *testing.T) {
	registry := prometheus.NewRegistry()
	var log syncBuffer
	s := start(t, Config{Registerer: registry, AccessLog: true, Logger: slog.New(slog.NewTextHandler(&log, nil))},
		Route{"/x/", "echo", echo}, Route{"/panic", "panic", func(*fasthttp.RequestCtx) { panic("x") }})
	for _, uri := range []string{"/x/a", "/x/b", "/none", "/panic", "/livez"} {
		get(t, s, uri)
	}
	raw(t, s.Addr(), "GET /\x00 HTTP/1.1\r\n\r\n", 1)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"tagmill_web_requests_total 2xx echo":  2,
		"tagmill_web_requests_total 5xx panic": 1,
		"tagmill_web_requests_total 4xx none":  1,
		"tagmill_web_requests_total 2xx none":  1,
		"tagmill_web_request_seconds echo":     2,
		"tagmill_web_panics_total":             1,
		"tagmill_web_malformed_total":          1,
	} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
	if l := log.String(); strings.Count(l, "msg=request ") != 5 || !strings.Contains(l, "uri=/x/b status=200") {
		t.Errorf("access log:\n%s", l)
	}
}

func TestTheAccessLogIsOffByDefault(t *testing.T) {
	var log syncBuffer
	s := start(t, Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, Route{"/x/", "echo", echo})
	get(t, s, "/x/a")
	if log.String() != "" {
		t.Errorf("logged: %s", log.String())
	}
}

// syncBuffer is a log that two goroutines may use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
