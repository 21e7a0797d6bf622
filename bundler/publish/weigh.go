package publish

import (
	"context"
	"fmt"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/settings"
)

// Weigh says what a source's bundle would weigh in a snapshot that need not be
// live: built, proven to run and compressed as it finally would be, for the
// oldest active write key, and thrown away. The error is the one that would
// keep it from going live. A source without an active key weighs nothing.
func (p *Publisher) Weigh(ctx context.Context, snap *settings.Snapshot, src *settings.Source) (bundler.Report, error) {
	pl := planFor(snap, src)
	keys := pl.keys()
	if len(keys) == 0 {
		return bundler.Report{}, nil
	}
	list, err := p.destinations(pl)
	if err != nil {
		return bundler.Report{}, err
	}
	b, err := p.prove(ctx, pl, p.input(pl, keys[0], list), true)
	if err != nil {
		return bundler.Report{}, fmt.Errorf("source %s: %w", src.Slug, err)
	}
	return b.Report, nil
}
