package collector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tagmill/tagmill/events/eventlog"
)

func TestUnknownWriteKey(t *testing.T) {
	const stranger = "AbCdEfGhIjKlMnOp"
	body := strings.ReplaceAll(track, key, stranger)
	b := newRig(t, Source{}, func(c *Config) { c.Unresolved = Budget{EventsPerSecond: 2, BytesPerSecond: 1 << 20} })

	res := b.post("/v1/t", body)
	b.want(res, 200)
	if got := string(res.Header.Peek("Tagmill-Error")); got != "unknown-write-key" {
		t.Errorf("Tagmill-Error %q", got)
	}
	if len(b.records()) != 0 {
		t.Errorf("stored though the settings are fresh: %v", brief(b.records()))
	}
	b.count(b.metrics.unknown.notStored, 1)

	b.sources.stale.Store(true)
	b.want(b.post("/v1/t", `{"userId":"u","writeKey":"`+stranger+`"}`), 200) // bad: not kept
	res = b.post("/v1/t", body, "Origin", "https://shop.example")
	b.want(res, 200)
	if got := string(res.Header.Peek("Tagmill-Error")); got != "unknown-write-key" {
		t.Errorf("Tagmill-Error %q", got)
	}
	r, m := b.only(eventlog.Unresolved)
	if r.WriteKey != stranger {
		t.Errorf("record of %q", r.WriteKey)
	}
	if ip, ok := m["context"].(map[string]any)["ip"]; ok {
		t.Errorf("address %v kept, though nobody said it may be", ip)
	}
	b.want(b.post("/v1/t", body), 200)
	b.want(b.post("/v1/t", body), 200) // over the budget
	if got := len(b.records()); got != 2 {
		t.Errorf("%d records stored on a budget of 2", got)
	}
	b.count(b.metrics.unknown.stored, 2)
	b.count(b.metrics.unknown.overBudget, 1)
	b.now = b.now.Add(time.Second)
	b.want(b.post("/v1/t", body), 200)
	if got := len(b.records()); got != 3 {
		t.Errorf("%d records after a second", got)
	}
	b.fail = eventlog.ErrUnavailable
	b.now = b.now.Add(time.Second)
	b.want(b.post("/v1/t", body), 503)
}

func TestNotDurable(t *testing.T) {
	for _, err := range []error{
		eventlog.ErrFull, eventlog.ErrUnavailable, eventlog.ErrClosed, errors.New("odd"),
		fmt.Errorf("append: %w", eventlog.ErrFull),
		&eventlog.PartialError{Errs: []error{nil, eventlog.ErrUnavailable}},
	} {
		b := newRig(t, Source{RefreshIDCookie: true})
		b.fail = err
		res := b.post("/v1/t", track)
		b.want(res, 503)
		if got := string(res.Header.Peek("Retry-After")); got == "" || got == "0" {
			t.Errorf("%v: Retry-After %q", err, got)
		}
		b.count(b.metrics.accepted, 0)
		if got := b.inFlight.Load(); got != 0 {
			t.Errorf("%d bytes in flight afterwards", got)
		}
		b.fail = nil
		b.want(b.post("/v1/t", track), 200)
	}
}

func TestRateLimit(t *testing.T) {
	b := newRig(t, Source{EventsPerSecond: 10})
	batch := `{"batch":[` + strings.Repeat(track+",", 24) + track + `],"writeKey":"` + key + `"}`
	b.want(b.post("/v1/b", batch), 200) // larger than the burst, once
	res := b.post("/v1/t", track)
	b.want(res, 429)
	for _, header := range []string{"Retry-After", "X-RateLimit-Reset"} {
		if got := string(res.Header.Peek(header)); got != "2" { // 15 owed, 10 a second
			t.Errorf("%s %q, want 2", header, got)
		}
	}
	b.now = b.now.Add(2 * time.Second)
	b.want(b.post("/v1/t", track), 200)

	// The limit is the source's, and follows its settings.
	b.sources.byKey[key] = Source{ID: "src-1", EventsPerSecond: 1}
	b.want(b.post("/v1/t", track), 200)
	b.want(b.post("/v1/t", track), 429)
	b.sources.byKey[key] = Source{ID: "src-2", EventsPerSecond: 1}
	b.want(b.post("/v1/t", track), 200)
	b.sources.byKey[key] = Source{ID: "src-2"}
	b.want(b.post("/v1/t", track), 200)
	if got := len(b.records()); got != 29 {
		t.Errorf("%d records", got)
	}
}

// blockingLog holds every Append until released.
type blockingLog struct {
	entered chan struct{}
	release chan struct{}
}

func (l *blockingLog) Append(_ context.Context, _ []eventlog.Record) error {
	l.entered <- struct{}{}
	<-l.release
	return nil
}

func TestBytesInFlightAreBounded(t *testing.T) {
	log := &blockingLog{entered: make(chan struct{}), release: make(chan struct{})}
	size := int64(len(track))
	b := newRig(t, Source{}, func(c *Config) { c.Log, c.InFlight = log, 4*size+1000 })
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { b.want(b.post("/v1/t", track), 200) })
		<-log.entered
	}
	res := b.post("/v1/t", `{"x":"`+strings.Repeat("x", int(4*size))+`","writeKey":"`+key+`"}`)
	b.want(res, 503)
	if got := string(res.Header.Peek("Retry-After")); got != "1" {
		t.Errorf("Retry-After %q", got)
	}
	res = b.post("/v1/b", zip(t, `{"batch":[]}`)) // small, but may unzip to half a megabyte
	b.want(res, 503)
	close(log.release)
	wg.Wait()
	if got := b.inFlight.Load(); got != 0 {
		t.Errorf("%d bytes in flight afterwards", got)
	}
}
