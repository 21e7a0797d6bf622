package run

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestGroupStopsInReverseOrder(t *testing.T) {
	defer goleak.VerifyNone(t)
	var mu sync.Mutex
	var order []string
	part := func(name string) Part {
		return Part{name, func(ctx context.Context) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			order = append(order, name)
			return ctx.Err()
		}}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Group(ctx, slog.New(slog.DiscardHandler), part("log"), part("collector"), part("edge")); err != nil {
		t.Fatal(err)
	}
	if want := []string{"edge", "collector", "log"}; !slices.Equal(order, want) {
		t.Errorf("stopped %v, want %v", order, want)
	}
}

func TestGroupReturnsTheCause(t *testing.T) {
	defer goleak.VerifyNone(t)
	waits := Part{"waits", func(ctx context.Context) error { <-ctx.Done(); return nil }}
	boom := errors.New("disk on fire")
	for _, tc := range []struct {
		name string
		part Part
		want string
	}{
		{"error", Part{"log", func(context.Context) error { return boom }}, "log: disk on fire"},
		{"early end", Part{"log", func(context.Context) error { return nil }}, "log: ended unexpectedly"},
		{"panic", Part{"log", func(context.Context) error { panic("oh") }}, "log: panic: oh"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := Group(context.Background(), slog.New(slog.DiscardHandler), waits, tc.part)
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("got %v, want prefix %q", err, tc.want)
			}
		})
	}
}
