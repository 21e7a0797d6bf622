package publish

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/cdn"
	"github.com/tagmill/tagmill/settings"
)

func TestAFlipGoesLiveAndIsFinishedBehind(t *testing.T) {
	w := newWorld(t, nil).start()
	first := w.settled("shop", w.change("shop", func(*settings.Source) {}))
	if first.State != StateLive || first.Revision != 1 || first.Error != "" {
		t.Fatalf("status %+v", first)
	}
	st := w.settled("shop", w.change("shop", flip("alpha", true, token)))
	if st.State != StateLive || st.Revision != 2 || st.Wanted != 2 || st.LiveSince.IsZero() || st.FlipToLive <= 0 {
		t.Errorf("status %+v", st)
	}
	if st.BuildID == first.BuildID || st.Keys["key-shop"] != st.BuildID {
		t.Errorf("build %s after %s, by key %v", st.BuildID, first.BuildID, st.Keys)
	}
	live := w.origin.get("key-shop")
	if live == nil || live.BuildID != st.BuildID || !bytes.Contains(live.Identity, []byte("cdn.vendor.test")) {
		t.Fatalf("the origin has %+v", live)
	}
	if live.Caching != (cdn.Caching{MaxAge: 60, SMaxAge: 60, StaleWhileRevalidate: 30, StaleIfError: 86400}) {
		t.Errorf("caching %+v", live.Caching)
	}

	done := w.until("shop", func(st Status) bool { return st.Final && exact(st.Report) })
	final := w.origin.get("key-shop")
	want := bundler.Compress(live.Identity, true)
	if final.Provisional || !bytes.Equal(final.Brotli, want.Brotli) || !bytes.Equal(final.Gzip, want.Gzip) || final.BuildID != live.BuildID {
		t.Error("the final bytes are not those of the same script")
	}
	if done.Report.Brotli != len(want.Brotli) || done.Report.Gzip != len(want.Gzip) || done.Report.Raw != len(live.Identity) {
		t.Errorf("report %+v is not of the bytes served", done.Report)
	}
	if share := done.Report.Integrations["alpha"]; share.Brotli <= 0 {
		t.Errorf("alpha costs %+v", share)
	}

	stored, err := w.p.Build(st.BuildID)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Revision != 2 || stored.SourceID != "shop" || stored.WriteKey != "key-shop" || stored.Runtime == "" || !stored.Encodings.Final || !exact(stored.Report) {
		t.Errorf("stored build %+v", stored)
	}
	if b, err := w.p.Bundle("key-shop"); err != nil || b.BuildID != st.BuildID {
		t.Errorf("Bundle: %v, %v", b, err)
	}
}

// What went out first is provisional, and says so.
func TestTheFirstBytesAreProvisional(t *testing.T) {
	w := newWorld(t, nil).start()
	w.settled("shop", w.change("shop", flip("alpha", true, token)))
	w.until("shop", func(st Status) bool { return st.Final })
	w.origin.mu.Lock()
	defer w.origin.mu.Unlock()
	if len(w.origin.puts) != 2 || !w.origin.puts[0].Provisional || w.origin.puts[1].Provisional {
		t.Errorf("%d puts", len(w.origin.puts))
	}
}

func TestOnlyWhatChangedIsBuilt(t *testing.T) {
	w := newWorld(t, nil).start()
	w.settled("shop", w.change("shop", flip("alpha", true, token)))
	w.settled("blog", w.change("blog", flip("alpha", true, token)))
	before := w.builder.count()

	// A revision that concerns no browser: same bytes, live at once.
	st := w.settled("shop", w.change("shop", func(src *settings.Source) {
		src.Name = "Another name"
		src.Destinations = append(src.Destinations, settings.Destination{ID: "s", Integration: "beta", Enabled: true, Mode: settings.Server})
	}))
	if st.State != StateLive || st.Revision != 2 || w.builder.count() != before {
		t.Errorf("%d builds for nothing; status %+v", w.builder.count()-before, st)
	}
	w.settled("shop", w.change("shop", flip("alpha", false, token)))
	if got := w.builder.count() - before; got != 1 {
		t.Errorf("%d builds for one flip", got)
	}
	// Undone: the shelf has it, checked and finished.
	w.settled("shop", w.change("shop", flip("alpha", true, token)))
	if got := w.builder.count() - before; got != 1 {
		t.Errorf("%d builds after undoing the flip", got)
	}
}

func TestCachingChangesTheResponseWithoutABuild(t *testing.T) {
	w := newWorld(t, nil).start()
	w.settled("shop", w.change("shop", flip("alpha", true, token)))
	before := w.builder.count()
	w.settled("shop", w.change("shop", func(src *settings.Source) { src.Options.Caching = &settings.Caching{MaxAge: 5, SMaxAge: 6} }))
	if live := w.origin.get("key-shop"); live.Caching.MaxAge != 5 || live.Caching.SMaxAge != 6 {
		t.Errorf("caching %+v", live.Caching)
	}
	if w.builder.count() != before {
		t.Error("built again")
	}
}

func TestSettingsJSONGoesWithTheBundle(t *testing.T) {
	w := newWorld(t, nil)
	w.cfg.SettingsJSON = func(src *settings.Source, writeKey string) ([]byte, error) {
		if src.Name == "bad" {
			return nil, errors.New("no JSON today")
		}
		return []byte(writeKey + src.Name), nil
	}
	w.start()
	w.settled("shop", w.change("shop", func(*settings.Source) {}))
	w.settled("shop", w.change("shop", func(src *settings.Source) { src.Name = "!" }))
	if got := string(w.origin.get("key-shop").Settings); got != "key-shop!" {
		t.Errorf("settings %q", got)
	}
	st := w.settled("shop", w.change("shop", func(src *settings.Source) { src.Name = "bad" }))
	if st.State != StateFailed || !strings.Contains(st.Error, "no JSON today") {
		t.Errorf("status %+v", st)
	}
}

func TestNewestWinsWhileABuildIsUnderWay(t *testing.T) {
	w := newWorld(t, nil)
	gate := make(chan struct{})
	w.builder.gate, w.builder.entered = gate, make(chan struct{}, 100)
	w.start()
	w.change("shop", flip("alpha", true, map[string]any{"token": "1"}))
	<-w.builder.entered
	var last int64
	for _, tok := range []string{"2", "3", "4", "5"} {
		last = w.change("shop", flip("alpha", true, map[string]any{"token": tok}))
	}
	w.until("shop", func(st Status) bool { return st.Wanted == last })
	close(gate)
	st := w.settled("shop", last)
	if st.State != StateLive || st.Revision != last {
		t.Errorf("status %+v", st)
	}
	if got := w.builder.count(); got != 2 {
		t.Errorf("%d builds: the ones between were for nobody", got)
	}
	if !bytes.Contains(w.origin.get("key-shop").Identity, []byte(`"5"`)) {
		t.Error("not the newest")
	}
}

func TestAFailureKeepsTheLastGoodBundle(t *testing.T) {
	w := newWorld(t, files{"broken/browser.ts": `export default (s: any, env: any) => ({ load() { env.script('https://cdn.vendor.test/x.js'); if (s.token === 'bad') throw new Error('boom'); } });`})
	w.cfg.MaxBytes = 20_000
	w.start()
	good := w.settled("shop", w.change("shop", flip("broken", true, token)))
	if good.State != StateLive {
		t.Fatalf("status %+v", good)
	}
	tests := map[string]struct {
		change func(*settings.Source)
		want   string
	}{
		"run check":        {flip("broken", true, map[string]any{"token": "bad"}), "integration broken: load(): Error: boom"},
		"refused settings": {flip("alpha", true, map[string]any{"refuse": true}), "alpha: refuse: not a value"},
		"unknown":          {flip("nosuch", true, nil), `no integration "nosuch"`},
		"too large":        {flip("alpha", true, map[string]any{"token": strings.Repeat("x", 20_000)}), "the limit is 20000"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := *w.sources["shop"]
			rev := w.change("shop", test.change)
			st := w.settled("shop", rev)
			if st.State != StateFailed || st.Wanted != rev || !strings.Contains(st.Error, test.want) {
				t.Errorf("status %+v, want an error that says %q", st, test.want)
			}
			if st.BuildID != good.BuildID || w.origin.get("key-shop").BuildID != good.BuildID {
				t.Error("the last good bundle is not live")
			}
			st = w.settled("shop", w.change("shop", func(src *settings.Source) { src.Destinations = before.Destinations }))
			if st.State != StateLive || st.Error != "" || st.BuildID != good.BuildID {
				t.Errorf("after the remedy: %+v", st)
			}
		})
	}
}

func TestAPanicCostsOneRevision(t *testing.T) {
	w := newWorld(t, nil).start()
	good := w.settled("shop", w.change("shop", flip("alpha", true, token)))
	w.builder.set(func(b *builder) { b.panics = true })
	st := w.settled("shop", w.change("shop", flip("beta", true, token)))
	if st.State != StateFailed || !strings.Contains(st.Error, "panic while building: a bug") || st.BuildID != good.BuildID {
		t.Errorf("status %+v", st)
	}
	w.builder.set(func(b *builder) { b.panics = false })
	if st := w.settled("blog", w.change("blog", flip("beta", true, token))); st.State != StateLive {
		t.Errorf("another source: %+v", st)
	}
}

func TestSecretsNeverReachTheBuilder(t *testing.T) {
	w := newWorld(t, nil).start()
	w.settled("shop", w.change("shop", flip("alpha", true, map[string]any{
		"token": map[string]any{"$secret": "ref-canary"}, "size": map[string]any{"$env": "ENV_CANARY"}, "apiSecret": "canary-3",
	})))
	if js := string(w.origin.get("key-shop").Identity); strings.Contains(strings.ToLower(js), "canary") || strings.Contains(js, "$secret") {
		t.Error("the bundle holds what a browser must not see")
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t, files{"broken/browser.ts": `export default () => { throw new Error('boom'); };`}).start()
	add := func(key string) func(*settings.Source) {
		return func(src *settings.Source) { src.Keys = append(src.Keys, settings.WriteKey{Key: key}) }
	}
	retire := func(key string) func(*settings.Source) {
		return func(src *settings.Source) {
			for i := range src.Keys {
				if src.Keys[i].Key == key {
					src.Keys[i].RetiredAt = new(time.Unix(1, 0))
				}
			}
		}
	}
	w.settled("shop", w.change("shop", flip("alpha", true, token)))
	st := w.settled("shop", w.change("shop", add("staging")))
	a, b := w.origin.get("key-shop"), w.origin.get("staging")
	if a == nil || b == nil || a.BuildID == b.BuildID || len(st.Keys) != 2 || st.Keys["staging"] != b.BuildID || st.BuildID != a.BuildID {
		t.Fatalf("keys %v", st.Keys)
	}
	// A retired key is gone though the revision that retires it cannot be built.
	st = w.settled("shop", w.change("shop", func(src *settings.Source) { retire("staging")(src); flip("broken", true, nil)(src) }))
	if st.State != StateFailed || w.origin.get("staging") != nil || w.origin.get("key-shop") == nil || len(st.Keys) != 1 {
		t.Errorf("status %+v, staging %v", st, w.origin.get("staging"))
	}
	// It may then be another source's, and stays that.
	w.settled("blog", w.change("blog", add("staging")))
	w.settled("shop", w.change("shop", flip("broken", false, nil)))
	if got := w.origin.get("staging"); got == nil || !bytes.Contains(got.Identity, []byte(`"staging"`)) {
		t.Error("blog's key is gone")
	}
	// The last key: nothing is served, and nothing is wrong.
	st = w.settled("shop", w.change("shop", retire("key-shop")))
	if st.State != StateLive || st.BuildID != "" || w.origin.get("key-shop") != nil {
		t.Errorf("status %+v", st)
	}
	w.remove("blog")
	w.gone("blog")
	if left := w.origin.keys(); len(left) != 0 {
		t.Errorf("after removal the origin has %v", left)
	}
	if _, ok := w.p.Status("blog"); ok {
		t.Error("a removed source has a status")
	}
	if _, err := w.p.Bundle("staging"); !errors.Is(err, cdn.ErrUnknownKey) {
		t.Errorf("Bundle of a removed key: %v", err)
	}
}

func TestARestartServesTheLastGoodBundlesWithoutBuilding(t *testing.T) {
	w := newWorld(t, nil).start()
	w.change("shop", flip("alpha", true, token))
	w.change("blog", flip("beta", true, token))
	w.settled("shop", 1)
	w.settled("blog", 1)
	before := w.until("shop", func(st Status) bool { return st.Final && exact(st.Report) })
	w.until("blog", func(st Status) bool { return st.Final && exact(st.Report) })

	w.restart()
	<-w.p.Restored()
	for key, id := range before.Keys {
		if live := w.origin.get(key); live == nil || live.BuildID != id || live.Provisional {
			t.Errorf("%s: %+v", key, live)
		}
	}
	st := w.settled("shop", 1)
	w.settled("blog", 1)
	if st.State != StateLive || st.Revision != 1 || st.BuildID != before.BuildID || !st.LiveSince.Equal(before.LiveSince) || st.FlipToLive != 0 || !exact(st.Report) {
		t.Errorf("status %+v, was %+v", st, before)
	}
	if w.builder.count() != 0 || w.origin.count() != 2 {
		t.Errorf("%d builds, %d puts for two unchanged sources", w.builder.count(), w.origin.count())
	}
}

func TestARestartServesTheOldBundleUntilTheNewOneIsGood(t *testing.T) {
	broken := `export default (s: any, env: any) => ({ load() { env.script('https://cdn.vendor.test/x.js'); if (s.token === 'bad') throw new Error('boom'); } });`
	w := newWorld(t, files{"broken/browser.ts": broken}).start()
	good := w.settled("shop", w.change("shop", flip("broken", true, token)))
	w.stop()
	w.change("shop", flip("broken", true, map[string]any{"token": "bad"}))
	w.restart()
	st := w.settled("shop", 2)
	if st.State != StateFailed || st.Revision != 1 || st.Wanted != 2 || w.origin.get("key-shop").BuildID != good.BuildID {
		t.Errorf("status %+v", st)
	}
}

func TestAnotherRuntimeRebuilds(t *testing.T) {
	w := newWorld(t, nil).start()
	old := w.settled("shop", w.change("shop", flip("alpha", true, token)))
	w.stop()
	s := fixtureSources(nil)
	s.Runtime = files{"start.ts": fixtureStart + "\nconsole.log('new');"}.fs()
	w.builder.Bundler = bundler.New(s)
	w.restart()
	st := w.until("shop", func(st Status) bool { return st.State == StateLive })
	if st.BuildID == old.BuildID || st.Runtime == old.Runtime || w.origin.get("key-shop").BuildID != st.BuildID {
		t.Errorf("status %+v", st)
	}
}

func TestDamagedFilesAreBuiltAgain(t *testing.T) {
	for _, file := range []string{"builds", "live"} {
		t.Run(file, func(t *testing.T) {
			w := newWorld(t, nil).start()
			w.settled("shop", w.change("shop", flip("alpha", true, token)))
			good := w.until("shop", func(st Status) bool { return st.Final && exact(st.Report) })
			w.stop()
			damage(t, filepath.Join(w.cfg.Dir, file))
			w.restart()
			st := w.settled("shop", 1)
			if st.State != StateLive || st.BuildID != good.BuildID || w.origin.get("key-shop") == nil {
				t.Errorf("status %+v", st)
			}
		})
	}
}

// damage flips a bit in the middle of every file of a folder.
func damage(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatalf("nothing to damage: %v", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text[len(text)/2] ^= 0x80
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A disk that fails is tried again; time is the bubble's.
func TestAFullDiskPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil).start()
		good := w.settled("shop", w.change("shop", flip("alpha", true, token)))
		w.until("shop", func(st Status) bool { return exact(st.Report) })
		builds := filepath.Join(w.cfg.Dir, "builds")
		if err := os.Rename(builds, builds+".away"); err != nil {
			t.Fatal(err)
		}
		rev := w.change("shop", flip("beta", true, token))
		st := w.until("shop", func(st Status) bool { return st.State == StateFailed })
		if st.Revision != 1 || !strings.Contains(st.Error, "store the bundle") || !strings.Contains(st.Error, builds) || w.origin.get("key-shop").BuildID != good.BuildID {
			t.Errorf("status %+v", st)
		}
		if err := os.Rename(builds+".away", builds); err != nil {
			t.Fatal(err)
		}
		st = w.until("shop", func(st Status) bool { return st.State == StateLive })
		if st.Revision != rev || st.Error != "" {
			t.Errorf("after the disk came back: %+v", st)
		}
		w.until("shop", func(st Status) bool { return exact(st.Report) })
		w.stop()
		time.Sleep(time.Minute) // the bubble's: esbuild keeps a goroutine for a moment after each build
	})
}

func TestWait(t *testing.T) {
	w := newWorld(t, nil).start()
	rev := w.change("shop", flip("alpha", true, token))
	if st, err := w.p.Wait(t.Context(), "shop", rev); err != nil || st.Revision != rev {
		t.Errorf("%+v, %v", st, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.p.Wait(cancelled, "shop", rev+1); !errors.Is(err, context.Canceled) {
		t.Errorf("a revision that never comes: %v", err)
	}
	if _, err := w.p.Wait(cancelled, "nobody's", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a source that never comes: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(Config{}); err == nil || !strings.Contains(err.Error(), "Collector") {
		t.Errorf("got %v", err)
	}
	w := newWorld(t, nil)
	w.cfg.Live = &origin{}
	w.cfg.Dir = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(w.cfg.Dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(w.cfg); err == nil || !strings.Contains(err.Error(), w.cfg.Dir) {
		t.Errorf("a file as folder: %v", err)
	}
}

func TestLookup(t *testing.T) {
	w := newWorld(t, files{"broken/browser.ts": `export default () => { throw new Error('boom'); };`})
	gate := make(chan struct{})
	w.builder.gate, w.builder.entered = gate, make(chan struct{}, 100)
	w.start()
	if _, err := w.p.Lookup(t.Context(), "nobody's"); !errors.Is(err, cdn.ErrUnknownKey) {
		t.Errorf("unknown key: %v", err)
	}
	w.change("shop", flip("alpha", true, token))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.p.Lookup(cancelled, "key-shop"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	answer := make(chan *cdn.Bundle)
	go func() {
		b, err := w.p.Lookup(context.Background(), "key-shop")
		if err != nil {
			t.Error(err)
		}
		answer <- b
	}()
	close(gate)
	if b := <-answer; b == nil || b.BuildID != w.settled("shop", 1).BuildID {
		t.Errorf("looked up %+v", b)
	}
	w.change("blog", flip("broken", true, nil))
	if _, err := w.p.Lookup(t.Context(), "key-blog"); err == nil || errors.Is(err, cdn.ErrUnknownKey) || !strings.Contains(err.Error(), "boom") {
		t.Errorf("a source without a good bundle: %v", err)
	}
}

func TestLookupBuild(t *testing.T) {
	w := newWorld(t, nil).start()
	old := w.settled("shop", w.change("shop", flip("alpha", true, token)))
	w.settled("shop", w.change("shop", flip("alpha", false, token)))
	b, err := w.p.LookupBuild(t.Context(), "key-shop", old.BuildID)
	if err != nil || b.BuildID != old.BuildID || len(b.Identity) == 0 || len(b.Brotli) == 0 {
		t.Errorf("an old build: %+v, %v", b, err)
	}
	for _, id := range []string{"", "00000000000000000000", "../../etc/passwd", strings.ToUpper(old.BuildID)} {
		if _, err := w.p.LookupBuild(t.Context(), "key-shop", id); !errors.Is(err, cdn.ErrUnknownBuild) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := w.p.LookupBuild(t.Context(), "key-blog", old.BuildID); !errors.Is(err, cdn.ErrUnknownBuild) {
		t.Errorf("another key's build: %v", err)
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld(t, nil)
	r := prometheus.NewPedanticRegistry()
	w.cfg.Registerer = r
	w.start()
	w.settled("shop", w.change("shop", flip("alpha", true, token)))
	w.until("shop", func(st Status) bool { return st.State == StateLive })
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				got[f.GetName()+" "+l.GetValue()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	for name, want := range map[string]float64{
		"tagmill_publish_bundles_total built": 1, "tagmill_publish_sources live": 1, "tagmill_publish_sources failed": 0,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v, %v; want %v", name, v, ok, want)
		}
	}
	if _, err := Open(w.cfg); err == nil {
		t.Error("the same registry twice is no error")
	}
}
