package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tagmill/tagmill/settings"
)

// modelSource is what a user believes a source to be.
type modelSource struct {
	deleted  bool
	keys     map[string]bool           // true: active
	dests    map[string]map[string]any // by label; "on" among the settings
	history  []map[string]map[string]any
	revision int64
}

func copyDests(d map[string]map[string]any) map[string]map[string]any {
	out := map[string]map[string]any{}
	for k, v := range d {
		out[k] = maps.Clone(v)
	}
	return out
}

// model lets random changes loose on a store and on a model of a few maps,
// and expects the two to agree after each, and after opening the store again.
func model(t *testing.T, e Engine) {
	rapid.Check(t, func(rt *rapid.T) {
		f := start(t, e)
		defer f.Store.Close()
		world := map[string]*modelSource{"website": {keys: map[string]bool{"web-key": true}, dests: map[string]map[string]any{}, revision: 1}}
		world["website"].history = []map[string]map[string]any{{}}
		slugs := rapid.SampledFrom([]string{"website", "shop", "app"})
		keys := rapid.SampledFrom([]string{"web-key", "k1", "k2", "k3"})
		labels := rapid.SampledFrom([]string{"mixpanel", "mixpanel:eu", "intercom"})

		// step does a change and says whether the model expects it to work.
		step := func(ch settings.Change, want error) bool {
			_, err := f.Do(t.Context(), "model", ch)
			if want == nil && err != nil {
				rt.Fatalf("%#v: %v", ch, err)
			}
			if want != nil && !errors.Is(err, want) {
				rt.Fatalf("%#v: got %v, want %v", ch, err, want)
			}
			return err == nil
		}
		live := func(slug string) *modelSource {
			if m := world[slug]; m != nil && !m.deleted {
				return m
			}
			return nil
		}
		holder := func(key string) *modelSource {
			for slug := range world {
				if m := live(slug); m != nil {
					if _, has := m.keys[key]; has {
						return m
					}
				}
			}
			return nil
		}
		changed := func(m *modelSource) {
			m.revision++
			m.history = append(m.history, copyDests(m.dests))
		}

		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				slug, key := slugs.Draw(rt, "slug"), keys.Draw(rt, "key")
				var want error
				if live(slug) != nil || holder(key) != nil {
					want = settings.ErrConflict
				}
				if step(settings.CreateSource{Workspace: "default", Slug: slug, WriteKey: key}, want) {
					world[slug] = &modelSource{keys: map[string]bool{key: true}, dests: map[string]map[string]any{}, revision: 1, history: []map[string]map[string]any{{}}}
				}
			},
			"delete": func(rt *rapid.T) {
				slug := slugs.Draw(rt, "slug")
				m := live(slug)
				if step(settings.DeleteSource{Workspace: "default", Source: slug}, missing(m)) {
					m.deleted = true
					changed(m)
				}
			},
			"restore": func(rt *rapid.T) {
				slug := slugs.Draw(rt, "slug")
				m := world[slug]
				want := missing(m)
				if m != nil && !m.deleted {
					want = settings.ErrConflict
				} else if m != nil {
					for key := range m.keys {
						if holder(key) != nil {
							want = settings.ErrConflict
						}
					}
				}
				if step(settings.RestoreSource{Workspace: "default", Source: slug}, want) {
					m.deleted = false
					changed(m)
				}
			},
			"add key": func(rt *rapid.T) {
				slug, key := slugs.Draw(rt, "slug"), keys.Draw(rt, "key")
				m := live(slug)
				want := missing(m)
				if h := holder(key); m != nil && h != nil && h != m {
					want = settings.ErrConflict
				}
				if step(settings.AddKey{Workspace: "default", Source: slug, Key: key}, want) && !m.keys[key] {
					m.keys[key] = true
					changed(m)
				}
			},
			"retire key": func(rt *rapid.T) {
				slug, key := slugs.Draw(rt, "slug"), keys.Draw(rt, "key")
				m := live(slug)
				want := missing(m)
				if m != nil && !m.keys[key] {
					want = settings.ErrNotFound
				}
				if step(settings.RetireKey{Workspace: "default", Source: slug, Key: key}, want) {
					m.keys[key] = false
					changed(m)
				}
			},
			"put": func(rt *rapid.T) {
				slug, lbl := slugs.Draw(rt, "slug"), labels.Draw(rt, "destination")
				on, value := rapid.Bool().Draw(rt, "on"), rapid.StringMatching(`[a-z]{1,2}`).Draw(rt, "value")
				integration, name, _ := strings.Cut(lbl, ":")
				key := map[string]string{"mixpanel": "token", "intercom": "appId"}[integration]
				m := live(slug)
				ch := settings.PutDestination{Workspace: "default", Source: slug, Integration: integration, Name: name, Enabled: on, Settings: map[string]any{key: value}}
				if step(ch, missing(m)) {
					is := map[string]any{"on": on, key: value}
					if !maps.Equal(m.dests[lbl], is) {
						m.dests[lbl] = is
						changed(m)
					}
				}
			},
			"remove": func(rt *rapid.T) {
				slug, lbl := slugs.Draw(rt, "slug"), labels.Draw(rt, "destination")
				integration, name, _ := strings.Cut(lbl, ":")
				m := live(slug)
				want := missing(m)
				if m != nil && m.dests[lbl] == nil {
					want = settings.ErrNotFound
				}
				if step(settings.DeleteDestination{Workspace: "default", Source: slug, Integration: integration, Name: name}, want) {
					delete(m.dests, lbl)
					changed(m)
				}
			},
			"roll back": func(rt *rapid.T) {
				slug := slugs.Draw(rt, "slug")
				to := rapid.Int64Range(1, 6).Draw(rt, "revision")
				m := live(slug)
				want := missing(m)
				if m != nil && to > m.revision {
					want = settings.ErrNotFound
				}
				before := f.Snapshot().Seq
				if step(settings.Rollback{Workspace: "default", Source: slug, Revision: to}, want) {
					m.dests = copyDests(m.history[to-1])
					// A destination made anew in between has another id: that is a
					// change which the model, without ids, cannot foresee.
					if f.Snapshot().Seq != before {
						changed(m)
					}
				}
			},
			"reopen": func(*rapid.T) { f.reopen() },
			"export and apply": func(rt *rapid.T) {
				doc := settings.Export(f.Snapshot(), f.config.Catalog)
				text, err := doc.YAML()
				if err != nil {
					rt.Fatal(err)
				}
				back, err := settings.ParseDocument(text)
				if err != nil {
					rt.Fatalf("%v\n%s", err, text)
				}
				changes, err := back.Plan(f.Snapshot(), f.config.Catalog, true)
				if err != nil {
					rt.Fatalf("%v\n%s", err, text)
				}
				before := f.Snapshot()
				if after, err := f.Do(t.Context(), "model", changes...); err != nil || after != before {
					rt.Fatalf("applying an export changed something: %v %q\n%s", err, settings.Compare(before, f.Snapshot()), text)
				}
			},
			"": func(rt *rapid.T) {
				for slug, m := range world {
					src := f.Snapshot().Source("default", slug)
					if m.deleted {
						if src != nil {
							rt.Fatalf("%s is there, though deleted", slug)
						}
						continue
					}
					if got, want := picture(src), modelPicture(m); got != want {
						rt.Fatalf("%s is\n%s, want\n%s", slug, got, want)
					}
					for key, active := range m.keys {
						if found := f.Snapshot().SourceByKey(key) == src; found != active {
							rt.Fatalf("key %s finds %s: %v, want %v", key, slug, found, active)
						}
					}
					list, err := f.History(t.Context(), src.ID, 0, 0)
					if err != nil {
						rt.Fatal(err)
					}
					if int64(len(list)) != m.revision {
						rt.Fatalf("%s has %d revisions, want %d", slug, len(list), m.revision)
					}
				}
			},
		})
	})
}

func missing(m *modelSource) error {
	if m == nil {
		return settings.ErrNotFound
	}
	return nil
}

func picture(src *settings.Source) string {
	if src == nil {
		return "missing"
	}
	m := &modelSource{keys: map[string]bool{}, dests: map[string]map[string]any{}, revision: src.Revision}
	for _, k := range src.Keys {
		m.keys[k.Key] = k.RetiredAt == nil
	}
	for _, d := range src.Destinations {
		is := maps.Clone(d.Settings)
		is["on"] = d.Enabled
		m.dests[d.Label()] = is
	}
	return modelPicture(m)
}

func modelPicture(m *modelSource) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		lines = append(lines, fmt.Sprintf("key %s %v", key, m.keys[key]))
	}
	dests, err := json.Marshal(m.dests)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("revision %d\n%s\n%s", m.revision, strings.Join(lines, "\n"), dests)
}
