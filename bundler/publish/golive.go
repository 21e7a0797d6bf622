package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/cdn"
)

// ready is one write key's bundle, proven and stored, before the swap.
type ready struct {
	input    bundler.Input
	build    *Build // bodies nil when unchanged
	settings []byte
	// unchanged: what is live already has these bytes and this caching.
	unchanged bool
}

// attempt carries out a plan: all write keys of the source go live together or
// none does. It runs on one builder at a time per source.
func (p *Publisher) attempt(ctx context.Context, s *source, pl plan, seen time.Time) (err error) {
	defer func() {
		// A bug in a compiler or an engine costs one source its newest revision,
		// not every source its server.
		if r := recover(); r != nil {
			p.cfg.Log.Error("panic while building", "source", s.status.SourceID, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic while building: %v", r)
		}
	}()
	// A retired key must not wait for a build that may fail.
	p.removeOthers(s, pl.keys())
	if pl.src == nil {
		return nil
	}
	destinations, err := p.destinations(pl)
	if err != nil {
		return err
	}
	var all []ready
	for _, key := range pl.keys() {
		r, err := p.prepare(ctx, pl, p.input(pl, key, destinations))
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	p.swap(s, pl, seen, all)
	return nil
}

// removeOthers takes the source's keys that are not among keys off the origin.
func (p *Publisher) removeOthers(s *source, keys []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range s.status.Keys {
		if slices.Contains(keys, key) {
			continue
		}
		delete(s.status.Keys, key)
		if k := p.keys[key]; k != nil && k.sourceID == s.status.SourceID { // it may be another source's by now
			p.cfg.Live.Remove(key)
			delete(p.keys, key)
			p.shelf.unpoint(key)
		}
	}
}

// prepare brings one bundle as far as the swap: found live, found on the
// shelf, or built, run and stored.
func (p *Publisher) prepare(ctx context.Context, pl plan, in bundler.Input) (ready, error) {
	id, err := p.cfg.Builder.BuildID(in)
	if err != nil {
		return ready{}, err
	}
	r := ready{input: in}
	if p.cfg.SettingsJSON != nil {
		if r.settings, err = p.cfg.SettingsJSON(pl.src, in.WriteKey); err != nil {
			return ready{}, fmt.Errorf("settings JSON of %s: %w", in.WriteKey, err)
		}
	}
	p.mu.Lock()
	if k := p.keys[in.WriteKey]; k != nil && k.sourceID == pl.src.ID && k.build.BuildID == id && k.caching == pl.caching() && bytes.Equal(k.settings, r.settings) {
		build := k.build
		r.build, r.unchanged = &build, true
	}
	p.mu.Unlock()
	if r.unchanged {
		return r, nil
	}
	// A build on the shelf has passed its checks: undoing a flip costs a read.
	if r.build, err = p.shelf.get(id); err == nil {
		p.shelf.touch(id, p.cfg.Now())
		p.metrics.bundles.WithLabelValues("reused").Inc()
		return r, nil
	} else if !errors.Is(err, cdn.ErrUnknownBuild) {
		p.cfg.Log.Warn("a stored build cannot be read and is built again", "err", err)
	}
	if r.build, err = p.build(ctx, pl, in); err != nil {
		return ready{}, err
	}
	p.metrics.bundles.WithLabelValues("built").Inc()
	return r, nil
}

// build makes a bundle that has proven itself and puts it on the shelf.
func (p *Publisher) build(ctx context.Context, pl plan, in bundler.Input) (*Build, error) {
	b, err := p.prove(ctx, pl, in, false)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	// Before the swap: what a page has run must be found by its id afterwards.
	if err := p.shelf.put(b); err != nil {
		return nil, &passingError{fmt.Errorf("store the bundle: %w", err)}
	}
	p.metrics.step.WithLabelValues("store").Observe(time.Since(began).Seconds())
	return b, nil
}

// prove makes a bundle, and proves that it runs while it is compressed.
func (p *Publisher) prove(ctx context.Context, pl plan, in bundler.Input, final bool) (*Build, error) {
	began := time.Now()
	bundle, err := p.cfg.Builder.Build(in)
	if err != nil {
		return nil, err
	}
	p.metrics.step.WithLabelValues("build").Observe(time.Since(began).Seconds())
	if len(bundle.JS) > p.cfg.MaxBytes {
		return nil, fmt.Errorf("the bundle has %d bytes, the limit is %d: switch an integration off", len(bundle.JS), p.cfg.MaxBytes)
	}

	var encodings bundler.Encodings
	var compressing sync.WaitGroup
	// Ends by itself a millisecond later; waited for on every way out.
	compressing.Go(func() { encodings = bundler.Compress(bundle.JS, final) })
	began = time.Now()
	err = check(ctx, bundle, in, p.scriptHosts(pl), checkLimits)
	p.metrics.step.WithLabelValues("check").Observe(time.Since(began).Seconds())
	compressing.Wait()
	if err != nil {
		return nil, err
	}

	return &Build{
		BuildID: bundle.BuildID, WriteKey: in.WriteKey, SourceID: pl.src.ID, Variant: cdn.Default,
		Revision: pl.src.Revision, Runtime: bundle.Runtime, BuiltAt: p.cfg.Now().UTC(),
		Report: bundle.Report.Measured(encodings), Encodings: encodings,
	}, nil
}

// swap makes the plan live. What is live is noted on disk by the finisher: if
// that is lost in a crash, a restart serves the bundle before and finds this
// one on the shelf a moment later.
func (p *Publisher) swap(s *source, pl plan, seen time.Time, all []ready) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range all {
		if r.unchanged {
			continue
		}
		p.putLocked(pl.src.ID, r.build, pl.caching(), r.settings)
	}
	now := p.cfg.Now()
	st := &s.status
	if st.Revision != pl.src.Revision {
		st.Revision, st.LiveSince = pl.src.Revision, now
		st.FlipToLive = now.Sub(seen).Seconds() * 1000
		p.metrics.flipToLive.Observe(now.Sub(seen).Seconds())
	}
	st.Keys = make(map[string]string, len(all))
	for i, r := range all {
		st.Keys[r.build.WriteKey] = r.build.BuildID
		p.finishLocked(r.build.WriteKey)
		if i == 0 {
			s.input = r.input
			p.describeLocked(s, r.build.WriteKey)
		}
	}
	if len(all) == 0 {
		st.BuildID, st.Runtime, st.Report, st.Final = "", "", bundler.Report{}, false
	}
	if s.next == nil {
		st.State = StateLive
	}
	p.changedLocked()
}

// putLocked serves a build under its write key. Callers hold mu.
func (p *Publisher) putLocked(sourceID string, b *Build, caching cdn.Caching, settingsJSON []byte) {
	p.cfg.Live.Put(b.WriteKey, cdn.Default, served(b, caching, settingsJSON))
	k := &liveKey{sourceID: sourceID, build: *b, final: b.Encodings.Final, caching: caching, settings: settingsJSON}
	k.build.Encodings = bundler.Encodings{}
	p.keys[b.WriteKey] = k
}

// describeLocked copies what is known of a key's build, the source's oldest,
// into the status, and asks for exact prices where it has estimates. Callers
// hold mu.
func (p *Publisher) describeLocked(s *source, writeKey string) {
	k, st := p.keys[writeKey], &s.status
	st.BuildID, st.Runtime, st.Report, st.Final = k.build.BuildID, k.build.Runtime, k.build.Report, k.final
	if !exact(st.Report) && !slices.Contains(p.pricing, st.SourceID) {
		p.pricing = append(p.pricing, st.SourceID)
		p.signalFinisherLocked()
	}
}

func exact(r bundler.Report) bool {
	for _, share := range r.Integrations {
		if !share.Exact {
			return false
		}
	}
	return true
}
