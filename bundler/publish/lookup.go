package publish

import (
	"context"
	"fmt"
	"slices"

	"github.com/tagmill/tagmill/cdn"
)

// The origin's questions about what it was not given.
var (
	_ cdn.Lookup      = (*Publisher)(nil).Lookup
	_ cdn.LookupBuild = (*Publisher)(nil).LookupBuild
	_ Live            = (*cdn.Origin)(nil)
)

// LookupBuild is a cdn.LookupBuild.
func (p *Publisher) LookupBuild(_ context.Context, writeKey, buildID string) (*cdn.Bundle, error) {
	b, err := p.shelf.get(buildID)
	if err != nil {
		return nil, err
	}
	if b.WriteKey != writeKey {
		return nil, fmt.Errorf("build %s is not of write key %q: %w", buildID, writeKey, cdn.ErrUnknownBuild)
	}
	return served(b, cdn.Caching{}, nil), nil
}

// Lookup is a cdn.Lookup: for a key whose first bundle is still being built it
// waits. The answer is also Put, as that of every other build.
func (p *Publisher) Lookup(ctx context.Context, writeKey string) (*cdn.Bundle, error) {
	// The store may know of a source that Watch has not told of yet.
	src := p.cfg.Settings.Snapshot().SourceByKey(writeKey)
	if src == nil {
		return nil, fmt.Errorf("write key %q: %w", writeKey, cdn.ErrUnknownKey)
	}
	p.hurry(src.ID)
	for {
		p.mu.Lock()
		k, changed := p.keys[writeKey], p.changed
		st, known := p.statusLocked(src.ID)
		p.mu.Unlock()
		switch {
		case k != nil:
			b, err := p.shelf.get(k.build.BuildID)
			if err != nil {
				return nil, err
			}
			return served(b, k.caching, k.settings), nil
		case known && st.Wanted >= src.Revision && st.State == StateFailed:
			return nil, fmt.Errorf("source %s never had a good bundle: %s", src.Slug, st.Error)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the first bundle of source %s: %w", src.Slug, ctx.Err())
		case <-changed:
		}
	}
}

// hurry moves a source to the head of the queue: a page is waiting for it.
func (p *Publisher) hurry(sourceID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.queue, sourceID); i > 0 {
		p.queue = slices.Insert(slices.Delete(p.queue, i, i+1), 0, sourceID)
	}
}

// served is a build as the origin takes it.
func served(b *Build, c cdn.Caching, settingsJSON []byte) *cdn.Bundle {
	return &cdn.Bundle{BuildID: b.BuildID, Identity: b.Encodings.Identity, Gzip: b.Encodings.Gzip, Brotli: b.Encodings.Brotli,
		Provisional: !b.Encodings.Final, Caching: c, Settings: settingsJSON}
}
