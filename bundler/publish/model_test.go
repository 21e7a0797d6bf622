package publish

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tagmill/tagmill/settings"
)

// Whatever happens, in whatever order, restarts included: in the end the
// origin serves exactly the active keys of sources that ever were good, each
// with its newest good state.
func TestTheOriginEndsUpWithTheNewestGoodState(t *testing.T) {
	broken := `export default (s: any, env: any) => ({ load() { env.script('https://cdn.vendor.test/x.js'); if (s.token === 'bad') throw new Error('boom'); } });`
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, files{"broken/browser.ts": broken}).start()
		defer w.stop()
		serial := 0
		for range rapid.IntRange(1, 12).Draw(rt, "changes") {
			id := rapid.SampledFrom([]string{"shop", "blog"}).Draw(rt, "source")
			serial++
			switch what := rapid.SampledFrom([]string{"good", "good", "bad", "key", "retire", "remove", "restart"}).Draw(rt, "what"); what {
			case "good", "bad":
				tok := what
				if what == "good" {
					tok = fmt.Sprintf("token-%d-", serial)
				}
				w.change(id, flip("broken", true, map[string]any{"token": tok}))
			case "key":
				w.change(id, func(src *settings.Source) {
					src.Keys = append(src.Keys, settings.WriteKey{Key: fmt.Sprintf("key-%d", serial)})
				})
			case "retire":
				w.change(id, func(src *settings.Source) {
					if i := slices.IndexFunc(src.Keys, func(k settings.WriteKey) bool { return k.RetiredAt == nil }); i >= 0 {
						src.Keys[i].RetiredAt = new(time.Unix(1, 0))
					}
				})
			case "remove":
				if w.sources[id] != nil {
					w.remove(id)
					if rapid.Bool().Draw(rt, "wait") {
						w.gone(id)
					}
				}
			case "restart":
				w.restart()
			}
			// Waiting makes a good state count; not waiting lets it be overtaken.
			if src := w.sources[id]; src != nil && rapid.Bool().Draw(rt, "wait") {
				w.settled(id, src.Revision)
			}
		}

		for _, id := range []string{"shop", "blog"} {
			if src := w.sources[id]; src == nil {
				w.gone(id)
			} else {
				w.settled(id, src.Revision)
			}
		}
		active := map[string]bool{}
		for id, src := range w.sources {
			st, _ := w.p.Status(id)
			bad := slices.ContainsFunc(src.Destinations, func(d settings.Destination) bool { return d.Settings["token"] == "bad" })
			if bad != (st.State == StateFailed) && len(planFor(w.store.Snapshot(), src).keys()) > 0 {
				rt.Errorf("%s: bad %v, status %+v", id, bad, st)
			}
			for _, k := range src.Keys {
				if k.RetiredAt != nil {
					continue
				}
				active[k.Key] = true
				live := w.origin.get(k.Key)
				switch {
				case bad:
					if live != nil && bytes.Contains(live.Identity, []byte(`token:"bad"`)) {
						rt.Errorf("%s serves what failed", k.Key)
					}
				case live == nil:
					rt.Errorf("%s is not served", k.Key)
				case len(src.Destinations) > 0:
					if want := fmt.Sprintf("%q", src.Destinations[0].Settings["token"]); !bytes.Contains(live.Identity, []byte(want)) {
						rt.Errorf("%s does not serve %s", k.Key, want)
					}
				}
				if live != nil && st.Keys[k.Key] != live.BuildID {
					rt.Errorf("%s serves build %s, the status says %s", k.Key, live.BuildID, st.Keys[k.Key])
				}
			}
		}
		for key := range w.origin.keys() {
			if !active[key] {
				rt.Errorf("%s is served, and nobody's", key)
			}
		}
	})
}
