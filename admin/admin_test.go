package admin_test

import (
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tagmill/tagmill/admin"
)

const token = "a-token-of-the-tests"

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newAuth(t *testing.T, c *clock, secure bool) *admin.Auth {
	t.Helper()
	auth, err := admin.NewAuth(admin.AuthConfig{Token: token, SessionKey: make([]byte, 32), Secure: secure, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

func request(header, value string) *http.Request {
	r := httptest.NewRequest("GET", "http://127.0.0.1:9090/", nil)
	if header != "" {
		r.Header.Set(header, value)
	}
	return r
}

func TestTokenOpensTheDoor(t *testing.T) {
	auth := newAuth(t, &clock{time.Unix(1e9, 0)}, false)
	for _, test := range []struct {
		header, agent, author string
		ok                    bool
	}{
		{"Bearer " + token, "curl/8", "api", true},
		{"bearer " + token, "tagmill/1.0", "cli", true},
		{"Bearer " + token + "x", "", "", false},
		{"Bearer ", "", "", false},
		{"Basic " + token, "", "", false},
		{token, "", "", false},
		{"", "", "", false},
	} {
		r := request("Authorization", test.header)
		r.Header.Set("User-Agent", test.agent)
		if author, ok := auth.Identify(r); author != test.author || ok != test.ok {
			t.Errorf("%q: %q, %v; want %q, %v", test.header, author, ok, test.author, test.ok)
		}
	}
}

func TestAWrongTokenIsNotSavedByASession(t *testing.T) {
	auth := newAuth(t, &clock{time.Unix(1e9, 0)}, false)
	r := request("Cookie", signIn(t, auth))
	r.Header.Set("Authorization", "Bearer wrong-wrong-wrong-wrong")
	if _, ok := auth.Identify(r); ok {
		t.Error("a wrong token was let in")
	}
}

// signIn returns a Cookie header.
func signIn(t *testing.T, auth *admin.Auth) string {
	t.Helper()
	secret, _ := auth.NewLink()
	w := httptest.NewRecorder()
	if !auth.SignIn(w, secret) {
		t.Fatal("a fresh link did not work")
	}
	c := w.Result().Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" {
		t.Fatalf("cookie %v is not HttpOnly and SameSite=Strict", c)
	}
	return c.Name + "=" + c.Value
}

func TestLinksWorkOnceForTenMinutes(t *testing.T) {
	c := &clock{time.Unix(1e9, 0)}
	auth := newAuth(t, c, false)
	used, _ := auth.NewLink()
	late, expires := auth.NewLink()
	if !expires.Equal(c.t.Add(10 * time.Minute)) {
		t.Errorf("expires %v", expires)
	}
	try := func(secret string) bool { return auth.SignIn(httptest.NewRecorder(), secret) }
	if try("") || try("guess") {
		t.Error("a guess was let in")
	}
	if !try(used) || try(used) {
		t.Error("a link must work exactly once")
	}
	c.t = expires
	if try(late) {
		t.Error("a link worked after its time")
	}
}

func TestAFloodOfLinksIsBounded(t *testing.T) {
	auth := newAuth(t, &clock{time.Unix(1e9, 0)}, false)
	first, _ := auth.NewLink()
	var last string
	for range 100 {
		last, _ = auth.NewLink()
	}
	if auth.SignIn(httptest.NewRecorder(), first) {
		t.Error("the oldest link of 101 still worked")
	}
	if !auth.SignIn(httptest.NewRecorder(), last) {
		t.Error("the newest link did not work")
	}
}

func TestSessions(t *testing.T) {
	c := &clock{time.Unix(1e9, 0)}
	auth := newAuth(t, c, false)
	cookie := signIn(t, auth)
	if author, ok := auth.Identify(request("Cookie", cookie)); !ok || author != "console" {
		t.Fatalf("session not known: %q, %v", author, ok)
	}
	if _, ok := newAuth(t, c, false).Identify(request("Cookie", cookie)); !ok {
		t.Error("a restart signed people out")
	}
	other, err := admin.NewAuth(admin.AuthConfig{Token: token, SessionKey: []byte(strings.Repeat("k", 32)), Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.Identify(request("Cookie", cookie)); ok {
		t.Error("a session of another key was let in")
	}
	name, value, _ := strings.Cut(cookie, "=")
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1
		if _, ok := auth.Identify(request("Cookie", name+"="+base64.RawURLEncoding.EncodeToString(bad))); ok {
			t.Fatalf("a cookie with byte %d changed was let in", i)
		}
	}

	elsewhere := signIn(t, auth)
	w := httptest.NewRecorder()
	auth.SignOut(w, request("Cookie", cookie))
	if got := w.Result().Cookies()[0]; got.MaxAge >= 0 {
		t.Errorf("sign-out leaves the cookie: %v", got)
	}
	if _, ok := auth.Identify(request("Cookie", cookie)); ok {
		t.Error("a copied cookie outlived its sign-out")
	}
	if _, ok := auth.Identify(request("Cookie", elsewhere)); !ok {
		t.Error("signing out here signed out elsewhere")
	}
	c.t = c.t.Add(admin.SessionLife)
	if _, ok := auth.Identify(request("Cookie", elsewhere)); ok {
		t.Error("a session never ended")
	}
}

func TestSecureCookiesAreBoundToTheHost(t *testing.T) {
	auth := newAuth(t, &clock{time.Unix(1e9, 0)}, true)
	if cookie := signIn(t, auth); !strings.HasPrefix(cookie, "__Host-") {
		t.Errorf("cookie %q", cookie)
	}
}

func TestAuthRefusesWeakSecrets(t *testing.T) {
	if _, err := admin.NewAuth(admin.AuthConfig{Token: "short", SessionKey: make([]byte, 32)}); err == nil || !strings.Contains(err.Error(), "TAGMILL_ADMIN_TOKEN") {
		t.Errorf("short token: %v", err)
	}
	if _, err := admin.NewAuth(admin.AuthConfig{Token: token}); err == nil {
		t.Error("no session key was fine")
	}
}

func door(ready error) http.Handler {
	page := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				panic("for the test")
			}
			b, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
				return
			}
			_, _ = w.Write(append([]byte(text), b...))
		})
	}
	return admin.New(admin.Config{
		API: page("api"), Console: page("console"), Metrics: page("metrics"),
		Ready: func() error { return ready }, Hosts: []string{"Admin.Shop.example:9090"},
		Log: slog.New(slog.DiscardHandler),
	})
}

func TestOnlyOwnNamesAreAnswered(t *testing.T) {
	h := door(nil)
	for host, want := range map[string]int{
		"127.0.0.1:9090": 200, "localhost:9090": 200, "LOCALHOST": 200, "x.localhost": 200, "[::1]:9090": 200, "10.1.2.3": 200,
		"tagmill:9090": 200, "admin.shop.example": 200, "admin.shop.example.:9090": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "admin.shop.example.evil.example": 421, "": 421,
	} {
		for _, path := range []string{"/", "/api/v1/x", "/metrics"} {
			r := httptest.NewRequest("GET", "http://placeholder"+path, nil)
			r.Host = host
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s%s: %d, want %d", host, path, w.Code, want)
			}
			if want == 421 && !strings.Contains(w.Body.String(), "admin-hosts") {
				t.Errorf("%s%s: no remedy in %q", host, path, w.Body)
			}
		}
	}
}

func TestOtherOriginsCannotPost(t *testing.T) {
	h := door(nil)
	for _, test := range []struct {
		method string
		header map[string]string
		want   int
	}{
		{"POST", nil, 200}, // curl
		{"POST", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"POST", map[string]string{"Origin": "http://127.0.0.1:9090"}, 200},
		{"POST", map[string]string{"Sec-Fetch-Site": "same-site"}, 403}, // the demo shop: same host, other port
		{"POST", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"DELETE", map[string]string{"Origin": "http://127.0.0.1:8090"}, 403},
		{"PUT", map[string]string{"Origin": "null"}, 403},
		{"GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
	} {
		r := httptest.NewRequest(test.method, "http://127.0.0.1:9090/api/v1/x", nil)
		for k, v := range test.header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s %v: %d, want %d", test.method, test.header, w.Code, test.want)
		}
	}
}

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	w := httptest.NewRecorder()
	door(nil).ServeHTTP(w, request("", ""))
	csp := w.Header().Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("policy %q lacks %s", csp, part)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("X-Frame-Options") != "DENY" {
		t.Errorf("headers %v", w.Header())
	}
}

func TestHealth(t *testing.T) {
	get := func(h http.Handler, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = "any.name.example" // a load balancer's
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := get(door(nil), "/readyz"); w.Code != 200 {
		t.Errorf("ready: %d", w.Code)
	}
	broken := door(errors.New("the event log is full"))
	if w := get(broken, "/readyz"); w.Code != 503 || !strings.Contains(w.Body.String(), "event log is full") {
		t.Errorf("not ready: %d %s", w.Code, w.Body)
	}
	if w := get(broken, "/livez"); w.Code != 200 {
		t.Errorf("alive, though not ready: %d", w.Code)
	}
}

func TestAPanicIsOneAnswer(t *testing.T) {
	w := httptest.NewRecorder()
	door(nil).ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/panic", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "for the test") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	w := httptest.NewRecorder()
	door(nil).ServeHTTP(w, httptest.NewRequest("POST", "http://localhost/", strings.NewReader(strings.Repeat("x", admin.MaxBody+1))))
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d", w.Code)
	}
}
