package settings

import (
	"context"
	"sync"
	"sync/atomic"
)

// Live hands the newest snapshot to everyone who wants it: the part of a
// Store that has nothing to do with storage. It owns no goroutine.
type Live struct {
	newest atomic.Pointer[Snapshot]

	// mu orders publishing against joining and leaving, so that a watcher
	// always ends up with the newest snapshot and nobody sends on a closed channel.
	mu       sync.Mutex
	watchers map[*watcher]struct{}
	closed   bool
}

type watcher struct{ ch chan *Snapshot }

// NewLive starts with a snapshot, which must not be nil.
func NewLive(s *Snapshot) *Live {
	l := &Live{watchers: map[*watcher]struct{}{}}
	l.newest.Store(s)
	return l
}

// Snapshot returns the newest one; it never blocks.
func (l *Live) Snapshot() *Snapshot { return l.newest.Load() }

// Publish makes s the newest and sends it to all watchers, without waiting
// for any. A snapshot older than the present one is dropped: news may
// overtake each other on their way here.
func (l *Live) Publish(s *Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Seq >= l.newest.Load().Seq {
		l.setLocked(s)
	}
}

// reset is Publish for a snapshot that counts however old it is.
func (l *Live) reset(s *Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setLocked(s)
}

func (l *Live) setLocked(s *Snapshot) {
	l.newest.Store(s)
	for w := range l.watchers {
		w.replace(s)
	}
}

// replace puts s into the one place of the channel, over what was not read yet.
// Sends happen under mu alone, so that the place cannot be taken in between.
func (w *watcher) replace(s *Snapshot) {
	select {
	case <-w.ch:
	default:
	}
	w.ch <- s
}

// Watch is Store.Watch. The channel is closed when ctx ends or Close is called.
func (l *Live) Watch(ctx context.Context) <-chan *Snapshot {
	w := &watcher{ch: make(chan *Snapshot, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		close(w.ch)
		return w.ch
	}
	w.ch <- l.newest.Load()
	l.watchers[w] = struct{}{}
	// Runs once, when ctx ends, on a goroutine of the context package that
	// ends with it; a watcher costs none while it waits.
	context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, there := l.watchers[w]; there {
			delete(l.watchers, w)
			close(w.ch)
		}
	})
	return w.ch
}

// Close ends every watch. Snapshot goes on answering.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for w := range l.watchers {
		delete(l.watchers, w)
		close(w.ch)
	}
}
