package publish

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"maps"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/cdn"
	"github.com/tagmill/tagmill/settings"
)

func TestMain(m *testing.M) {
	// A check is a whole publisher's life; the command line can ask for more.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// origin is a cdn.Origin that keeps what it is given.
type origin struct {
	mu   sync.Mutex // guards live and puts
	live map[string]*cdn.Bundle
	puts []*cdn.Bundle
}

func (o *origin) Put(writeKey string, _ cdn.Variant, b *cdn.Bundle) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.live[writeKey] = b
	o.puts = append(o.puts, b)
}

func (o *origin) Remove(writeKey string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.live, writeKey)
}

func (o *origin) get(writeKey string) *cdn.Bundle {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.live[writeKey]
}

func (o *origin) keys() map[string]*cdn.Bundle {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.live)
}

func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.puts)
}

// builder is a bundler.Bundler that counts, and that waits or panics when told.
type builder struct {
	*bundler.Bundler
	mu     sync.Mutex // guards the rest
	built  []bundler.Input
	gate   chan struct{} // when set, each Build takes one from it
	panics bool

	entered chan struct{} // when set, told of each Build that begins
}

func (b *builder) Build(in bundler.Input) (*bundler.Bundle, error) {
	b.mu.Lock()
	b.built = append(b.built, in)
	gate, panics := b.gate, b.panics
	b.mu.Unlock()
	if b.entered != nil {
		b.entered <- struct{}{}
	}
	if gate != nil {
		<-gate
	}
	if panics {
		panic("a bug")
	}
	return b.Bundler.Build(in)
}

func (b *builder) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.built)
}

func (b *builder) set(change func(*builder)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

// world is a Publisher with everything around it.
type world struct {
	t       testing.TB
	store   *settings.Live
	origin  *origin
	builder *builder
	cfg     Config
	p       *Publisher
	stop    func()

	sources   map[string]*settings.Source
	revisions map[string]int64
	seq       int64
}

// newWorld starts from an empty folder; integrations are put over the fixture's.
func newWorld(t testing.TB, integrations files) *world {
	w := &world{t: t, sources: map[string]*settings.Source{}, revisions: map[string]int64{}, builder: &builder{Bundler: bundler.New(fixtureSources(integrations))}}
	w.store = settings.NewLive(settings.NewSnapshot(0, nil, nil))
	w.cfg = Config{
		Settings: w.store, Catalog: fixtureCatalog{}, Builder: w.builder, Dir: t.TempDir(), Collector: "https://c.test/v1",
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	return w
}

// start opens a Publisher on the world's folder, with an empty origin, and
// runs it. The test's end stops it.
func (w *world) start() *world {
	w.t.Helper()
	w.origin = &origin{live: map[string]*cdn.Bundle{}}
	w.cfg.Live = w.origin
	p, err := Open(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.p = p
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(w.stop)
	return w
}

// restart is a new process on the same folder.
func (w *world) restart() *world {
	w.t.Helper()
	w.stop()
	w.builder.set(func(b *builder) { b.built = nil })
	return w.start()
}

// change makes a new revision of a source, which change may be the first of.
func (w *world) change(id string, change func(*settings.Source)) int64 {
	src := settings.Source{ID: id, Slug: id, Keys: []settings.WriteKey{{Key: "key-" + id}}}
	if old := w.sources[id]; old != nil {
		src = *old
		src.Destinations = append([]settings.Destination(nil), old.Destinations...)
		src.Keys = append([]settings.WriteKey(nil), old.Keys...)
	}
	w.revisions[id]++ // goes on after a removal: ids are never used again
	src.Revision = w.revisions[id]
	change(&src)
	w.sources[id] = &src
	w.tell()
	return src.Revision
}

func (w *world) remove(id string) {
	delete(w.sources, id)
	w.tell()
}

func (w *world) tell() {
	w.seq++
	var list []*settings.Source
	for _, src := range w.sources {
		list = append(list, src)
	}
	w.store.Publish(settings.NewSnapshot(w.seq, nil, list))
}

// flip switches an integration on or off, with the given settings.
func flip(slug string, on bool, values map[string]any) func(*settings.Source) {
	return func(src *settings.Source) {
		for i := range src.Destinations {
			if src.Destinations[i].Integration == slug {
				src.Destinations[i].Enabled, src.Destinations[i].Settings = on, values
				return
			}
		}
		src.Destinations = append(src.Destinations, settings.Destination{ID: "id-" + slug, Integration: slug, Enabled: on, Mode: settings.Browser, Settings: values})
	}
}

var token = map[string]any{"token": "t1"}

// settled waits until a revision is live or has failed.
func (w *world) settled(id string, revision int64) Status {
	w.t.Helper()
	return w.until(id, func(st Status) bool { return st.Wanted >= revision && st.State != StateBuilding })
}

// until waits for a status that satisfies ok.
func (w *world) until(id string, ok func(Status) bool) Status {
	w.t.Helper()
	for {
		w.p.mu.Lock()
		st, known := w.p.statusLocked(id)
		changed := w.p.changed
		w.p.mu.Unlock()
		if known && ok(st) {
			return st
		}
		<-changed
	}
}

// gone waits until a source is not known any more.
func (w *world) gone(id string) {
	for {
		w.p.mu.Lock()
		_, known := w.p.sources[id]
		changed := w.p.changed
		w.p.mu.Unlock()
		if !known {
			return
		}
		<-changed
	}
}
