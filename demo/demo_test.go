package demo

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// visitor is a browser with cookies, and without scripts.
type visitor struct {
	t      *testing.T
	client *http.Client
	url    string
}

func visit(t *testing.T, cfg Config) visitor {
	t.Helper()
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{t, &http.Client{Jar: jar}, srv.URL}
}

func (v visitor) read(res *http.Response, err error) (status int, body string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

func (v visitor) get(path string) (int, string) {
	v.t.Helper()
	return v.read(v.client.Get(v.url + path))
}

func (v visitor) post(path string, form url.Values) (int, string) {
	v.t.Helper()
	return v.read(v.client.PostForm(v.url+path, form))
}

var dataEvent = regexp.MustCompile(`data-event="([^"]*)" data-properties="([^"]*)"`)

// events are what a page would send, by name; their properties must be JSON.
func (v visitor) events(body string) map[string]map[string]any {
	v.t.Helper()
	found := map[string]map[string]any{}
	for _, m := range dataEvent.FindAllStringSubmatch(body, -1) {
		var p map[string]any
		if err := json.Unmarshal([]byte(html.UnescapeString(m[2])), &p); err != nil {
			v.t.Fatalf("%s: %v", m[1], err)
		}
		found[m[1]] = p
	}
	return found
}

func TestEveryPageCarriesTheSnippetAndTheStrip(t *testing.T) {
	n := 0
	v := visit(t, Config{ConsoleURL: "http://127.0.0.1:9090", Snippet: func() string { n++; return "<script>snippet();</script>" }})
	v.post("/cart", url.Values{"product": {"cloud-jar"}})
	for _, path := range []string{"/", "/products/cloud-jar", "/cart", "/checkout", "/account", "/nowhere", "/products/none"} {
		before := n
		status, body := v.get(path)
		if want := map[bool]int{true: 404, false: 200}[strings.HasPrefix(path, "/no") || strings.HasSuffix(path, "none")]; status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
		if n == before || !strings.Contains(body, "<script>snippet();</script>") || !strings.Contains(body, `href="http://127.0.0.1:9090"`) {
			t.Errorf("%s: snippet or console link is missing", path)
		}
		if strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "<no value>") {
			t.Errorf("%s: a value is missing:\n%s", path, body)
		}
		// No external assets, no inline handlers: only the snippet is inline.
		if regexp.MustCompile(`(src|href)="(https?:)?//`).MatchString(strings.ReplaceAll(body, `href="http://127.0.0.1:9090"`, "")) || regexp.MustCompile(`\son[a-z]+=`).MatchString(body) {
			t.Errorf("%s: external asset or inline handler", path)
		}
	}
}

func TestAVisitFromShelfToThanks(t *testing.T) {
	v := visit(t, Config{})
	_, body := v.get("/")
	if e := v.events(body); len(e["Product List Viewed"]["products"].([]any)) != len(products) || e["Product Added"] == nil {
		t.Errorf("home: %v", e)
	}
	_, body = v.get("/products/tern-vane")
	if e := v.events(body); e["Product Viewed"]["price"] != 129.0 || e["Product Viewed"]["currency"] != "EUR" {
		t.Errorf("product: %v", e)
	}
	v.post("/cart", url.Values{"product": {"storm-candle"}, "quantity": {"2"}})
	_, body = v.post("/cart", url.Values{"product": {"rain-gauge"}})
	if e := v.events(body); e["Cart Viewed"]["value"] != 92.0 || e["Product Removed"] == nil || !strings.Contains(body, "€96.90") {
		t.Errorf("cart: %v", e)
	}
	_, body = v.get("/checkout")
	if e := v.events(body); e["Checkout Started"]["value"] != 92.0 {
		t.Errorf("checkout: %v", e)
	}
	status, body := v.post("/checkout", url.Values{"name": {"x"}})
	e := v.events(body)["Order Completed"]
	if status != 200 || e["total"] != 96.9 || e["shipping"] != 4.9 || e["revenue"] != 92.0 || !strings.Contains(body, `data-occasion="`+e["order_id"].(string)+`"`) {
		t.Errorf("thanks: %d %v", status, e)
	}
	if _, again := v.get("/thanks"); v.events(again)["Order Completed"]["order_id"] != e["order_id"] {
		t.Error("a reload shows another order")
	}
	if _, body = v.get("/cart"); !strings.Contains(body, "Nothing in it yet") {
		t.Error("the cart is kept after the order")
	}
	if _, body = v.get("/checkout"); !strings.Contains(body, "Nothing in it yet") {
		t.Error("an empty cart can be checked out")
	}
}

func TestSignInAndOut(t *testing.T) {
	v := visit(t, Config{})
	_, body := v.post("/account", url.Values{"name": {`<b>Ada</b>"`}, "email": {"ada@example.com"}})
	if !strings.Contains(body, "Hello, &lt;b&gt;Ada&lt;/b&gt;&#34;") || !strings.Contains(body, `id="group"`) {
		t.Errorf("signed in: %s", body)
	}
	if _, body = v.post("/account", url.Values{"leave": {"1"}}); strings.Contains(body, "Hello") || !strings.Contains(body, `id="identify"`) {
		t.Error("still signed in")
	}
	if _, body = v.post("/account", url.Values{"name": {strings.Repeat("ü", 1000)}}); !strings.Contains(body, "Hello, "+strings.Repeat("ü", 40)+"<") {
		t.Error("a long name is not cut")
	}
}

func TestBadInput(t *testing.T) {
	v := visit(t, Config{})
	for _, form := range []url.Values{{"product": {"none"}}, {}, {"product": {"<script>"}}} {
		if status, _ := v.post("/cart", form); status != 404 {
			t.Errorf("%v: %d", form, status)
		}
	}
	if status, _ := v.post("/cart", url.Values{"product": {"cloud-jar"}, "pad": {strings.Repeat("x", 1<<20)}}); status != 404 {
		t.Errorf("oversize form: %d", status)
	}
	for _, q := range []string{"99999999999999999999", "-9223372036854775808", "9223372036854775807", "NaN", ""} {
		if status, body := v.post("/cart", url.Values{"product": {"cloud-jar"}, "quantity": {q}}); status != 200 || strings.Contains(body, "10 ×") {
			t.Errorf("quantity %q: %d", q, status)
		}
	}
	for _, c := range []string{"", "...", "none*3", "cloud-jar", "cloud-jar*", "cloud-jar*x", "cloud-jar*-1", "*", "%zz", "cloud-jar*0.cloud-jar*-5"} {
		if got := parseCart(c); len(got) != 0 {
			t.Errorf("%q: %v", c, got)
		}
	}
	if got := parseCart("cloud-jar*7.cloud-jar*7.rain-gauge*1").String(); got != "cloud-jar*9.rain-gauge*1" {
		t.Errorf("bounds: %s", got)
	}
	if status, _ := v.get("/thanks"); status != 200 {
		t.Errorf("thanks without an order: %d", status)
	}
}

func TestAssets(t *testing.T) {
	v := visit(t, Config{})
	for path, want := range map[string]string{"shop.css": "text/css; charset=utf-8", "shop.js": "text/javascript; charset=utf-8", "mark.svg": "image/svg+xml"} {
		res, err := v.client.Get(v.url + "/assets/" + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != want || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %s %v", path, res.Status, res.Header)
		}
	}
}

func TestEveryProductIsDrawnAndTold(t *testing.T) {
	v := visit(t, Config{})
	art := map[string]bool{}
	for _, p := range products {
		_, body := v.get("/products/" + p.Slug)
		drawing := regexp.MustCompile(`(?s)<div class="art[^>]*>(.*?)</div>`).FindString(body)
		if !strings.Contains(drawing, "<svg") || art[drawing] {
			t.Errorf("%s has no drawing of its own", p.Slug)
		}
		art[drawing] = true
	}
}
