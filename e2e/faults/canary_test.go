package faults

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	integrations "github.com/tagmill/tagmill/integrations-js"
)

func manifests(t *testing.T) []*integrations.Manifest {
	t.Helper()
	catalog, err := integrations.Open()
	if err != nil {
		t.Fatal(err)
	}
	return catalog.Manifests()
}

// valid is a setting for everything a manifest has.
func valid(m *integrations.Manifest) map[string]any {
	values := map[string]any{}
	for _, f := range m.Settings {
		values[f.Key] = f.TestValue
	}
	return values
}

// leaks collects what was seen of the product and looks for canaries in it.
type leaks struct {
	t        *testing.T
	canaries []string
	looked   int
}

func (l *leaks) in(where, text string) {
	l.t.Helper()
	l.looked++
	for _, c := range l.canaries {
		if i := strings.Index(text, c); i >= 0 {
			l.t.Errorf("%s shows %s: ...%s", where, c, text[max(0, i-80):min(len(text), i+len(c)+20)])
		}
	}
}

// A secret in every field that no browser may see, and the process's own
// secrets, are in nothing that leaves the process and in no file in the clear.
func TestCanary(t *testing.T) {
	const fromEnv = "c4n4ry-environment"
	s := open(t, map[string]string{"CANARY": fromEnv}, nil)
	look := &leaks{t: t, canaries: []string{fromEnv}}
	planted := 0
	for _, m := range manifests(t) {
		values := valid(m)
		for i, f := range m.Settings {
			if !f.Secret && f.Scope != "server" {
				continue
			}
			if f.Type != "string" {
				t.Fatalf("%s: %s is of type %s: teach this test to plant in it", m.Slug, f.Key, f.Type)
			}
			canary := fmt.Sprintf("c4n4ry-%s-%d", m.Slug, i)
			look.canaries = append(look.canaries, canary)
			values[f.Key] = canary
			planted++
		}
		s.flip(t, m.Slug, map[string]any{"enabled": true, "settings": values})
	}
	if planted < 2 {
		t.Fatalf("%d canaries were planted: the test proves nothing", planted)
	}
	// A second one of a kind takes its secret from the environment.
	values := valid(manifest(t, "customerio"))
	values["apiKey"] = "${env:CANARY}"
	revision := s.flip(t, "customerio:second", map[string]any{"enabled": true, "settings": values})
	report := s.live(t, revision)

	// Mistakes beside a secret, and in one, are answered without it.
	const refused = "c4n4ry-refused"
	look.canaries = append(look.canaries, refused)
	for name, settings := range map[string]map[string]any{
		"mistake beside a secret": {"mode": "nonsense", "apiKey": refused},
		"secret of another type":  {"apiKey": map[string]any{"x": refused}},
		"secret as a list":        {"apiKey": []string{refused}},
	} {
		a := s.call(t, http.MethodPut, source+"/integrations/customerio", map[string]any{"settings": settings})
		if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest {
			t.Errorf("%s: %v", name, a)
		}
		look.in(name, a.body)
	}
	a := s.call(t, http.MethodPut, source+"/integrations/customerio", map[string]any{"settings": map[string]any{"unknownKey": "v"}})
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "unknownKey") {
		t.Errorf("an unknown setting: %v", a)
	}

	// The process's own.
	for _, name := range []string{"secret-key", "session-key"} {
		raw, err := os.ReadFile(filepath.Join(s.data, name))
		if err != nil {
			t.Fatal(err)
		}
		look.canaries = append(look.canaries, strings.TrimSpace(string(raw)))
	}
	look.canaries = append(look.canaries, s.token)

	key := s.writeKey(t)
	// A second key has a bundle of its own.
	var second struct{ Key string }
	s.ok(t, http.MethodPost, source+"/keys", map[string]any{"environment": "staging"}, &second)
	eventually(t, "the second key's bundle", func() (bool, any) {
		a := s.get(t, s.bundleURL(second.Key))
		return a.status == http.StatusOK && a.header.Get("Tagmill-Error") == "", a.status
	})
	urls := []string{
		s.bundleURL(key), s.bundleURL(second.Key), s.bundleURL("unknown"),
		s.edge + "/analytics.js/v1/" + key + "/r/" + report.BuildID + ".min.js",
		s.edge + "/v1/projects/" + key + "/settings",
		s.admin + "/metrics", s.Demo + "/",
		s.admin + "/", s.admin + "/signin", s.admin + "/nowhere",
	}
	for _, path := range []string{"", "/install", "/events", "/history", "/settings"} {
		urls = append(urls, s.admin+"/default/website"+path)
	}
	for _, m := range manifests(t) {
		urls = append(urls, s.admin+"/default/website/integrations/"+m.Slug, s.admin+source+"/integrations/"+m.Slug)
	}
	urls = append(urls, s.admin+"/default/website/integrations/customerio:second")
	for _, path := range []string{"/catalog", "/workspaces", "/workspaces/default", "/workspaces/default/sources", "/export", "/log", "/openapi.json", "/nowhere"} {
		urls = append(urls, s.admin+"/api/v1"+path)
	}
	for _, path := range []string{"", "/revisions", "/bundle", "/bundle.js", "/snippet", "/snippet?form=external"} {
		urls = append(urls, s.admin+source+path)
	}
	for _, url := range urls {
		a := s.get(t, url)
		if a.status >= 500 || a.status == 404 && !strings.HasSuffix(url, "nowhere") {
			t.Errorf("%s: %d: there is nothing to look at", url, a.status)
		}
		look.in(url, a.body+fmt.Sprint(a.header))
	}
	if a := s.get(t, s.bundleURL(key)); strings.Count(a.body, "0123456789abcdef0123") == 0 {
		t.Error("the bundle holds no public setting either: the test proves nothing")
	}
	s.call(t, http.MethodPost, source+"/rollback", map[string]any{"revision": 2})
	look.in("the log", s.logs.String())
	s.stop()
	look.in("the log at the end", s.logs.String())
	files := 0
	err := filepath.WalkDir(s.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch d.Name() {
		case "secret-key", "session-key", "admin-token":
			if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s can be read by others: %v, %v", path, info.Mode(), err)
			}
			return nil
		}
		raw, err := os.ReadFile(path)
		files++
		look.in(path, string(raw))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d canaries looked for in %d places, %d of them files", len(look.canaries), look.looked, files)
}

func manifest(t *testing.T, slug string) *integrations.Manifest {
	t.Helper()
	for _, m := range manifests(t) {
		if m.Slug == slug {
			return m
		}
	}
	t.Fatalf("there is no integration %s", slug)
	return nil
}
