package web

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// conns are the open connections, and by when each must have moved on. One
// sweep a second closes those that have not. Read and write deadlines would
// do the same, but set three timers for every request: a twentieth of the CPU
// time of one that is served from memory.
type conns struct {
	every                time.Duration // between sweeps
	first, request, idle int64         // limits in sweeps
	now                  atomic.Int64  // sweeps so far: the clock of the limits
	open                 sync.Map      // net.Conn to *atomic.Int64, the sweep that closes it
}

func (c *conns) set(l Limits, every time.Duration) {
	c.every = every
	// One more, as the present second is already under way.
	sweeps := func(d time.Duration) int64 { return int64((d+every-1)/every) + 1 }
	c.first, c.request, c.idle = sweeps(l.RequestTimeout), sweeps(l.RequestTimeout), sweeps(l.IdleTimeout)
}

// changed is told of every state of every connection, twice a request: it
// takes no lock then and allocates nothing.
func (c *conns) changed(conn net.Conn, state fasthttp.ConnState) {
	switch state {
	case fasthttp.StateNew:
		until := new(atomic.Int64)
		until.Store(c.now.Load() + c.first)
		c.open.Store(conn, until)
	case fasthttp.StateActive:
		c.allow(conn, c.request)
	case fasthttp.StateIdle:
		c.allow(conn, c.idle)
	case fasthttp.StateClosed, fasthttp.StateHijacked:
		c.open.Delete(conn)
	}
}

func (c *conns) allow(conn net.Conn, sweeps int64) {
	if until, ok := c.open.Load(conn); ok {
		until.(*atomic.Int64).Store(c.now.Load() + sweeps)
	}
}

// sweep closes what is overdue, until ctx ends.
func (c *conns) sweep(ctx context.Context) {
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := c.now.Add(1)
			c.closeIf(func(until int64) bool { return until <= now })
		}
	}
}

// closeIf closes the connections whose limit the condition holds for, and
// counts them. What reads or writes on one then fails and ends.
func (c *conns) closeIf(condition func(until int64) bool) int {
	n := 0
	c.open.Range(func(conn, until any) bool {
		if condition(until.(*atomic.Int64).Load()) {
			_ = conn.(net.Conn).Close() // nobody is left to be told
			n++
		}
		return true
	})
	return n
}

func (c *conns) count() int {
	n := 0
	c.open.Range(func(any, any) bool { n++; return true })
	return n
}
