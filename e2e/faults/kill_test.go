package faults

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// A process killed at any moment, again and again on one data folder, loses no
// event it answered 200 and no flip it answered 200, and starts again.
func TestFaultKills(t *testing.T) {
	kills := 50
	if *long {
		kills = 500
	}
	data := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	events := newLoad(t)
	flips := &flipper{}
	for kill := range kills {
		if kill%5 == 4 {
			killAtStart(t, data, rng)
		}
		p := serve(t, data)
		s := p.server(t, data)
		flips.check(t, s)
		key := s.writeKey(t)

		stopped := make(chan struct{})
		// Posts and flips until the process is gone.
		go func() {
			defer close(stopped)
			flipping := make(chan struct{})
			go func() { defer close(flipping); flips.run(t, s) }()
			events.run(t.Context(), s, key, 1, 1, 1, 20, 20, 100)
			<-flipping
		}()
		events.untilAcked(1+rng.Int64N(3000), stopped)
		if !p.alive() {
			t.Fatalf("kill %d: the process ended by itself:\n%s", kill, tail(p.stderr.String()))
		}
		p.kill()
		<-stopped
	}

	// The last life ends in order, under load as well.
	p := serve(t, data)
	s := p.server(t, data)
	flips.check(t, s)
	key := s.writeKey(t)
	stopped := make(chan struct{})
	go func() { defer close(stopped); events.run(t.Context(), s, key, 1, 20) }()
	events.untilAcked(500, stopped)
	p.stop(t)
	<-stopped

	dumped := events.check(data)
	t.Logf("%d kills: %d events sent, %d answered 200, %d in the log; %d flips answered", kills, len(events.sent), len(events.acked), dumped, flips.revision)
	if len(events.acked) < kills*10 {
		t.Error("the process was hardly at work when it was killed")
	}
	for status, n := range events.refused {
		t.Errorf("%d answers %d from a healthy server; the last: %v", n, status, events.lastNo)
	}
}

// maxStart is about how long a start takes.
const maxStart = 300 * time.Millisecond

// killAtStart kills a process while it opens its files.
func killAtStart(t *testing.T, data string, rng *rand.Rand) {
	t.Helper()
	p, ready := launch(t, data, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 1+time.Duration(rng.Int64N(int64(maxStart))))
	defer cancel()
	select {
	case <-ready:
	case <-ctx.Done():
	}
	p.kill()
}

// flipper switches one integration to and fro and remembers the newest
// revision that was answered.
type flipper struct{ revision int64 }

func (f *flipper) run(t *testing.T, s *server) {
	for on := true; t.Context().Err() == nil; on = !on {
		body, _ := json.Marshal(map[string]any{"enabled": on, "settings": map[string]any{"accountNumber": "00123456"}})
		a, err := s.request(t.Context(), http.MethodPut, s.admin+source+"/integrations/crazyegg", "application/json", s.token, body)
		if err != nil {
			return // the process is gone
		}
		var view struct{ Revision int64 }
		if err := json.Unmarshal([]byte(a.body), &view); err != nil || a.status != http.StatusOK {
			t.Errorf("flip: %v", a)
			return
		}
		f.revision = view.Revision
	}
}

// check asks a new life for what was answered in earlier ones.
func (f *flipper) check(t *testing.T, s *server) {
	t.Helper()
	var view struct{ Revision int64 }
	s.ok(t, http.MethodGet, source, nil, &view)
	if view.Revision < f.revision {
		t.Errorf("revision %d was answered, the restarted server has %d", f.revision, view.Revision)
	}
	s.live(t, f.revision)
	if a := s.get(t, s.bundleURL(s.writeKey(t))); a.status != http.StatusOK || a.header.Get("Tagmill-Error") != "" {
		t.Errorf("bundle after a kill: %v", a.status)
	}
}
