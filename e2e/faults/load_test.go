package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// load posts events with ids of their own and remembers which were answered
// 200. It outlives processes. Safe for concurrent use.
type load struct {
	t     *testing.T
	pad   int          // bytes of padding in an event
	next  atomic.Int64 // id of the next event
	acks  atomic.Int64
	moved chan struct{} // given something after acknowledgements, never blocking

	mu      sync.Mutex
	sent    map[string]bool
	acked   map[string]bool
	refused map[int]int // answers by status, 200 apart
	lastNo  answer      // the newest of them
}

func newLoad(t *testing.T) *load {
	return &load{t: t, moved: make(chan struct{}, 1), sent: map[string]bool{}, acked: map[string]bool{}, refused: map[int]int{}}
}

// post sends n events in one request: one alone to /v1/t, more to /v1/b.
// The error is the connection's.
func (l *load) post(ctx context.Context, s *server, writeKey string, n int) (answer, error) {
	ids := make([]string, n)
	events := make([]string, n)
	l.mu.Lock()
	for i := range ids {
		ids[i] = fmt.Sprintf("fault-%d", l.next.Add(1))
		l.sent[ids[i]] = true
	}
	l.mu.Unlock()
	for i, id := range ids {
		events[i] = fmt.Sprintf(`{"type":"track","event":"Fault","anonymousId":"a-%d","messageId":%q,"properties":{"pad":%q}}`, i, id, noise(id, l.pad))
	}
	route, body := "/v1/t", strings.Replace(events[0], "{", `{"writeKey":"`+writeKey+`",`, 1)
	if n > 1 {
		route, body = "/v1/b", `{"writeKey":"`+writeKey+`","batch":[`+strings.Join(events, ",")+`]}`
	}
	a, err := s.request(ctx, http.MethodPost, s.edge+route, "text/plain", "", []byte(body))
	if err != nil {
		return a, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.status != http.StatusOK {
		l.refused[a.status]++
		l.lastNo = a
		return a, nil
	}
	for _, id := range ids {
		l.acked[id] = true
	}
	l.acks.Add(int64(n))
	select {
	case l.moved <- struct{}{}:
	default: // whoever waits has been told already
	}
	return a, nil
}

// noise is text that does not compress, different for each seed.
func noise(seed string, n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	x := uint64(14695981039346656037)
	for _, c := range []byte(seed) {
		x = (x ^ uint64(c)) * 1099511628211
	}
	b := make([]byte, n)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = letters[x>>58]
	}
	return string(b)
}

// run posts from several goroutines, each with a batch size of its own, until
// ctx ends or the server is gone. It returns when all have ended.
func (l *load) run(ctx context.Context, s *server, writeKey string, sizes ...int) {
	var wg sync.WaitGroup
	for _, n := range sizes {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := l.post(ctx, s, writeKey, n); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}

// untilAcked returns after n more acknowledgements, or when gone is closed.
func (l *load) untilAcked(n int64, gone <-chan struct{}) {
	for goal := l.acks.Load() + n; l.acks.Load() < goal; {
		select {
		case <-l.moved:
		case <-gone:
			return
		}
	}
}

// check compares a stopped server's log with what was answered.
func (l *load) check(data string) (dumped int) {
	l.t.Helper()
	code, out, errOut := tagmill(l.t, nil, "log", "verify", "--data", data)
	if code != 0 {
		l.t.Errorf("log verify: exit code %d\n%s%s", code, tail(out), tail(errOut))
	}
	code, out, errOut = tagmill(l.t, nil, "log", "dump", "--data", data)
	if code != 0 {
		l.t.Fatalf("log dump: exit code %d\n%s", code, tail(errOut))
	}
	found := map[string]bool{}
	for line := range strings.Lines(out) {
		var e struct{ MessageID string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			l.t.Fatalf("log dump: %v in %q", err, line)
		}
		if found[e.MessageID] {
			l.t.Errorf("event %s is in the log twice", e.MessageID)
		}
		if !l.sent[e.MessageID] {
			l.t.Errorf("event %s is in the log and was never sent", e.MessageID)
		}
		found[e.MessageID] = true
	}
	lost := 0
	for id := range l.acked {
		if !found[id] {
			if lost++; lost <= 10 {
				l.t.Errorf("event %s was answered 200 and is not in the log", id)
			}
		}
	}
	if lost > 0 {
		l.t.Errorf("%d of %d acknowledged events lost", lost, len(l.acked))
	}
	return len(found)
}
