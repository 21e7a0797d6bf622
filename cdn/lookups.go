package cdn

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// How long the outcome of a look-up stands, and how much of it is kept.
const (
	unknownFor  = 10 * time.Second // "there is no such key": a new one appears soon
	failedFor   = time.Second      // a store that is down is not asked by every request
	maxRefusals = 4096
)

// errBusy says that too many look-ups are under way.
var errBusy = errors.New("too many look-ups under way")

// lookups runs look-ups of names this origin has not seen: one at a time for
// each name, so many at once in all, none longer than its time-out, and with
// refusals remembered for a while. Only misses come here.
type lookups struct {
	timeout time.Duration
	most    int
	failed  func(name string, err error) // told once of each failed look-up

	mu       sync.Mutex
	flights  map[string]*flight
	refusals *lru[refusal]
}

// flight is one look-up under way. found and err are set before done closes.
type flight struct {
	done  chan struct{}
	found *prepared
	err   error
}

type refusal struct {
	err   error
	until time.Time
}

func newLookups(timeout time.Duration, most int, failed func(string, error)) *lookups {
	return &lookups{timeout: timeout, most: most, failed: failed,
		flights: map[string]*flight{}, refusals: newLRU[refusal](maxRefusals)}
}

// do returns what fetch finds for name, joining a fetch of it that is under
// way. It returns after the time-out even when fetch does not.
func (l *lookups) do(name string, fetch func(context.Context) (*prepared, error)) (*prepared, error) {
	f, err := l.join(name, fetch)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(l.timeout)
	defer timer.Stop()
	select {
	case <-f.done:
		return f.found, f.err
	case <-timer.C:
		return nil, fmt.Errorf("look up %q: %w", name, context.DeadlineExceeded)
	}
}

func (l *lookups) join(name string, fetch func(context.Context) (*prepared, error)) (*flight, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.refusals.get(name); ok {
		if time.Now().Before(r.until) {
			return nil, r.err
		}
		l.refusals.remove(name)
	}
	if f, ok := l.flights[name]; ok {
		return f, nil
	}
	if len(l.flights) >= l.most {
		return nil, errBusy
	}
	f := &flight{done: make(chan struct{})}
	l.flights[name] = f
	// A goroutine of its own, so that requests can give up on a fetch that
	// does not heed its context; it ends when fetch returns. Until then the
	// flight stays, and no second one of that name is started.
	go l.fly(name, f, fetch)
	return f, nil
}

func (l *lookups) fly(name string, f *flight, fetch func(context.Context) (*prepared, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), l.timeout)
	defer cancel()
	f.found, f.err = guarded(ctx, fetch)
	unknown := errors.Is(f.err, ErrUnknownKey) || errors.Is(f.err, ErrUnknownBuild)
	if f.err != nil && !unknown {
		f.err = fmt.Errorf("look up %q: %w", name, f.err)
		l.failed(name, f.err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.flights, name)
	switch {
	case unknown:
		l.refusals.put(name, refusal{f.err, time.Now().Add(unknownFor)}, 1)
	case f.err != nil:
		l.refusals.put(name, refusal{f.err, time.Now().Add(failedFor)}, 1)
	}
	close(f.done)
}

// guarded turns a panic of fetch into an error: it would end the process.
func guarded(ctx context.Context, fetch func(context.Context) (*prepared, error)) (p *prepared, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return fetch(ctx)
}
