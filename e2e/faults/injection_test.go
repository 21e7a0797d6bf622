package faults

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// payloads break out of JSON, of scripts, of HTML and of prototypes.
var payloads = []string{
	`</script><img src=x onerror=pwned()>`,
	"a\u2028b\u2029c",
	`__proto__`,
	"\"'`${pwned()}\\",
	`<!--<script>`,
}

// hostile says what of a payload is in a page as it is. In the console's own
// pages none of it ever is.
func hostile(page string) string { return contains(page, "</script><img", "<img src=x", "<!--<script") }

// breaksScript says what of a payload is in a script as it is: what ends it
// where somebody puts it into a page, and what ends a line of it.
func breaksScript(js string) string { return contains(js, "</script", "\u2028", "\u2029") }

func contains(text string, any ...string) string {
	for _, bad := range any {
		if strings.Contains(text, bad) {
			return bad
		}
	}
	return ""
}

// Every browser-scoped setting that takes a hostile text: the bundle passes
// its run check, goes live and holds the text escaped only.
func TestInjectionThroughSettings(t *testing.T) {
	s := open(t, nil, nil)
	key := s.writeKey(t)
	accepted, refused := 0, 0
	for _, m := range manifests(t) {
		for _, f := range m.Settings {
			if f.Scope == "server" || f.Type == "bool" || f.Type == "number" {
				continue
			}
			for _, payload := range payloads {
				values := valid(m)
				switch f.Type {
				case "list":
					values[f.Key] = []string{payload}
				case "map":
					values[f.Key] = map[string]string{payload: payload}
				default:
					values[f.Key] = payload
				}
				a := s.call(t, http.MethodPut, source+"/integrations/"+m.Slug, map[string]any{"enabled": true, "settings": values})
				if a.status == http.StatusUnprocessableEntity {
					if !strings.Contains(a.body, f.Key) {
						t.Errorf("%s: %s is refused without being named: %v", m.Slug, f.Key, a)
					}
					refused++
					continue
				}
				var view struct{ Revision int64 }
				if err := json.Unmarshal([]byte(a.body), &view); err != nil || a.status != http.StatusOK {
					t.Fatalf("%s: %s = %q: %v", m.Slug, f.Key, payload, a)
				}
				accepted++
				s.live(t, view.Revision)
				if bad := breaksScript(s.get(t, s.bundleURL(key)).body); bad != "" {
					t.Errorf("%s: %s = %q: the bundle holds %q", m.Slug, f.Key, payload, bad)
				}
				page := s.get(t, s.admin+"/default/website/integrations/"+m.Slug)
				if bad := hostile(page.body); bad != "" || page.status != http.StatusOK {
					t.Errorf("%s: %s = %q: the form (%d) holds %q", m.Slug, f.Key, payload, page.status, bad)
				}
			}
		}
		// One at a time; one that refused every payload was never there.
		if a := s.call(t, http.MethodDelete, source+"/integrations/"+m.Slug, nil); a.status/100 != 2 && a.status != http.StatusNotFound {
			t.Fatalf("remove %s: %v", m.Slug, a)
		}
	}
	if accepted < 10 || refused < 10 {
		t.Errorf("%d settings took a payload, %d refused: the test proves little", accepted, refused)
	}
	t.Logf("%d settings took a payload and went live, %d refused it", accepted, refused)

	a := s.call(t, http.MethodPut, source+"/integrations/mixpanel", json.RawMessage(`{"settings":{"token":"0123456789abcdef0123456789abcdef","__proto__":{"x":1},"constructor":"x"}}`))
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "__proto__") || !strings.Contains(a.body, "constructor") {
		t.Errorf("settings named after a prototype's: %v", a)
	}
}

// Names that people give, and what pages send, are text everywhere.
func TestInjectionThroughNamesAndEvents(t *testing.T) {
	s := open(t, nil, nil)
	key := s.writeKey(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.admin+source+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	stream, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()

	for _, payload := range payloads {
		quoted, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		if a := s.call(t, http.MethodPatch, source, map[string]any{"name": payload}); a.status == http.StatusOK {
			for _, path := range []string{"/", "/default/website", "/default/website/settings", "/default/website/history", "/default/website/events", "/default/website/install"} {
				page := s.get(t, s.admin+path)
				if bad := hostile(page.body); bad != "" || page.status != http.StatusOK {
					t.Errorf("name %q: %s (%d) holds %q", payload, path, page.status, bad)
				}
			}
		} else if a.status != http.StatusUnprocessableEntity {
			t.Errorf("name %q: %v", payload, a)
		}
		q := string(quoted)
		body := `{"writeKey":"` + key + `","batch":[` +
			`{"type":"track","event":` + q + `,"anonymousId":"a","properties":{` + q + `:` + q + `,"__proto__":{"polluted":true}}},` +
			`{"type":"identify","userId":` + q + `,"traits":{"name":` + q + `,"__proto__":` + q + `}},` +
			`{"type":` + q + `,"anonymousId":"a"}]}`
		if a := s.post(t, "/v1/b", []byte(body)); a.status != http.StatusOK {
			t.Errorf("events with %q: %v", payload, a)
		}
	}

	// The live view's stream: each event whole, on one line, as JSON.
	want := 3 * len(payloads)
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(nil, 1<<20)
	names := map[string]bool{}
	for got := 0; got < want && lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		got++
		var view any
		if err := json.Unmarshal([]byte(data), &view); err != nil {
			t.Fatalf("the live view's %q: %v", data, err)
		}
		collect(view, names)
	}
	for _, payload := range payloads {
		if !names[payload] {
			t.Errorf("the live view has lost %q", payload)
		}
	}
	if page := s.get(t, s.admin+"/default/website/events"); hostile(page.body) != "" {
		t.Errorf("the page of events holds %q", hostile(page.body))
	}
	stream.Body.Close()
	s.stop()
	code, out, errOut := tagmill(t, nil, "log", "dump", "--data", s.data)
	if code != 0 || strings.Count(out, "polluted") != len(payloads) {
		t.Errorf("log dump: %d, %d events with __proto__; %s", code, strings.Count(out, "polluted"), errOut)
	}
}

// collect gathers every text in a JSON value.
func collect(v any, into map[string]bool) {
	switch v := v.(type) {
	case string:
		into[v] = true
	case []any:
		for _, e := range v {
			collect(e, into)
		}
	case map[string]any:
		for _, e := range v {
			collect(e, into)
		}
	}
}
