package app

import (
	"context"
	"net/netip"
	"time"

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
	"github.com/tagmill/tagmill/events/live"
	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/internal/web"
	runtimejs "github.com/tagmill/tagmill/runtime-js"
	"github.com/tagmill/tagmill/settings"
	"github.com/tagmill/tagmill/settings/sqlitestore"
)

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
	trusted := web.Proxies{Trusted: proxies, Header: a.cfg.ProxyHeader}
	var origin *cdn.Origin
	var collect *collector.Collector
	a.edge, err = web.New(web.Config{
		Addr: a.cfg.Edge, AddrFlag: "--edge",
		CertFile: a.cfg.TLSCert, KeyFile: a.cfg.TLSKey,
		Prefix:     a.cfg.PathPrefix,
		Ready:      a.ready,
		AccessLog:  a.cfg.AccessLog,
		Limits:     web.Limits{MaxConns: a.cfg.MaxConns, DrainDelay: a.cfg.DrainDelay, DrainTimeout: a.cfg.DrainTimeout},
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
