package web

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"
)

// Each state has its limit, kept to within two sweeps and never cut short.
func TestEachStateHasItsLimit(t *testing.T) {
	limits := Limits{RequestTimeout: 30 * time.Second, IdleTimeout: 75 * time.Second}
	for name, c := range map[string]struct {
		states []fasthttp.ConnState
		limit  time.Duration
	}{
		"new":         {[]fasthttp.ConnState{fasthttp.StateNew}, limits.RequestTimeout},
		"active":      {[]fasthttp.ConnState{fasthttp.StateNew, fasthttp.StateActive}, limits.RequestTimeout},
		"idle":        {[]fasthttp.ConnState{fasthttp.StateNew, fasthttp.StateActive, fasthttp.StateIdle}, limits.IdleTimeout},
		"active anew": {[]fasthttp.ConnState{fasthttp.StateNew, fasthttp.StateActive, fasthttp.StateIdle, fasthttp.StateActive}, limits.RequestTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			var cs conns
			cs.set(limits, time.Second)
			ctx, stop := context.WithCancel(t.Context())
			go cs.sweep(ctx)
			conn, peer := net.Pipe()
			defer peer.Close()
			for _, state := range c.states {
				time.Sleep(700 * time.Millisecond)
				cs.changed(conn, state)
			}
			began := time.Now()
			if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took < c.limit || took > c.limit+2*time.Second {
				t.Errorf("%s: closed after %v, limit %v", name, took, c.limit)
			}
			cs.changed(conn, fasthttp.StateClosed)
			if n := cs.count(); n != 0 {
				t.Errorf("%s: %d connections left", name, n)
			}
			stop()
		})
	}
}
