package faults

import (
	"context"
	"log/slog"
	"testing"

	"github.com/tagmill/tagmill/app"
)

// running is the whole product in this process.
type running struct {
	*server
	app.Ready
	data string
	logs *lockedBuffer // everything it logs, from debug on
	stop func()        // returns when it has ended; also done at the test's end
}

// open starts the product with the given variables as its environment.
func open(t *testing.T, env map[string]string, change func(*app.Config)) *running {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Data = t.TempDir()
	cfg.Edge, cfg.Admin, cfg.Demo = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	if change != nil {
		change(&cfg)
	}
	r := &running{data: cfg.Data, logs: &lockedBuffer{}}
	a, err := app.Open(t.Context(), cfg, app.Host{
		Log:     slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Version: "test",
		Getenv:  func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	if err != nil {
		t.Fatal(err)
	}
	// Not t.Context(): that ends before the clean-up, and its end is not ours to see.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready := make(chan app.Ready, 1)
	ended := make(chan error, 1)
	// Ends with stop.
	go func() { ended <- a.Run(ctx, func(r app.Ready) error { ready <- r; return nil }) }()
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the product ended with %v", err)
		}
	}
	t.Cleanup(r.stop)
	select {
	case r.Ready = <-ready:
	case err := <-ended:
		t.Fatalf("it ended before it was ready: %v", err)
	}
	r.server = newServer(t, r.Edge, r.Admin, token(t, cfg.Data))
	return r
}
