package collector

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiters hold one rate limiter for each limited source.
type limiters struct {
	mu       sync.RWMutex // read on every request of a limited source, written when a source first sends
	bySource map[string]*rate.Limiter
}

// take counts n events of a source against its rate. ok is false when the
// source is over it, and should come back after wait.
func (l *limiters) take(source string, eventsPerSecond int, now time.Time, n int) (wait time.Duration, ok bool) {
	l.mu.RLock()
	lim := l.bySource[source]
	l.mu.RUnlock()
	if lim == nil || lim.Limit() != rate.Limit(eventsPerSecond) {
		lim = l.set(source, eventsPerSecond)
	}
	return take(lim, now, n)
}

// set makes a source's limiter, anew when its rate has changed.
func (l *limiters) set(source string, eventsPerSecond int) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lim := l.bySource[source]; lim != nil && lim.Limit() == rate.Limit(eventsPerSecond) {
		return lim
	}
	lim := perSecond(eventsPerSecond)
	if l.bySource == nil {
		l.bySource = map[string]*rate.Limiter{}
	}
	l.bySource[source] = lim
	return lim
}

// perSecond makes a limiter that lets a second's worth through at once.
func perSecond(n int) *rate.Limiter { return rate.NewLimiter(rate.Limit(n), n) }

// take counts n against lim. A request is let through whole while anything is
// left, and what it takes too much is owed: a batch larger than the burst
// would otherwise never get through, and its client would try for ever.
func take(lim *rate.Limiter, now time.Time, n int) (wait time.Duration, ok bool) {
	if left := lim.TokensAt(now); left < 1 {
		return time.Duration((1 - left) / float64(lim.Limit()) * float64(time.Second)), false
	}
	for burst := lim.Burst(); n > 0; n -= burst {
		lim.ReserveN(now, min(n, burst))
	}
	return 0, true
}
