package live

import "sync/atomic"

// Subscription is one watcher's view. Close it when done.
type Subscription struct {
	feed    *Feed
	filter  func(writeKey string) bool
	c       chan Event
	dropped atomic.Int64
}

// Subscribe begins to watch the sources whose write key passes the filter (nil:
// all): first up to backlog recent events, oldest first, then events as they
// come. The filter is called with a lock held: it must be quick and must not
// call the Feed. After Run has ended the subscription ends at once.
func (f *Feed) Subscribe(filter func(writeKey string) bool, backlog int) *Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	past := f.recent.newest(filter, backlog)
	s := &Subscription{feed: f, filter: filter, c: make(chan Event, f.opts.Buffer+len(past))}
	for _, e := range past {
		s.c <- e // there is room for all of them
	}
	if f.stopped {
		close(s.c)
		return s
	}
	f.watchers[s] = struct{}{}
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return s
}

// C delivers the events and is closed by Close and when the Feed stops.
func (s *Subscription) C() <-chan Event { return s.c }

// Dropped is how many events this watcher has missed because it was too slow.
func (s *Subscription) Dropped() int64 { return s.dropped.Load() }

// Close ends the subscription. It may be called more than once.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.feed.dropLocked(s)
}

// sendLocked never waits: the oldest event makes room for the newest. The feed's
// lock makes this the channel's only sender, so the loop ends.
func (s *Subscription) sendLocked(e Event) {
	for {
		select {
		case s.c <- e:
			return
		default:
		}
		select {
		case <-s.c:
			s.dropped.Add(1)
		default:
		}
	}
}
