package integrations

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func public(t *testing.T, c *Catalog, slug string, values map[string]any) map[string]any {
	t.Helper()
	data, err := c.Public(slug, values)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPublicIsAnAllowList(t *testing.T) {
	c := load(t, fixture(nil))
	got := public(t, c, "acme", map[string]any{
		"token": "abcd", "secret": "s", "note": "n", "unknown": "u", "seats": 4.0, "tags": []any{}, "origin": "",
	})
	// seats needs plan paid; tags and origin are zero; plan and loud are defaults.
	if want := []string{"loud", "plan", "token"}; !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
		t.Errorf("got %v, want the keys %v", got, want)
	}
	if got["plan"] != "free" || got["loud"] != true {
		t.Errorf("defaults are not filled in: %v", got)
	}
	got = public(t, c, "acme", map[string]any{"token": "abcd", "plan": "paid", "seats": 4, "loud": false})
	if want := []string{"plan", "seats", "token"}; !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
		t.Errorf("got %v, want the keys %v: false is the zero value of a bool", got, want)
	}
}

func TestPublicRefusesWhatCannotBe(t *testing.T) {
	c := load(t, fixture(nil))
	for name, values := range map[string]map[string]any{
		"type":      {"token": 1.0},
		"pattern":   {"token": "</script>"},
		"reference": {"token": map[string]any{"$secret": "ref"}},
	} {
		if data, err := c.Public("acme", values); err == nil || !strings.Contains(err.Error(), "acme: token") {
			t.Errorf("%s: got %s, %v", name, data, err)
		}
	}
	if _, err := c.Public("nope", nil); err == nil {
		t.Error("an unknown integration has public settings")
	}
}

func TestPublicIsTheSameEveryTime(t *testing.T) {
	c := open(t)
	for _, m := range c.Manifests() {
		first, err := c.Public(m.Slug, testValues(m))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if again, _ := c.Public(m.Slug, testValues(m)); string(again) != string(first) {
				t.Fatalf("%s: %s, then %s", m.Slug, first, again)
			}
		}
	}
}

// A canary in every field that no browser may see, of every integration and of
// a fixture that has every kind, never comes out of Public.
func TestCanariesStayOnTheServer(t *testing.T) {
	planted := 0
	for _, c := range []*Catalog{open(t), load(t, fixture(nil))} {
		for _, m := range c.Manifests() {
			values := testValues(m)
			for i, f := range m.Settings {
				if f.Secret || f.Scope == "server" {
					values[f.Key] = fmt.Sprintf("c4n4ry-%s-%d", m.Slug, i)
					planted++
				}
			}
			values["notInTheManifest"] = "c4n4ry-unknown"
			data, err := c.Public(m.Slug, values)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(data), "c4n4ry") {
				t.Errorf("%s: a canary got out: %s", m.Slug, data)
			}
			if hosts := fmt.Sprint(c.Hosts(m.Slug, values)); strings.Contains(hosts, "c4n4ry") {
				t.Errorf("%s: a canary got out: %s", m.Slug, hosts)
			}
		}
	}
	if planted < 4 {
		t.Errorf("only %d canaries were planted: the test proves nothing", planted)
	}
}

func TestHostsTakeSettings(t *testing.T) {
	c := load(t, fixture(nil))
	for _, test := range []struct {
		origin any
		want   []string
	}{
		{"https://own.example", []string{"https://own.example"}},
		{nil, nil},
		{"", nil},
		{"*", nil},
		{"'unsafe-inline'", nil},
		{"https://a.example; script-src *", nil},
		{"{token}", nil},
	} {
		got := c.Hosts("acme", map[string]any{"origin": test.origin})
		if !slices.Equal(got["connect"], test.want) {
			t.Errorf("origin %v: connect %v, want %v", test.origin, got["connect"], test.want)
		}
		if !slices.Equal(got["script"], []string{"https://cdn.acme.example"}) {
			t.Errorf("script %v", got["script"])
		}
	}
	if c.Hosts("nope", nil) != nil {
		t.Error("an unknown integration has hosts")
	}
}
