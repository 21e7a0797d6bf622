package web

import (
	"context"
	"testing"
	"time"
)

// start runs a server on a free port until the test ends.
func start(t *testing.T, cfg Config, routes ...Route) *Server {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	s, err := New(cfg, routes...)
	if err != nil {
		t.Fatal(err)
	}
	run(t, s)
	return s
}

// run listens and serves until the test ends.
func run(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the server does not end")
		}
	})
}
