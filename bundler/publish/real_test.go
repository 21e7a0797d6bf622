package publish

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/tagmill/tagmill/bundler"
	integrations "github.com/tagmill/tagmill/integrations-js"
	runtimejs "github.com/tagmill/tagmill/runtime-js"
	"github.com/tagmill/tagmill/settings"
)

// realCatalog is the one that ships.
func realCatalog(t testing.TB) *integrations.Catalog {
	t.Helper()
	c, err := integrations.Open()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func realBundler() *bundler.Bundler {
	return bundler.New(bundler.Sources{Runtime: runtimejs.FS, Integrations: integrations.FS})
}

// everything is an input with every integration of the catalog switched on,
// set to its test values, and the hosts it may load from.
func everything(t testing.TB, c *integrations.Catalog) (bundler.Input, map[string][]string) {
	t.Helper()
	in := bundler.Input{WriteKey: "key1", Collector: "https://c.test/v1"}
	hosts := map[string][]string{}
	for _, m := range c.Manifests() {
		values := map[string]any{}
		for _, f := range m.Settings {
			values[f.Key] = f.TestValue
		}
		public, err := c.Public(m.Slug, values)
		if err != nil {
			t.Fatal(err)
		}
		in.Destinations = append(in.Destinations, bundler.Destination{ID: "d-" + m.Slug, Slug: m.Slug, Names: c.Names(m.Slug), Settings: public})
		hosts[m.Slug] = c.Hosts(m.Slug, values)["script"]
	}
	return in, hosts
}

// Every integration that ships passes the check, alone and with all others.
func TestShippedIntegrationsPassTheRunCheck(t *testing.T) {
	catalog, b := realCatalog(t), realBundler()
	all, hosts := everything(t, catalog)
	run := func(t *testing.T, in bundler.Input) {
		t.Helper()
		bundle, err := b.Build(in)
		if err != nil {
			t.Fatal(err)
		}
		if bundle.Report.Warnings != nil {
			t.Errorf("the compiler warns: %q", bundle.Report.Warnings)
		}
		used := map[string][]string{}
		for _, d := range in.Destinations {
			used[d.Slug] = hosts[d.Slug]
		}
		if err := check(context.Background(), bundle, in, used, checkLimits); err != nil {
			t.Error(err)
		}
	}
	t.Run("all", func(t *testing.T) { run(t, all) })
	t.Run("none", func(t *testing.T) {
		in := all
		in.Destinations = nil
		run(t, in)
	})
	t.Run("spa", func(t *testing.T) {
		in := all
		in.SPA = true
		run(t, in)
	})
	for _, d := range all.Destinations {
		t.Run(d.Slug, func(t *testing.T) {
			in := all
			in.Destinations = []bundler.Destination{d}
			run(t, in)
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	catalog, builder := realCatalog(b), realBundler()
	in, hosts := everything(b, catalog)
	bundle, err := builder.Build(in)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("step=build", func(b *testing.B) {
		for b.Loop() {
			if _, err := builder.Build(in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("step=check", func(b *testing.B) {
		for b.Loop() {
			if err := check(context.Background(), bundle, in, hosts, checkLimits); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("step=compress", func(b *testing.B) {
		for b.Loop() {
			bundler.Compress(bundle.JS, false)
		}
	})
	b.Run("step=finish", func(b *testing.B) {
		for b.Loop() {
			bundler.Compress(bundle.JS, true)
		}
	})
}

// BenchmarkFlipToLive is a flip with every shipped integration on, from the
// news of the revision to the swap: build, run check, provisional compression,
// disk. case=idle waits for the background work of the flip before;
// case=busy does not.
//
//	go test ./bundler/publish -run '^$' -bench FlipToLive -benchtime 200x
func BenchmarkFlipToLive(b *testing.B) {
	for _, name := range []string{"idle", "busy"} {
		b.Run("case="+name, func(b *testing.B) {
			catalog := realCatalog(b)
			w := newWorld(b, nil)
			w.cfg.Catalog, w.cfg.Builder = catalog, realBundler()
			w.start()
			defer w.stop()
			all := func(src *settings.Source) {
				for _, m := range catalog.Manifests() {
					values := map[string]any{}
					for _, f := range m.Settings {
						values[f.Key] = f.TestValue
					}
					flip(m.Slug, true, values)(src)
				}
			}
			w.settled("shop", w.change("shop", all))
			var times []float64
			n := 0
			for b.Loop() {
				n++
				// A new id changes the bytes and nothing else.
				st := w.settled("shop", w.change("shop", func(src *settings.Source) { src.Destinations[0].ID = fmt.Sprint("id", n) }))
				if st.State != StateLive {
					b.Fatal(st.Error)
				}
				times = append(times, st.FlipToLive)
				if name == "idle" {
					b.StopTimer()
					w.until("shop", func(st Status) bool { return exact(st.Report) })
					b.StartTimer()
				}
			}
			slices.Sort(times)
			b.ReportMetric(times[len(times)/2], "p50-ms")
			b.ReportMetric(times[len(times)*99/100], "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
