package publish

import (
	"context"
	"errors"
	"time"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/settings"
)

// finishLoop does what a flip does not wait for, newest first: the smallest
// compression of what is live and a note of it on disk, then, while no source
// waits for a builder, exact prices.
func (p *Publisher) finishLoop(ctx context.Context) {
	for ctx.Err() == nil {
		switch key, s, input, priceCtx, stop := p.nextFinish(ctx); {
		case key != "":
			p.finishKey(key)
		case s != nil:
			p.price(priceCtx, s, input)
			stop()
		default:
			select {
			case <-ctx.Done():
			case <-p.finish:
			}
		}
	}
}

// nextFinish takes the next job off its list: a write key, or a source to
// price with a context that ends when a builder is needed.
func (p *Publisher) nextFinish(ctx context.Context) (key string, s *source, in bundler.Input, priceCtx context.Context, stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.finals); n > 0 {
		key, p.finals = p.finals[n-1], p.finals[:n-1]
		return key, nil, in, nil, nil
	}
	for n := len(p.pricing); n > 0 && p.building == 0 && len(p.queue) == 0; n = len(p.pricing) {
		s, p.pricing = p.sources[p.pricing[n-1]], p.pricing[:n-1]
		if s == nil || exact(s.status.Report) {
			continue // gone, or priced meanwhile
		}
		priceCtx, p.unprice = context.WithCancel(ctx)
		return "", s, s.input, priceCtx, p.unprice
	}
	return "", nil, in, nil, nil
}

func (p *Publisher) signalFinisherLocked() {
	select {
	case p.finish <- struct{}{}:
	default: // it has been told
	}
}

// finishLocked asks the finisher to look at a write key. Callers hold mu.
func (p *Publisher) finishLocked(writeKey string) {
	p.finals = append(p.finals, writeKey)
	p.signalFinisherLocked()
}

// finishKey replaces a live bundle's provisional bodies by the smallest ones
// and notes on disk that it is live.
func (p *Publisher) finishKey(key string) {
	p.mu.Lock()
	k := p.keys[key]
	p.mu.Unlock()
	if k == nil {
		return // retired since it was asked for
	}
	if !k.final {
		p.compressFinally(key, k.build.BuildID)
	}
	p.note(key)
}

func (p *Publisher) compressFinally(key, buildID string) {
	b, err := p.shelf.get(buildID)
	if err != nil {
		p.cfg.Log.Warn("a bundle stays provisionally compressed", "err", err)
		return
	}
	if !b.Encodings.Final {
		began := time.Now()
		b.Encodings = bundler.Compress(b.Encodings.Identity, true)
		b.Report = b.Report.Measured(b.Encodings)
		p.metrics.step.WithLabelValues("finish").Observe(time.Since(began).Seconds())
		if err := p.shelf.put(b); err != nil {
			p.cfg.Log.Warn("a finally compressed bundle is not stored: a restart compresses it again", "err", err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.keys[key]
	if now == nil || now.build.BuildID != b.BuildID {
		return // another bundle went live meanwhile
	}
	p.putLocked(now.sourceID, b, now.caching, now.settings)
	if s := p.sources[now.sourceID]; s != nil && s.status.BuildID == b.BuildID {
		p.describeLocked(s, key)
	}
	p.changedLocked()
}

// note writes down what is live under a key, so that a restart serves it at
// once. Where the key is retired at the same moment, a pointer is left over
// that no restart follows.
func (p *Publisher) note(key string) {
	p.mu.Lock()
	k := p.keys[key]
	var ptr pointer
	if k != nil && p.sources[k.sourceID] != nil {
		st := p.sources[k.sourceID].status
		ptr = pointer{WriteKey: key, SourceID: k.sourceID, BuildID: k.build.BuildID, Revision: st.Revision, LiveSince: st.LiveSince.UTC().Round(0)}
	}
	p.mu.Unlock()
	if was, ok := p.shelf.pointed(key); ptr.WriteKey == "" || ok && was == ptr {
		return
	}
	if err := p.shelf.point(ptr); err != nil {
		p.cfg.Log.Error("a restart will serve an older bundle first", "key", key, "err", err)
	}
}

// noteRest notes what the finisher did not get to before the end of Run.
func (p *Publisher) noteRest() {
	p.mu.Lock()
	rest := p.finals
	p.finals = nil
	p.mu.Unlock()
	for _, key := range rest {
		p.note(key)
	}
}

// price measures what each integration of a source's live bundle costs.
func (p *Publisher) price(ctx context.Context, s *source, in bundler.Input) {
	prices, err := p.cfg.Builder.Prices(ctx, in)
	p.mu.Lock()
	p.unprice = nil
	id := s.status.SourceID
	if errors.Is(err, context.Canceled) {
		p.pricing = append(p.pricing, id) // a builder was needed; later
		p.mu.Unlock()
		return
	}
	buildID := s.status.BuildID
	p.mu.Unlock()
	if err != nil {
		p.cfg.Log.Warn("prices stay estimates", "build", buildID, "err", err)
		return
	}
	if want, err := p.cfg.Builder.BuildID(in); err != nil || want != buildID {
		return // measured on a bundle that is no longer live
	}
	b, err := p.shelf.get(buildID)
	if err == nil {
		b.Report.Integrations = prices
		err = p.shelf.put(b)
	}
	if err != nil {
		p.cfg.Log.Warn("prices are not stored: a restart measures them again", "build", buildID, "err", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.keys[in.WriteKey]; k != nil && k.build.BuildID == buildID {
		k.build.Report.Integrations = prices
	}
	if s.status.BuildID == buildID {
		s.status.Report.Integrations = prices
	}
	p.changedLocked()
}

// restore serves what the shelf says was live. It builds nothing: what has
// changed since is found when the snapshot's plans are carried out.
func (p *Publisher) restore(snap *settings.Snapshot) {
	for _, src := range snap.Sources {
		pl := planFor(snap, src)
		for i, key := range pl.keys() {
			ptr, ok := p.shelf.pointed(key)
			if !ok || ptr.SourceID != src.ID {
				continue
			}
			b, err := p.shelf.get(ptr.BuildID)
			if err != nil {
				p.cfg.Log.Warn("the last good bundle is not there and is built again", "source", src.Slug, "err", err)
				continue
			}
			var settingsJSON []byte
			if p.cfg.SettingsJSON != nil {
				// An error here is met again, and reported, by the plan.
				settingsJSON, _ = p.cfg.SettingsJSON(src, key)
			}
			p.mu.Lock()
			p.putLocked(src.ID, b, pl.caching(), settingsJSON)
			s := p.sourceLocked(src.ID)
			s.status.Revision, s.status.LiveSince = ptr.Revision, ptr.LiveSince
			if s.status.Keys == nil {
				s.status.Keys = map[string]string{}
			}
			s.status.Keys[key] = b.BuildID
			p.finishLocked(key)
			if i == 0 {
				p.describeLocked(s, key)
			}
			p.mu.Unlock()
		}
	}
}
