package settings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"
)

// Cached is a Store in front of one that may be away when the process starts:
// until the real one opens it answers from a snapshot file, and it keeps that
// file up to date. Reads work from the first moment, changes and history once
// the store is there.
type Cached struct {
	opts  CachedOptions
	live  *Live
	store atomic.Pointer[opened] // nil while the store is away
}

type opened struct{ Store }

// CachedOptions say what is cached and where.
type CachedOptions struct {
	// Path of the snapshot file.
	Path string
	// Open opens the real store. It is tried again until it succeeds.
	Open func(context.Context) (Store, error)
	// Sealer and Env open secrets while the store is away.
	Sealer *Sealer
	Env    func(name string) (string, bool)
	Log    *slog.Logger
}

// Waits between attempts to open the store, doubling.
const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// OpenCached opens the store; when that is ErrUnavailable, the snapshot file
// stands in for it. It fails with the store's error when that is another (a
// newer version's store, another secret key) or there is no usable file. Run
// must be called for the rest.
func OpenCached(ctx context.Context, o CachedOptions) (*Cached, error) {
	c := &Cached{opts: o}
	store, err := o.Open(ctx)
	if err == nil {
		c.store.Store(&opened{store})
		c.live = NewLive(store.Snapshot())
		return c, nil
	}
	if !errors.Is(err, ErrUnavailable) {
		return nil, err
	}
	snap, loadErr := LoadSnapshot(o.Path)
	if loadErr != nil {
		if errors.Is(loadErr, fs.ErrNotExist) {
			return nil, err
		}
		return nil, fmt.Errorf("%w (nor from the copy: %v)", err, loadErr)
	}
	if keyErr := snap.CheckKey(o.Sealer); keyErr != nil {
		return nil, fmt.Errorf("%w (nor from the copy: %v)", err, keyErr)
	}
	o.Log.Warn("settings store is away, starting from its last known state", "error", err, "seq", snap.Seq)
	c.live = NewLive(snap)
	return c, nil
}

// Run opens the store if it is not open yet, forwards its news and saves each
// to the file, until ctx ends. It does not close the store: Close does.
func (c *Cached) Run(ctx context.Context) error {
	for wait := firstRetry; c.store.Load() == nil; wait = min(2*wait, lastRetry) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		store, err := c.opts.Open(ctx)
		if err != nil {
			c.opts.Log.Warn("settings store is still away", "error", err, "next_try", min(2*wait, lastRetry))
			continue
		}
		c.opts.Log.Info("settings store is back")
		c.store.Store(&opened{store})
		// Unlike any later news this may be older than the copy: the store was
		// restored from a backup. It is right all the same.
		c.live.reset(store.Snapshot())
	}
	for snap := range c.store.Load().Watch(ctx) {
		c.live.Publish(snap)
		if err := SaveSnapshot(c.opts.Path, snap); err != nil {
			// The copy is for a bad day; today goes on without it.
			c.opts.Log.Error("settings copy not saved", "error", err)
		}
	}
	return ctx.Err()
}

// Stale reports that the settings may be out of date: the store is away.
func (c *Cached) Stale() bool { return c.store.Load() == nil }

// Snapshot is the store's own as soon as it is open, so that who changes
// something through Do sees it at once.
func (c *Cached) Snapshot() *Snapshot {
	if s := c.store.Load(); s != nil {
		return s.Snapshot()
	}
	return c.live.Snapshot()
}

func (c *Cached) Watch(ctx context.Context) <-chan *Snapshot { return c.live.Watch(ctx) }

var errAway = fmt.Errorf("%w: it could not be opened yet, settings are read-only until it is back", ErrUnavailable)

func (c *Cached) Do(ctx context.Context, author string, changes ...Change) (*Snapshot, error) {
	s := c.store.Load()
	if s == nil {
		return nil, errAway
	}
	snap, err := s.Do(ctx, author, changes...)
	if err == nil {
		c.live.Publish(snap)
	}
	return snap, err
}

func (c *Cached) DryRun(ctx context.Context, author string, changes ...Change) (*Snapshot, error) {
	s := c.store.Load()
	if s == nil {
		return nil, errAway
	}
	dry, ok := s.Store.(DryRunner)
	if !ok {
		return nil, fmt.Errorf("dry run: %w: %T cannot do it", errors.ErrUnsupported, s.Store)
	}
	return dry.DryRun(ctx, author, changes...)
}

func (c *Cached) History(ctx context.Context, sourceID string, before int64, limit int) ([]Revision, error) {
	if s := c.store.Load(); s != nil {
		return s.History(ctx, sourceID, before, limit)
	}
	return nil, errAway
}

func (c *Cached) Secret(ctx context.Context, ref string) (string, error) {
	if s := c.store.Load(); s != nil {
		return s.Secret(ctx, ref)
	}
	return c.live.Snapshot().Secret(ref, c.opts.Sealer, c.opts.Env)
}

// Purger removes what was deleted long ago.
type Purger interface {
	Purge(ctx context.Context) (removed int, err error)
}

// Purge does it where the store is open and can; else there is nothing to do.
func (c *Cached) Purge(ctx context.Context) (removed int, err error) {
	if s := c.store.Load(); s != nil {
		if p, ok := s.Store.(Purger); ok {
			return p.Purge(ctx)
		}
	}
	return 0, nil
}

// Close, after Run has returned, ends the watches and closes the store if it is open and can be closed.
func (c *Cached) Close() error {
	c.live.Close()
	if s := c.store.Load(); s != nil {
		if closer, ok := s.Store.(interface{ Close() error }); ok {
			return closer.Close()
		}
	}
	return nil
}
