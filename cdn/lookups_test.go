package cdn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"
)

// lookup is a fake store that can be told to wait.
type lookup struct {
	mu      sync.Mutex
	asked   []string
	entered chan string   // gets each key asked for
	answer  chan struct{} // waited for, when not nil
	find    func(key string) (*Bundle, error)
}

func (l *lookup) Lookup(ctx context.Context, key string) (*Bundle, error) {
	l.mu.Lock()
	l.asked = append(l.asked, key)
	l.mu.Unlock()
	if l.entered != nil {
		l.entered <- key
	}
	if l.answer != nil {
		select {
		case <-l.answer:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return l.find(key)
}

func (l *lookup) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.asked)
}

func found(key string) (*Bundle, error)   { return bundle(key), nil }
func missing(key string) (*Bundle, error) { return nil, fmt.Errorf("key %s: %w", key, ErrUnknownKey) }

func TestLookupIsCoalescedAndKept(t *testing.T) {
	l := &lookup{entered: make(chan string, 100), answer: make(chan struct{}), find: found}
	o := New(Config{Lookup: l.Lookup})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { expect(t, ask(t, o, "GET", livePath), 200, "script KEY") })
	}
	<-l.entered
	close(l.answer)
	wg.Wait()
	expect(t, ask(t, o, "GET", "/v1/projects/KEY/settings"), 200, "KEY")
	if l.count() != 1 {
		t.Errorf("looked up %d times", l.count())
	}
}

func TestHitsDoNotWaitForALookup(t *testing.T) {
	l := &lookup{entered: make(chan string, 1), answer: make(chan struct{}), find: found}
	o := New(Config{Lookup: l.Lookup})
	o.Put("KEY", Default, bundle("b1"))
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		ask(t, o, "GET", "/v1/projects/slow/settings")
	}()
	<-l.entered
	expect(t, ask(t, o, "GET", livePath), 200, "script b1")
	o.Put("another", Default, bundle("b2"))
	close(l.answer)
	<-answered
}

func TestUnknownKeysAreRememberedForTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lookup{find: missing}
		o := New(Config{Lookup: l.Lookup})
		for range 3 {
			expect(t, ask(t, o, "GET", livePath), 200, "is unknown", "Tagmill-Error: unknown-write-key")
		}
		time.Sleep(unknownFor - time.Nanosecond)
		ask(t, o, "GET", livePath)
		if l.count() != 1 {
			t.Errorf("looked up %d times within ten seconds", l.count())
		}
		time.Sleep(time.Nanosecond)
		l.find = found
		expect(t, ask(t, o, "GET", livePath), 200, "script KEY")
		if l.count() != 2 {
			t.Errorf("looked up %d times", l.count())
		}
	})
}

func TestAKeyPutAfterItWasUnknownIsServedAtOnce(t *testing.T) {
	l := &lookup{find: missing}
	o := New(Config{Lookup: l.Lookup})
	expect(t, ask(t, o, "GET", livePath), 200, "is unknown")
	o.Put("KEY", Default, bundle("b1"))
	expect(t, ask(t, o, "GET", livePath), 200, "script b1")
}

func TestFailedLookupsAreUnavailableAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := &lookup{find: func(string) (*Bundle, error) { return nil, errors.New("database is away") }}
		o := New(Config{Lookup: l.Lookup, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for range 5 {
			expect(t, ask(t, o, "GET", livePath), 503, "cannot be looked up", "Retry-After: 1", "Cache-Control: no-store")
		}
		if l.count() != 1 || strings.Count(log.String(), "database is away") != 1 {
			t.Errorf("looked up %d times, logged:\n%s", l.count(), log.String())
		}
		time.Sleep(failedFor)
		l.find = found
		expect(t, ask(t, o, "GET", livePath), 200, "script KEY")
	})
}

func TestALookupThatHangsTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls atomic.Int32
		o := New(Config{LookupTimeout: time.Second, Lookup: func(context.Context, string) (*Bundle, error) {
			calls.Add(1)
			<-release // heeds no context
			return bundle("late"), nil
		}})
		began := time.Now()
		for range 3 {
			expect(t, ask(t, o, "GET", livePath), 503, "cannot be looked up", "Retry-After: 1")
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("three requests took %v", took)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%d look-ups of one key at once", n)
		}
		close(release)
		synctest.Wait()
		expect(t, ask(t, o, "GET", livePath), 200, "script late")
	})
}

func TestALookupThatPanicsIsAFailure(t *testing.T) {
	o := New(Config{Lookup: func(context.Context, string) (*Bundle, error) { panic("boom") }})
	expect(t, ask(t, o, "GET", livePath), 503, "cannot be looked up")
	o = New(Config{Lookup: func(context.Context, string) (*Bundle, error) { return nil, nil }})
	expect(t, ask(t, o, "GET", livePath), 503, "cannot be looked up")
}

func TestTooManyLookupsAtOnce(t *testing.T) {
	l := &lookup{entered: make(chan string, 2), answer: make(chan struct{}), find: found}
	o := New(Config{Lookup: l.Lookup, MaxLookups: 2})
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { ask(t, o, "GET", fmt.Sprintf("/v1/projects/k%d/settings", i)) })
		<-l.entered
	}
	expect(t, ask(t, o, "GET", livePath), 503, "cannot be looked up", "Retry-After: 1")
	close(l.answer)
	wg.Wait()
	l.answer = nil
	expect(t, ask(t, o, "GET", livePath), 200, "script KEY")
}

// What a look-up found must not replace what was published or removed while
// it ran.
func TestAPublishBeatsALookupUnderWay(t *testing.T) {
	for name, during := range map[string]struct {
		do   func(*Origin)
		want string
	}{
		"put":            {func(o *Origin) { o.Put("KEY", Default, bundle("new")) }, "script new"},
		"put and remove": {func(o *Origin) { o.Put("KEY", Default, bundle("new")); o.Remove("KEY") }, "is unknown"},
		"remove":         {func(o *Origin) { o.Remove("KEY") }, "is unknown"},
	} {
		l := &lookup{entered: make(chan string, 1), answer: make(chan struct{}), find: found}
		o := New(Config{Lookup: l.Lookup})
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			ask(t, o, "GET", livePath)
		}()
		<-l.entered
		during.do(o)
		close(l.answer)
		<-answered
		l.entered, l.answer, l.find = nil, nil, missing
		if r := ask(t, o, "GET", livePath); !strings.Contains(string(r.Body()), during.want) {
			t.Errorf("%s: then served %q", name, r.Body())
		}
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	o := New(Config{Lookup: func(_ context.Context, key string) (*Bundle, error) { return nil, ErrUnknownKey }})
	for i := range maxRefusals + 100 {
		ctx := &fasthttp.RequestCtx{}
		ctx.Request.Header.SetRequestURI(fmt.Sprintf("/v1/projects/k%d/settings", i))
		o.Handle(ctx)
	}
	o.lookups.mu.Lock()
	defer o.lookups.mu.Unlock()
	if n := len(o.lookups.refusals.items); n != maxRefusals || o.lookups.refusals.order.Len() != n || len(o.lookups.flights) != 0 {
		t.Errorf("%d refusals kept, %d look-ups under way", n, len(o.lookups.flights))
	}
}

func TestLRU(t *testing.T) {
	l := newLRU[string](10)
	l.put("a", "A", 4)
	l.put("b", "B", 4)
	l.get("a")
	l.put("c", "C", 4) // b is the least recently used
	l.put("huge", "H", 11)
	l.put("a", "A2", 5)
	for key, want := range map[string]string{"a": "A2", "b": "", "c": "C", "huge": ""} {
		if got, _ := l.get(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if l.cost != 9 {
		t.Errorf("cost %d", l.cost)
	}
}
