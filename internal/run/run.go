// Package run owns goroutines: a group of named parts that start in order and
// stop in the reverse order, when the first of them ends or the context does.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Part is one long-running piece of a process. Run blocks until ctx ends and
// everything it started has ended; a nil error before that is still the end
// of the whole group.
type Part struct {
	Name string
	Run  func(ctx context.Context) error
}

// Group runs the parts until ctx is done or one of them ends, then stops them
// last first, each one before the next is told to stop: what others stand on
// goes last. It returns the first part's error that was not the stop itself,
// and panics of parts as errors. A part that ends by itself without error
// before ctx does is an error too.
func Group(ctx context.Context, log *slog.Logger, parts ...Part) error {
	type exit struct {
		part int
		err  error
	}
	exits := make(chan exit, len(parts))
	cancels := make([]context.CancelFunc, len(parts))
	done := make([]chan struct{}, len(parts))
	// Parts do not inherit ctx's end: the group ends them, in order.
	detached := context.WithoutCancel(ctx)
	for i, p := range parts {
		var pctx context.Context
		pctx, cancels[i] = context.WithCancel(detached)
		done[i] = make(chan struct{})
		// One goroutine a part; it ends when the part's Run returns, which
		// Group waits for below.
		go func() {
			defer close(done[i])
			exits <- exit{i, guard(pctx, p)}
		}()
	}
	var cause error
	select {
	case <-ctx.Done():
	case e := <-exits:
		cause = e.err
		if cause == nil || errors.Is(cause, context.Canceled) {
			cause = errors.New("ended unexpectedly")
		}
		cause = fmt.Errorf("%s: %w", parts[e.part].Name, cause)
	}
	for i := len(parts) - 1; i >= 0; i-- {
		began := time.Now()
		cancels[i]()
		<-done[i]
		log.Debug("stopped", "part", parts[i].Name, "took", time.Since(began))
	}
	close(exits)
	for e := range exits {
		if e.err != nil && !errors.Is(e.err, context.Canceled) && cause == nil {
			cause = fmt.Errorf("%s: %w", parts[e.part].Name, e.err)
		}
	}
	return cause
}

func guard(ctx context.Context, p Part) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	return p.Run(ctx)
}
