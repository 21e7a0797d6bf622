// Package app is the product: every room wired together, started and stopped
// in one order. cmd runs it and the end-to-end tests run the same.
//
//	            settings.Cached ── sqlitestore
//	               │      │  │
//	   ┌───────────┘      │  └────────────────┐
//	publish ── bundler    sources             admin: api, console ── live
//	   │        (catalog, │                                           │
//	   ▼         runtime) ▼                                           │
//	cdn.Origin        collector ────────► eventlog/disk ◄─────────────┘
//	   └──────── web (edge) ───┘                           demo
package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tagmill/tagmill/admin"
	"github.com/tagmill/tagmill/bundler/publish"
	"github.com/tagmill/tagmill/events/eventlog/disk"
	"github.com/tagmill/tagmill/events/live"
	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/internal/run"
	"github.com/tagmill/tagmill/internal/web"
	"github.com/tagmill/tagmill/settings"
)

// Host is what the process around an App lends it.
type Host struct {
	Log     *slog.Logger
	Version string
	// Getenv finds the variables that secrets in settings name.
	Getenv func(name string) (string, bool)
}

// App is one process of the product. Use it as Open, Run; Run closes it.
type App struct {
	cfg  Config
	host Host

	data    *DataDir
	store   *settings.Cached
	log     *disk.Log
	metrics *prometheus.Registry

	edge        *web.Server
	adminSocket net.Listener
	demoSocket  net.Listener // nil: no demo
	auth        *admin.Auth
	publisher   *publish.Publisher
	feed        *live.Feed
	adminServer *http.Server
	demoServer  *http.Server
	pasting     pasting
}

// Open checks the configuration, takes the data folder, opens settings and
// log, and listens on every address, so that all that can be wrong is told
// before anything runs. After an error folder, settings and log are closed; the
// edge's socket goes with the process.
func Open(ctx context.Context, cfg Config, host Host) (_ *App, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, host: host, metrics: prometheus.NewRegistry()}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	if a.data, err = OpenDataDir(cfg.Data); err != nil {
		return nil, err
	}
	catalog, err := integrations.Open()
	if err != nil {
		return nil, err
	}
	if err = a.openSettings(ctx, catalog); err != nil {
		return nil, err
	}
	a.log, err = disk.Open(ctx, disk.Options{
		Dir:        cfg.servicePath(cfg.LogURL, "disk:", "log"),
		Budget:     cfg.DiskBudget,
		Retention:  cfg.Retention,
		Logger:     host.Log.With("room", "eventlog"),
		Registerer: a.metrics,
	})
	if err != nil {
		return nil, err
	}
	if err = a.openEdge(catalog); err != nil {
		return nil, err
	}
	if err = a.openAdmin(catalog); err != nil {
		return nil, err
	}
	return a, a.openDemo()
}

// Run serves until ctx ends or a part fails, then stops the parts in reverse
// order and closes everything. onReady is called once all listeners answer and
// every bundle known before is served.
func (a *App) Run(ctx context.Context, onReady func(Ready) error) (err error) {
	defer func() { err = errors.Join(err, a.close()) }()
	parts := []run.Part{
		{Name: "housekeeping", Run: a.keepHouse},
		{Name: "settings", Run: a.store.Run},
		{Name: "publish", Run: a.publisher.Run},
		{Name: "live", Run: a.feed.Run},
		{Name: "demo", Run: a.serveHTTP(a.demoServer, a.demoSocket)},
		{Name: "admin", Run: a.serveHTTP(a.adminServer, a.adminSocket)},
		{Name: "edge", Run: a.edge.Run},
		{Name: "ready", Run: func(ctx context.Context) error { return a.announce(ctx, onReady) }},
	}
	return run.Group(ctx, a.host.Log, parts...)
}

// announce waits for the first bundles, says where everything is, and then
// only for the end.
func (a *App) announce(ctx context.Context, onReady func(Ready) error) error {
	select {
	case <-a.publisher.Restored():
	case <-ctx.Done():
		return ctx.Err()
	}
	secret, _ := a.auth.NewLink()
	r := Ready{
		Msg: "ready", Edge: a.edge.URL(), Admin: a.consoleURL(), Demo: a.demoURL(),
		Signin: admin.LinkURL(a.consoleURL(), secret),
	}
	r.Snippet = a.snippet()
	if err := a.data.writeReady(r); err != nil {
		return err
	}
	if err := onReady(r); err != nil {
		return err
	}
	// What starting took, compiled patterns and parsed catalogs, is not needed
	// again: an idle process gives it back.
	debug.FreeOSMemory()
	<-ctx.Done()
	return ctx.Err()
}

// keepHouse does what nobody waits for: trimming the log, removing sources
// that were deleted long ago.
func (a *App) keepHouse(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for n := 0; ; n++ {
		if err := a.log.Trim(ctx); err != nil && ctx.Err() == nil {
			a.host.Log.Error("event log not trimmed", "error", err)
		}
		if n%60 == 0 {
			if _, err := a.store.Purge(ctx); err != nil && ctx.Err() == nil {
				a.host.Log.Error("deleted sources not purged", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// serveHTTP runs a net/http server until ctx ends, then lets it finish.
func (a *App) serveHTTP(s *http.Server, l net.Listener) func(context.Context) error {
	return func(ctx context.Context) error {
		if s == nil {
			<-ctx.Done()
			return ctx.Err()
		}
		// Ends when the server is shut down, which is below.
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		select {
		case err := <-served:
			return err
		case <-ctx.Done():
		}
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.DrainTimeout)
		defer cancel()
		if err := s.Shutdown(grace); err != nil {
			return s.Close()
		}
		return nil
	}
}

// ready says why this process should get no traffic, or nil. A full log is no
// reason: bundles are served all the same, and the collector says it itself.
func (a *App) ready() error {
	select {
	case <-a.publisher.Restored():
		return nil
	default:
		return errors.New("bundles are being restored")
	}
}

// close lets go of whatever is open, last opened first.
func (a *App) close() error {
	var errs []error
	for _, l := range []net.Listener{a.demoSocket, a.adminSocket} {
		if l != nil {
			_ = l.Close() // closed already where its server ran
		}
	}
	if a.log != nil {
		errs = append(errs, a.log.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.data != nil {
		errs = append(errs, a.data.Close())
	}
	return errors.Join(errs...)
}
