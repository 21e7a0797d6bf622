// Package api is the REST interface of the private listener: JSON in and out,
// problem documents for errors, an OpenAPI document made from the Go types. It
// decides nothing about settings or bundles: it asks the rooms given to it
// and says what they answered.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tagmill/tagmill/admin"
	"github.com/tagmill/tagmill/events/eventlog"
	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/settings"
)

// Config is what the API is made of. All fields are needed.
type Config struct {
	Auth    *admin.Auth
	Store   settings.Store
	Catalog Catalog
	Bundles Bundles
	Snippet Snippets
	Live    Live
	// LogStats describes the event log at this moment.
	LogStats func() eventlog.Stats
	// ConsoleURL is where people reach the console, without a trailing slash.
	ConsoleURL func() string
	Version    string
	Log        *slog.Logger
}

// Catalog is what integrations there are.
type Catalog interface {
	settings.Catalog
	// Manifests lists every integration, in a fixed order.
	Manifests() []*integrations.Manifest
	// Hosts is what an integration loads from and talks to, by CSP directive.
	Hosts(slug string, values map[string]any) map[string][]string
}

// API is the handler of /api/v1/. Safe for concurrent use.
type API struct {
	Config
	mux *http.ServeMux

	draining chan struct{}
	drain    sync.Once
}

// New returns the API. It starts nothing.
func New(cfg Config) (*API, error) {
	if cfg.Log == nil {
		return nil, errors.New("api.Config.Log is needed")
	}
	a := &API{Config: cfg, mux: http.NewServeMux(), draining: make(chan struct{})}
	h := humago.New(a.mux, describe(cfg.Version))
	h.UseMiddleware(a.authenticate(h))

	a.routeCatalog(h)
	a.routeWorkspaces(h)
	a.routeSources(h)
	a.routeKeys(h)
	a.routeIntegrations(h)
	a.routeRevisions(h)
	a.routeBundle(h)
	a.routeSnippet(h)
	a.routeEvents(h)
	a.routeDocument(h)
	a.routeServer(h)

	document, err := json.MarshalIndent(h.OpenAPI(), "", "  ")
	if err != nil {
		return nil, err
	}
	a.mux.HandleFunc("GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(document)
	})
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		admin.Deny(w, r, http.StatusNotFound, "there is no such route; GET /api/v1/openapi.json lists them")
	})
	return a, nil
}

// Drain ends the streams of live events, which would otherwise hold a
// graceful shutdown forever. Give it to http.Server.RegisterOnShutdown.
func (a *API) Drain() { a.drain.Do(func() { close(a.draining) }) }

// ServeHTTP answers everything under /api/v1/.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	// What curl -d sends when it is not told otherwise. Whoever posts here
	// means JSON.
	if r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		r.Header.Set("Content-Type", "application/json")
	}
	// The mux answers a wrong method itself, in plain text; make it a problem.
	if _, pattern := a.mux.Handler(r); pattern == "/" {
		if allowed := a.methods(r); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			admin.Deny(w, r, http.StatusMethodNotAllowed, "this route answers "+strings.Join(allowed, ", "))
			return
		}
	}
	a.mux.ServeHTTP(w, r)
}

// methods lists what the route of a request would answer.
func (a *API) methods(r *http.Request) (allowed []string) {
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := a.mux.Handler(probe); pattern != "/" {
			allowed = append(allowed, m)
		}
	}
	return allowed
}

func (a *API) authenticate(h huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		author, ok := a.Auth.Identify(r)
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="tagmill"`)
			admin.Deny(w, r, http.StatusUnauthorized, "send the API token as \"Authorization: Bearer TOKEN\"; it is TAGMILL_ADMIN_TOKEN or, when that is not set, in the file admin-token of the data folder")
			return
		}
		next(huma.WithContext(ctx, admin.WithAuthor(ctx.Context(), author)))
	}
}

func describe(version string) huma.Config {
	cfg := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:       "tagmill",
				Version:     version,
				Description: "Settings, bundles and live events of a tagmill server. Errors are RFC 9457 problem documents.",
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", Description: "TAGMILL_ADMIN_TOKEN, or the file admin-token in the data folder"},
				},
			},
			Security: []map[string][]string{{"token": {}}},
		},
		Formats:       map[string]huma.Format{"application/json": strictJSON, "json": strictJSON},
		DefaultFormat: "application/json",

		RejectUnknownQueryParameters: true,
	}
	// huma's details echo the value that was refused; it may be a secret.
	cfg.Transformers = []huma.Transformer{func(_ huma.Context, _ string, v any) (any, error) {
		if e, ok := v.(*huma.ErrorModel); ok {
			for _, d := range e.Errors {
				d.Value = nil
			}
		}
		return v, nil
	}}
	return cfg
}

// op names an operation. Paths below a source are given from there.
func op(id, method, path, summary string) huma.Operation {
	if !strings.HasPrefix(path, "/api/") {
		path = "/api/v1/workspaces/{ws}/sources/{source}" + path
	}
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, DefaultStatus: http.StatusOK,
		BodyReadTimeout: 15 * time.Second, MaxBodyBytes: 1 << 20,
	}
}

// do applies changes in the name of the request's author.
func (a *API) do(ctx context.Context, changes ...settings.Change) (*settings.Snapshot, error) {
	return a.Store.Do(ctx, admin.Author(ctx), changes...)
}
