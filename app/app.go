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
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"

	"github.com/tagmill/tagmill/admin"
	"github.com/tagmill/tagmill/admin/api"
	"github.com/tagmill/tagmill/admin/console"
	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/bundler/publish"
	"github.com/tagmill/tagmill/cdn"
	"github.com/tagmill/tagmill/demo"
	"github.com/tagmill/tagmill/events/collector"
	"github.com/tagmill/tagmill/events/eventlog/disk"
	"github.com/tagmill/tagmill/events/live"
	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/internal/run"
	"github.com/tagmill/tagmill/internal/web"
	runtimejs "github.com/tagmill/tagmill/runtime-js"
	"github.com/tagmill/tagmill/settings"
	"github.com/tagmill/tagmill/settings/sqlitestore"
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
// before anything runs. After an error nothing is left open.
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

// reservedEnv are the process's own secrets: no integration's setting may name them.
var reservedEnv = []string{
	"TAGMILL_ADMIN_TOKEN", "TAGMILL_SECRET_KEY",
	"TAGMILL_SETTINGS_URL", "TAGMILL_LOG_URL", "TAGMILL_REDIS_URL", "TAGMILL_BLOB_URL",
}

func (a *App) openSettings(ctx context.Context, catalog *integrations.Catalog) error {
	key, err := a.data.key(a.cfg.SecretKey, "TAGMILL_SECRET_KEY", secretKeyFile)
	if err != nil {
		return err
	}
	sealer, err := settings.NewSealer(key)
	if err != nil {
		return err
	}
	a.store, err = settings.OpenCached(ctx, settings.CachedOptions{
		Path: a.data.File("snapshot"),
		Open: func(ctx context.Context) (settings.Store, error) {
			return sqlitestore.Open(ctx, sqlitestore.Options{
				Path:      a.cfg.servicePath(a.cfg.SettingsURL, "sqlite:", "settings.db"),
				Catalog:   catalog,
				Rules:     settings.Rules{ReservedEnv: reservedEnv},
				SecretKey: key,
				Env:       a.host.Getenv,
				Log:       a.host.Log.With("room", "settings"),
			})
		},
		Sealer: sealer,
		Env:    a.host.Getenv,
		Log:    a.host.Log.With("room", "settings"),
	})
	if err != nil {
		return err
	}
	if len(a.store.Snapshot().Workspaces) > 0 {
		return nil
	}
	_, err = a.store.Do(ctx, "tagmill",
		settings.CreateWorkspace{Slug: "default", Name: "Default"},
		settings.CreateSource{Workspace: "default", Slug: "website", Name: "Website"})
	return err
}

// openEdge listens first: where browsers reach us, compiled into bundles, may
// be the address that the system chose.
func (a *App) openEdge(catalog *integrations.Catalog) error {
	proxies, err := a.cfg.trustedProxies()
	if err != nil {
		return err
	}
	trusted := web.Proxies{Trusted: proxies}
	var origin *cdn.Origin
	var collect *collector.Collector
	a.edge, err = web.New(web.Config{
		Addr: a.cfg.Edge, AddrFlag: "--edge",
		CertFile: a.cfg.TLSCert, KeyFile: a.cfg.TLSKey,
		Prefix:     a.cfg.PathPrefix,
		Ready:      a.ready,
		AccessLog:  a.cfg.AccessLog,
		Limits:     web.Limits{MaxConns: a.cfg.MaxConns, DrainTimeout: a.cfg.DrainTimeout},
		Logger:     a.host.Log.With("room", "edge"),
		Registerer: a.metrics,
	},
		web.Route{Prefix: "/analytics.js/", Name: "bundle", Handler: func(c *fasthttp.RequestCtx) { origin.Handle(c) }},
		web.Route{Prefix: "/v1/projects/", Name: "settings", Handler: func(c *fasthttp.RequestCtx) { origin.Handle(c) }},
		web.Route{Prefix: "/v1/", Name: "collector", Handler: func(c *fasthttp.RequestCtx) { collect.Handle(c) }},
	)
	if err != nil {
		return err
	}
	if err := a.edge.Listen(); err != nil {
		return err
	}
	a.pasting.publicURL = a.publicURL()

	origin = cdn.New(cdn.Config{
		Lookup: func(ctx context.Context, writeKey string) (*cdn.Bundle, error) {
			return a.publisher.Lookup(ctx, writeKey)
		},
		LookupBuild: func(ctx context.Context, writeKey, buildID string) (*cdn.Bundle, error) {
			return a.publisher.LookupBuild(ctx, writeKey, buildID)
		},
		Logger:     a.host.Log.With("room", "cdn"),
		Registerer: a.metrics,
	})
	a.publisher, err = publish.Open(publish.Config{
		Settings:     a.store,
		Catalog:      catalog,
		Builder:      bundler.New(bundler.Sources{Runtime: runtimejs.FS, Integrations: integrations.FS}),
		Live:         origin,
		Dir:          a.data.File("bundles"),
		Collector:    a.collectorURL(),
		SettingsJSON: settingsJSON(a.collectorURL()),
		Log:          a.host.Log.With("room", "publish"),
		Registerer:   a.metrics,
	})
	if err != nil {
		return err
	}
	collect = collector.New(collector.Config{
		Log:        a.log,
		Sources:    &sources{store: a.store},
		Address:    func(ctx *fasthttp.RequestCtx) netip.Addr { return trusted.ClientAddr(ctx) },
		InFlight:   a.cfg.InFlightBytes,
		Registerer: a.metrics,
		Logger:     a.host.Log.With("room", "collector"),
	})
	return nil
}

func (a *App) openAdmin(catalog *integrations.Catalog) (err error) {
	token := a.cfg.AdminToken
	if token == "" {
		if token, err = a.data.generated(TokenFile); err != nil {
			return err
		}
	}
	sessionKey, err := a.data.key("", "", sessionKeyFile)
	if err != nil {
		return err
	}
	if a.auth, err = admin.NewAuth(admin.AuthConfig{Token: token, SessionKey: sessionKey}); err != nil {
		return err
	}
	if a.adminSocket, err = listen(a.cfg.Admin, "--admin"); err != nil {
		return err
	}
	if a.cfg.Demo != "off" {
		if a.demoSocket, err = listen(a.cfg.Demo, "--demo"); err != nil {
			return err
		}
	}
	a.feed = live.New(a.log, live.Options{Logger: a.host.Log.With("room", "live")})
	rest, err := api.New(api.Config{
		Auth: a.auth, Store: a.store, Catalog: catalog,
		Bundles:    scripts{a.publisher},
		Snippet:    a.pasting,
		Live:       a.feed,
		LogStats:   a.log.Stats,
		ConsoleURL: a.consoleURL,
		Version:    a.host.Version,
		Log:        a.host.Log.With("room", "api"),
	})
	if err != nil {
		return err
	}
	pages, err := console.New(console.Config{
		Auth: a.auth, Store: a.store, Catalog: catalog,
		Bundles:      a.publisher,
		Snippet:      a.pasting,
		LogStats:     a.log.Stats,
		PublicURL:    a.publicURL,
		CollectorURL: a.collectorURL,
		DemoURL:      a.demoURL,
		Version:      a.host.Version,
		Log:          a.host.Log.With("room", "console"),
		Now:          time.Now,
	})
	if err != nil {
		return err
	}
	a.adminServer = admin.NewServer(admin.New(admin.Config{
		API: rest, Console: pages,
		Metrics: promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}),
		Ready:   a.ready,
		Hosts:   a.cfg.AdminHosts,
		Log:     a.host.Log.With("room", "admin"),
	}), a.host.Log)
	a.adminServer.RegisterOnShutdown(rest.Drain)
	return nil
}

func (a *App) openDemo() error {
	if a.demoSocket == nil {
		return nil
	}
	shop, err := demo.New(demo.Config{
		Snippet:    a.snippet,
		ConsoleURL: a.consoleURL(),
		Logger:     a.host.Log.With("room", "demo"),
	})
	if err != nil {
		return err
	}
	a.demoServer = admin.NewServer(shop, a.host.Log)
	return nil
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

func (a *App) publicURL() string {
	if a.cfg.PublicURL != "" {
		return a.cfg.PublicURL
	}
	return a.edge.URL() + a.cfg.PathPrefix
}

// collectorURL is where events go, version prefix included.
func (a *App) collectorURL() string {
	if a.cfg.CollectorURL != "" {
		return a.cfg.CollectorURL + "/v1"
	}
	return a.publicURL() + "/v1"
}

func (a *App) consoleURL() string { return socketURL(a.adminSocket) }

func (a *App) demoURL() string {
	if a.demoSocket == nil {
		return ""
	}
	return socketURL(a.demoSocket)
}

// snippet is the first source's, for the start message and the demo.
func (a *App) snippet() string {
	for _, src := range a.store.Snapshot().Sources {
		for _, k := range src.Keys {
			if k.RetiredAt == nil {
				html, err := a.pasting.Inline(k.Key)
				if err != nil {
					return "<!-- " + err.Error() + " -->"
				}
				return html
			}
		}
	}
	return "<!-- there is no source with an active write key -->"
}

func listen(addr, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("listen on %s: %w: choose another address with %s", addr, err, flag)
	}
	return l, nil
}

// socketURL is a listener's address for a browser on this machine.
func socketURL(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
