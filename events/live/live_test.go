package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/memory"
)

func record(writeKey string, n int) eventlog.Record {
	return eventlog.Record{Kind: eventlog.Event, WriteKey: writeKey, MessageID: fmt.Sprint(n), Value: fmt.Appendf(nil, `{"n":%d}`, n)}
}

func appendTo(t *testing.T, l eventlog.Log, writeKey string, from, n int) {
	t.Helper()
	for i := range n {
		if err := l.Append(t.Context(), []eventlog.Record{record(writeKey, from+i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// start runs a feed until the test ends, inside a synctest bubble.
func start(t *testing.T, l Log, opts Options) (f *Feed, stop func()) {
	t.Helper()
	f = New(l, opts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	synctest.Wait()
	return f, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

// received returns the message ids that wait in a subscription.
func received(s *Subscription) []string {
	synctest.Wait()
	ids := []string{}
	for {
		select {
		case e, ok := <-s.C():
			if !ok {
				return ids
			}
			ids = append(ids, e.MessageID)
		default:
			return ids
		}
	}
}

func numbers(from, n int) []string {
	out := []string{}
	for i := range n {
		out = append(out, fmt.Sprint(from+i))
	}
	return out
}

func want(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func only(writeKey string) func(string) bool {
	return func(wk string) bool { return wk == writeKey }
}

func TestWatchersGetBacklogThenWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New(memory.Options{})
		appendTo(t, l, "a", 0, 10)
		appendTo(t, l, "b", 100, 10)
		f, stop := start(t, l, Options{})
		defer stop()

		a := f.Subscribe(only("a"), 3)
		all := f.Subscribe(nil, 4)
		none := f.Subscribe(only("a"), 0)
		defer a.Close()
		defer all.Close()
		want(t, received(a), numbers(7, 3))
		want(t, received(all), numbers(106, 4))

		appendTo(t, l, "a", 10, 2)
		appendTo(t, l, "b", 110, 1)
		want(t, received(a), []string{"10", "11"})
		want(t, received(all), []string{"10", "11", "110"})
		want(t, received(none), []string{"10", "11"})

		none.Close()
		none.Close()
		appendTo(t, l, "a", 12, 1)
		want(t, received(none), []string{})
		if _, open := <-none.C(); open {
			t.Fatal("a closed subscription delivers")
		}
	})
}

func TestWhatComesWhileNobodyWatchesIsBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New(memory.Options{})
		f, stop := start(t, l, Options{GlanceEvery: time.Second})
		defer stop()
		appendTo(t, l, "quiet", 0, 2)
		time.Sleep(1500 * time.Millisecond) // the bubble's clock: one glance
		appendTo(t, l, "busy", 1000, 3*glance)
		time.Sleep(1500 * time.Millisecond)
		s := f.Subscribe(only("quiet"), 10)
		want(t, received(s), numbers(0, 2)) // the busy one did not push it out
		s.Close()

		// A watcher who comes between two glances misses nothing and sees nothing twice.
		appendTo(t, l, "quiet", 2, 3)
		s = f.Subscribe(only("quiet"), 10)
		want(t, received(s), numbers(0, 5))
		s.Close()
	})
}

func TestSlowWatcherLosesTheOldestAndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New(memory.Options{})
		f, stop := start(t, l, Options{Buffer: 5})
		defer stop()
		slow, quick := f.Subscribe(nil, 0), f.Subscribe(nil, 0)
		var got []string
		for i := range 20 {
			appendTo(t, l, "a", i, 1)
			got = append(got, received(quick)...)
		}
		want(t, got, numbers(0, 20))
		want(t, received(slow), numbers(15, 5))
		if slow.Dropped() != 15 || quick.Dropped() != 0 {
			t.Fatalf("dropped %d and %d, want 15 and 0", slow.Dropped(), quick.Dropped())
		}
	})
}

func TestStopEndsSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memory.New(memory.Options{})
		appendTo(t, l, "a", 0, 1)
		f, stop := start(t, l, Options{})
		s := f.Subscribe(nil, 1)
		stop()
		want(t, received(s), []string{"0"})
		if _, open := <-s.C(); open {
			t.Fatal("still open")
		}
		late := f.Subscribe(nil, 1)
		want(t, received(late), []string{"0"})
		if _, open := <-late.C(); open {
			t.Fatal("subscribed after the end and still open")
		}
		late.Close()

		// The log's end is the feed's.
		f2, stop2 := start(t, l, Options{})
		s2 := f2.Subscribe(nil, 0)
		synctest.Wait()
		l.Close()
		if _, open := <-s2.C(); open {
			t.Fatal("open after the log was closed")
		}
		stop2()
	})
}

// unreadable fails reads while broken is set.
type unreadable struct {
	*memory.Log
	broken atomic.Pointer[error]
}

func (u *unreadable) Read(ctx context.Context, from eventlog.Cursor, max int) (eventlog.Batch, error) {
	if err := u.broken.Load(); err != nil {
		return eventlog.Batch{}, *err
	}
	return u.Log.Read(ctx, from, max)
}

func TestGoesOnAfterErrors(t *testing.T) {
	for _, broken := range []error{errors.New("disk on fire"), eventlog.ErrTrimmed} {
		synctest.Test(t, func(t *testing.T) {
			l := &unreadable{Log: memory.New(memory.Options{})}
			f, stop := start(t, l, Options{})
			defer stop()
			s := f.Subscribe(nil, 0)
			appendTo(t, l, "a", 0, 1)
			want(t, received(s), numbers(0, 1))

			l.broken.Store(&broken)
			appendTo(t, l, "a", 1, 2) // the read that waits gets the first of them
			synctest.Wait()
			first := received(s)
			time.Sleep(5 * time.Second) // the bubble's clock
			l.broken.Store(nil)
			time.Sleep(5 * time.Second)
			want(t, append(first, received(s)...), numbers(1, 2))
		})
	}
}

func TestRecentIsBounded(t *testing.T) {
	r := newRecent(3, 2000)
	add := func(writeKey string, n, size int) {
		r.add(Event{WriteKey: writeKey, MessageID: fmt.Sprint(n), Value: make([]byte, size)})
	}
	ids := func(n int, filter func(string) bool) (out []string) {
		for _, e := range r.newest(filter, n) {
			out = append(out, e.MessageID)
		}
		return out
	}
	for i := range 10 {
		add("busy", i, 1)
	}
	add("quiet", 100, 1)
	for i := range 10 {
		add("busy", 10+i, 1)
	}
	want(t, ids(100, nil), []string{"100", "17", "18", "19"})
	want(t, ids(1, only("busy")), []string{"19"})
	if len(ids(0, nil)) != 0 || len(ids(5, only("nobody"))) != 0 {
		t.Fatal("too many")
	}
	add("big", 200, 1500) // the byte bound takes the oldest, whoever they are
	want(t, ids(100, nil), []string{"19", "200"})
	add("bigger", 300, 5000) // more than fits at all
	if r.bytes != 0 || r.all.Len() != 0 || len(r.bySource) != 0 {
		t.Fatalf("%d bytes, %d events, %d sources are left", r.bytes, r.all.Len(), len(r.bySource))
	}
}
