package faults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What can be made again, or is no more than an unfinished write, stops nothing.
func TestStartsDespite(t *testing.T) {
	data := used(t)
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		warns  string
	}{
		{name: "no copy of the settings", damage: remove("snapshot")},
		{name: "damaged copy of the settings", damage: func(t *testing.T, dir string) { flip(t, filepath.Join(dir, "snapshot")) }},
		{name: "no bundles", damage: remove("bundles")},
		{name: "damaged bundles", damage: func(t *testing.T, dir string) {
			flip(t, filepath.Join(dir, "bundles", "builds", "*"))
			flip(t, filepath.Join(dir, "bundles", "live", "*"))
		}},
		{name: "no ready file", damage: remove("ready.json")},
		{name: "damaged settings, whole copy", damage: func(t *testing.T, dir string) {
			path := filepath.Join(dir, "settings.db")
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 4096; i < len(raw); i++ { // all pages but the first
				raw[i] ^= 0x55
			}
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}, warns: "settings.db"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := copyOf(t, data)
			c.damage(t, dir)
			p := serve(t, dir)
			s := p.server(t, dir)
			key := s.writeKey(t)
			bundle := s.get(t, s.bundleURL(key))
			if bundle.status != http.StatusOK || !strings.Contains(bundle.body, "0123456789abcdef0123") {
				t.Errorf("the bundle: %d, %d bytes; want the one with Customer.io", bundle.status, len(bundle.body))
			}
			events := newLoad(t)
			if a, err := events.post(t.Context(), s, key, 3); err != nil || a.status != http.StatusOK {
				t.Errorf("events: %v, %v", a, err)
			}
			if !strings.Contains(p.stderr.String(), c.warns) {
				t.Errorf("its log says nothing of %s:\n%s", c.warns, p.stderr.String())
			}
			if c.warns != "" {
				a := s.call(t, http.MethodPut, source+"/integrations/crazyegg", map[string]any{"enabled": true, "settings": map[string]any{"accountNumber": "1"}})
				if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "settings") {
					t.Errorf("a flip while the settings are away: %v", a)
				}
			} else {
				s.live(t, s.flip(t, "crazyegg", map[string]any{"enabled": true, "settings": map[string]any{"accountNumber": "1"}}))
			}
			p.stop(t)
		})
	}
}

func remove(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// The log's write-ahead file ends where the power went, anywhere: the start
// takes what is whole, and no more is missing than was cut.
func TestCutLogTail(t *testing.T) {
	data := t.TempDir()
	p := serve(t, data)
	s := p.server(t, data)
	key := s.writeKey(t)
	events := newLoad(t)
	for range 60 {
		if a, err := events.post(t.Context(), s, key, 2); err != nil || a.status != http.StatusOK {
			t.Fatal(a, err)
		}
	}
	p.kill()
	for _, cut := range []int64{1, 7, 100, 1000} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			t.Parallel()
			dir := copyOf(t, data)
			wal := newestOf(t, filepath.Join(dir, "log", "*.log"))
			end := dataEnd(t, wal)
			if err := os.Truncate(wal, end-cut); err != nil {
				t.Fatal(err)
			}
			p := serve(t, dir)
			s := p.server(t, dir)
			more := newLoad(t)
			more.next.Store(1 << 20) // ids of their own
			if a, err := more.post(t.Context(), s, key, 5); err != nil || a.status != http.StatusOK {
				t.Fatal(a, err)
			}
			p.stop(t)
			for id := range events.sent {
				more.sent[id] = true
			}
			if dumped := more.check(dir); int64(dumped) < 5+events.acks.Load()-2-cut/50 {
				t.Errorf("%d of %d events left after %d bytes were cut", dumped, events.acks.Load()+5, cut)
			}
		})
	}
}

// newestOf returns the last by name of the files that match.
func newestOf(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v, %v", pattern, paths, err)
	}
	return paths[len(paths)-1]
}

// dataEnd is where the zeros of a preallocated file begin.
func dataEnd(t *testing.T, path string) int64 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(strings.TrimRight(string(raw), "\x00")))
}

// A damaged table is found by log verify, and never answered for: a start
// refuses, or goes on and serves bundles all the same.
func TestDamagedTable(t *testing.T) {
	dir := used(t)
	flip(t, filepath.Join(dir, "log", "*.sst"))
	code, out, errOut := tagmill(t, nil, "log", "verify", "--data", dir)
	if code != 1 || !strings.Contains(out+errOut, "damage") {
		t.Errorf("log verify: exit code %d\n%s%s", code, out, errOut)
	}
	code, _, errOut = tagmill(t, nil, "log", "dump", "--data", dir)
	if code != 1 || !strings.Contains(errOut, filepath.Join(dir, "log")) {
		t.Errorf("log dump: exit code %d\n%s", code, errOut)
	}
	p, ready := launch(t, dir, nil)
	if err := <-ready; err != nil {
		for _, want := range []string{filepath.Join(dir, "log"), "restore"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("it refuses and does not say %q: %v", want, err)
			}
		}
		return
	}
	s := p.server(t, dir)
	if a := s.get(t, s.bundleURL(s.writeKey(t))); a.status != http.StatusOK {
		t.Errorf("bundle: %v", a)
	}
	p.stop(t)
}
