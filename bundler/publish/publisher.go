package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/cdn"
	"github.com/tagmill/tagmill/settings"
)

const (
	defaultMaxBytes = 1 << 20
	retryFirst      = 5 * time.Second // doubles with each try
	retryMost       = 5 * time.Minute
	pruneEvery      = 24 * time.Hour
)

// Publisher makes revisions live. Safe for concurrent use.
type Publisher struct {
	cfg      Config
	shelf    *shelf
	metrics  *metrics
	restored chan struct{}

	// wake tells a sleeping builder that the queue has work, finish the
	// finisher. Both are hints: whoever wakes looks for itself.
	wake   chan struct{}
	finish chan struct{}

	// mu guards what follows. Live is called under it, so that what is noted
	// here as live and what the origin serves cannot differ.
	mu       sync.Mutex
	snap     *settings.Snapshot // newest taken in; nil before Run
	sources  map[string]*source
	keys     map[string]*liveKey
	queue    []string      // sources with a plan and no builder on it, next first
	finals   []string      // write keys to finish, newest last
	pricing  []string      // sources whose prices are estimates, newest last
	unprice  func()        // stops the pricing that runs now; nil when none does
	changed  chan struct{} // closed, and made anew, whenever a status changes
	building int           // builders at work
}

// source is what is known of one source.
type source struct {
	status  Status
	next    *plan // waiting to be built; a newer one replaces it
	seen    time.Time
	queued  bool
	working bool
	retry   *plan // failed for a reason that may pass; waits for retryAt
	retryAt time.Time
	tries   int // of the newest plan
	// input is of the oldest key's live bundle: what prices are measured on.
	input bundler.Input
}

// liveKey is what is live under a write key. The bodies are the origin's and
// the shelf's: they are not held here.
type liveKey struct {
	sourceID string
	build    Build
	final    bool // its bodies are the smallest
	caching  cdn.Caching
	settings []byte
}

// Open readies the folder of builds and returns a Publisher that does nothing
// until Run. Errors: missing configuration, a folder that cannot be used.
func Open(cfg Config) (*Publisher, error) {
	if cfg.Settings == nil || cfg.Catalog == nil || cfg.Builder == nil || cfg.Live == nil || cfg.Log == nil || cfg.Dir == "" || cfg.Collector == "" {
		return nil, errors.New("publish.Config: Settings, Catalog, Builder, Live, Log, Dir and Collector are needed")
	}
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, defaultMaxBytes)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s, err := openShelf(cfg.Dir)
	if err != nil {
		return nil, err
	}
	p := &Publisher{
		cfg: cfg, shelf: s,
		restored: make(chan struct{}),
		wake:     make(chan struct{}, builders()),
		finish:   make(chan struct{}, 1),
		sources:  map[string]*source{},
		keys:     map[string]*liveKey{},
		changed:  make(chan struct{}),
	}
	if p.metrics, err = newMetrics(cfg.Registerer, p.countSources); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Publisher) countSources(state State) (n float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sources {
		if s.status.State == state {
			n++
		}
	}
	return n
}

// builders is how many sources are built at a time: one per core, two at
// least, so that one slow build does not hold up a flip elsewhere.
func builders() int { return max(2, runtime.GOMAXPROCS(0)) }

// Run publishes until ctx ends, then finishes the builds at hand and returns
// nil. It first serves the stored bundles; see Restored. Call it once.
func (p *Publisher) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for range builders() {
		// A builder ends with ctx, after the source it has in hand.
		all.Go(func() { p.work(ctx) })
	}
	// The finisher ends with ctx, after the bundle it has in hand.
	all.Go(func() { p.finishLoop(ctx) })
	p.watch(ctx)
	all.Wait()
	p.noteRest()
	return nil
}

// Restored is closed when every source of the first snapshot is served as it
// was before the restart, where it was: nothing has been built by then.
func (p *Publisher) Restored() <-chan struct{} { return p.restored }

// watch takes in each new snapshot, retries what may pass and prunes the shelf.
func (p *Publisher) watch(ctx context.Context) {
	snapshots := p.cfg.Settings.Watch(ctx)
	retry := time.NewTicker(retryFirst)
	defer retry.Stop()
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case snap, ok := <-snapshots:
			if !ok {
				return // the store has closed; so has its caller
			}
			p.take(snap)
		case <-retry.C:
			p.retryFailed()
		case <-prune.C:
			if n, err := p.shelf.prune(p.cfg.Now()); err != nil {
				p.cfg.Log.Error("old builds stay on disk", "err", err)
			} else if n > 0 {
				p.cfg.Log.Info("pruned builds", "removed", n)
			}
		}
	}
}

// take plans whatever differs between the snapshot and what was planned before.
func (p *Publisher) take(snap *settings.Snapshot) {
	first := p.snapshot() == nil
	if first {
		p.restore(snap)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.snap = snap
	now := p.cfg.Now()
	here := make(map[string]bool, len(snap.Sources))
	for _, src := range snap.Sources {
		here[src.ID] = true
		s := p.sourceLocked(src.ID)
		if !first && s.status.Wanted == src.Revision {
			continue
		}
		s.status.Wanted, s.tries = src.Revision, 0
		p.planLocked(s, planFor(snap, src), now)
	}
	for id, s := range p.sources {
		if !here[id] && s.status.Wanted != 0 {
			s.status.Wanted = 0
			p.planLocked(s, plan{}, now)
		}
	}
	p.changedLocked()
	if first {
		close(p.restored)
	}
}

// planLocked puts a plan in its source's one waiting place and the source in
// the queue. Callers hold mu.
func (p *Publisher) planLocked(s *source, pl plan, seen time.Time) {
	s.next, s.seen, s.retry = &pl, seen, nil
	s.status.State, s.status.Error = StateBuilding, ""
	p.enqueueLocked(s)
}

func (p *Publisher) enqueueLocked(s *source) {
	// What a customer waits for comes before a price.
	if p.unprice != nil {
		p.unprice()
	}
	if s.queued || s.working {
		return
	}
	s.queued = true
	p.queue = append(p.queue, s.status.SourceID)
	select {
	case p.wake <- struct{}{}:
	default: // as many hints as builders are waiting already
	}
}

func (p *Publisher) retryFailed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	for _, s := range p.sources {
		if s.retry != nil && !now.Before(s.retryAt) {
			p.planLocked(s, *s.retry, s.seen)
		}
	}
}

// work builds one source after another.
func (p *Publisher) work(ctx context.Context) {
	for ctx.Err() == nil {
		s, pl, seen, ok := p.next()
		if !ok {
			select {
			case <-ctx.Done():
			case <-p.wake:
			}
			continue
		}
		p.done(s, pl, p.attempt(ctx, s, pl, seen))
	}
}

func (p *Publisher) next() (s *source, pl plan, seen time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil, plan{}, time.Time{}, false
	}
	s = p.sources[p.queue[0]]
	p.queue = p.queue[1:]
	pl, seen = *s.next, s.seen
	s.next, s.queued, s.working = nil, false, true
	p.building++
	return s, pl, seen, true
}

// done notes how a plan ended. A newer plan that came meanwhile decides what
// the status says.
func (p *Publisher) done(s *source, pl plan, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.building--
	s.working = false
	if s.next != nil {
		p.enqueueLocked(s)
	} else if err != nil {
		s.status.State, s.status.Error = StateFailed, err.Error()
		if passing := (*passingError)(nil); errors.As(err, &passing) {
			s.retry, s.retryAt = &pl, p.cfg.Now().Add(min(retryFirst<<min(s.tries, 10), retryMost))
			s.tries++
		}
	} else if pl.src == nil {
		delete(p.sources, s.status.SourceID)
	} else {
		s.status.State, s.status.Error = StateLive, ""
	}
	if err != nil && pl.src != nil && !errors.Is(err, context.Canceled) { // stopping is no failure
		p.metrics.failures.Inc()
		p.cfg.Log.Warn("a revision cannot go live; the last good bundle stays",
			"source", pl.src.Slug, "revision", pl.src.Revision, "err", err)
	}
	p.signalFinisherLocked()
	p.changedLocked()
}

// passingError marks a failure that the same plan may not meet again: of the
// disk, of time. It is tried again.
type passingError struct{ error }

func (e *passingError) Unwrap() error { return e.error }

func (p *Publisher) sourceLocked(id string) *source {
	s := p.sources[id]
	if s == nil {
		s = &source{status: Status{SourceID: id, State: StateBuilding}}
		p.sources[id] = s
	}
	return s
}

func (p *Publisher) changedLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Publisher) snapshot() *settings.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snap
}

// Status says how a source fares; ok is false for one this Publisher has not
// seen.
func (p *Publisher) Status(sourceID string) (Status, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.statusLocked(sourceID)
}

func (p *Publisher) statusLocked(sourceID string) (Status, bool) {
	s := p.sources[sourceID]
	if s == nil {
		return Status{}, false
	}
	st := s.status
	st.Keys = maps.Clone(st.Keys)
	st.Report.Integrations = maps.Clone(st.Report.Integrations)
	st.Report.Warnings = slices.Clone(st.Report.Warnings)
	return st, true
}

// Wait returns a source's status once revision, or a newer one, is live or has
// failed. Errors: the context's.
func (p *Publisher) Wait(ctx context.Context, sourceID string, revision int64) (Status, error) {
	for {
		p.mu.Lock()
		st, ok := p.statusLocked(sourceID)
		changed := p.changed
		p.mu.Unlock()
		if ok && st.Wanted >= revision && (st.State != StateBuilding || st.Revision >= revision) {
			return st, nil
		}
		select {
		case <-ctx.Done():
			return st, fmt.Errorf("wait for revision %d of source %s: %w", revision, sourceID, ctx.Err())
		case <-changed:
		}
	}
}

// Bundle is the build live under a write key. Errors: cdn.ErrUnknownKey; of
// the disk.
func (p *Publisher) Bundle(writeKey string) (*Build, error) {
	p.mu.Lock()
	k := p.keys[writeKey]
	p.mu.Unlock()
	if k == nil {
		return nil, fmt.Errorf("write key %q: %w", writeKey, cdn.ErrUnknownKey)
	}
	return p.shelf.get(k.build.BuildID)
}

// Build is a stored build, live or not. Errors: cdn.ErrUnknownBuild; of the disk.
func (p *Publisher) Build(buildID string) (*Build, error) { return p.shelf.get(buildID) }
