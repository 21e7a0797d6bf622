// Package console is tagmill's web interface: pages rendered on the server
// that work as plain HTML, and one script that makes them live. It changes
// settings through the same Store as the API and decides nothing itself. What
// customers and visitors wrote reaches a page only through html/template, or
// through textContent in the script.
package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/tagmill/tagmill/admin"
	"github.com/tagmill/tagmill/bundler/publish"
	"github.com/tagmill/tagmill/events/eventlog"
	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/settings"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed assets/*
var assetFiles embed.FS

// Config is what the console is made of. DemoURL may be nil; all else is needed.
type Config struct {
	Auth     *admin.Auth
	Store    settings.Store
	Catalog  Catalog
	Bundles  Bundles
	Snippet  Snippets
	LogStats func() eventlog.Stats
	// PublicURL is where browsers reach bundles, without a trailing slash.
	PublicURL func() string
	// CollectorURL is where browsers send events, "https://c.example.com/v1".
	CollectorURL func() string
	// DemoURL is the demo shop; "" for none.
	DemoURL func() string
	Version string
	Log     *slog.Logger
	Now     func() time.Time
}

// Catalog is what integrations there are. *integrations.Catalog is one.
type Catalog interface {
	settings.Catalog
	Manifests() []*integrations.Manifest
	Manifest(slug string) *integrations.Manifest
}

// Bundles is what became of revisions. *publish.Publisher is one.
type Bundles interface {
	Status(sourceID string) (publish.Status, bool)
}

// Snippets writes what customers paste.
type Snippets interface {
	Inline(writeKey string) (html string, err error)
	External(writeKey string) (html, js, cspHash string, err error)
}

// Console is the handler of everything outside /api/. Safe for concurrent use.
type Console struct {
	Config
	mux    *http.ServeMux
	pages  map[string]*template.Template
	assets map[string]asset // by path, "/assets/console-1a2b3c4d.js"
	names  map[string]string
}

// New parses the pages. It starts nothing.
func New(cfg Config) (*Console, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Console{Config: cfg, mux: http.NewServeMux()}
	if err := c.loadAssets(); err != nil {
		return nil, err
	}
	if err := c.loadPages(); err != nil {
		return nil, err
	}
	c.mux.HandleFunc("GET /assets/{file}", c.serveAsset)
	c.mux.HandleFunc("GET /signin", c.signinPage)
	c.mux.HandleFunc("POST /signin", c.signin)
	c.mux.HandleFunc("POST /signout", c.signout)

	c.handle("GET /{$}", c.home)
	c.handle("POST /new", c.createSource)
	c.handle("POST /new/workspace", c.createWorkspace)

	c.source("GET /{ws}/{source}", c.integrationsPage)
	c.source("GET /{ws}/{source}/install", c.installPage)
	c.source("GET /{ws}/{source}/events", c.eventsPage)
	c.source("GET /{ws}/{source}/history", c.historyPage)
	c.source("GET /{ws}/{source}/settings", c.settingsPage)
	c.source("GET /{ws}/{source}/integrations/{id}", c.integrationPage)
	c.source("POST /{ws}/{source}/integrations/{id}", c.saveIntegration)
	c.source("POST /{ws}/{source}/integrations/{id}/flip", c.flipIntegration)
	c.source("POST /{ws}/{source}/integrations/{id}/remove", c.removeIntegration)
	c.source("POST /{ws}/{source}/rollback", c.rollback)
	c.source("POST /{ws}/{source}/rename", c.rename)
	c.source("POST /{ws}/{source}/options", c.saveOptions)
	c.source("POST /{ws}/{source}/keys", c.addKey)
	c.source("POST /{ws}/{source}/keys/retire", c.retireKey)
	c.source("POST /{ws}/{source}/delete", c.deleteSource)
	c.handle("/", func(w http.ResponseWriter, r *http.Request) {
		c.problem(w, r, fmt.Errorf("page %s: %w", r.URL.Path, settings.ErrNotFound))
	})
	return c, nil
}

// ServeHTTP answers with pages.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// handle routes to a page for people who are signed in.
func (c *Console) handle(pattern string, page func(http.ResponseWriter, *http.Request)) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		author, ok := c.Auth.Identify(r)
		if !ok {
			http.Redirect(w, r, "/signin", http.StatusSeeOther)
			return
		}
		page(w, r.WithContext(admin.WithAuthor(r.Context(), author)))
	})
}

// view is one source as a request found it.
type view struct {
	snap      *settings.Snapshot
	Workspace *settings.Workspace
	Source    *settings.Source
}

// Base is the path of the source's pages, API that of its resources.
func (v view) Base() string { return "/" + v.Workspace.Slug + "/" + v.Source.Slug }

// API is the source's place in the API.
func (v view) API() string {
	return "/api/v1/workspaces/" + v.Workspace.Slug + "/sources/" + v.Source.Slug
}

// source routes to a page of one source.
func (c *Console) source(pattern string, page func(http.ResponseWriter, *http.Request, view)) {
	c.handle(pattern, func(w http.ResponseWriter, r *http.Request) {
		snap := c.Store.Snapshot()
		v := view{snap: snap, Workspace: snap.Workspace(r.PathValue("ws")), Source: snap.Source(r.PathValue("ws"), r.PathValue("source"))}
		if v.Source == nil {
			c.problem(w, r, fmt.Errorf("source %q in workspace %q: %w", r.PathValue("source"), r.PathValue("ws"), settings.ErrNotFound))
			return
		}
		page(w, r, v)
	})
}

// do applies changes in the name of who is signed in.
func (c *Console) do(r *http.Request, changes ...settings.Change) (*settings.Snapshot, error) {
	return c.Store.Do(r.Context(), admin.Author(r.Context()), changes...)
}

// page is what every page's layout needs.
type page struct {
	Title  string
	Tab    string // of a source's pages
	View   *view
	Status *statusView // of a source's pages
	Note   string
	Signed bool
	Demo   string
	Ver    string
	// Body is the page's own.
	Body any
}

// notes are what a page may say after a redirect; the address holds only the key.
func note(r *http.Request) string {
	return map[string]string{
		"saved": "Saved.", "created": "Created.", "removed": "Removed.", "deleted": "Source deleted. Its record is kept for 30 days.",
		"undone": "Went back. That is a new revision, so it can be undone too.", "retired": "Write key retired: it is unknown from now on.",
		"added": "Write key added.", "on": "Switched on.", "off": "Switched off.", "same": "Nothing changed.",
	}[r.URL.Query().Get("note")]
}

// render writes a page, or nothing of it when it cannot be made.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	if p.View != nil && p.Status == nil {
		p.Status = c.status(*p.View)
	}
	p.Note, p.Ver = note(r), c.Version
	if p.Signed = name != "signin"; p.Signed && c.DemoURL != nil {
		p.Demo = c.DemoURL()
	}
	var b bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&b, "layout", p); err != nil {
		c.Log.Error("console page went wrong", "page", name, "error", err)
		admin.Deny(w, r, http.StatusInternalServerError, "a mistake in tagmill; the log has the details")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// failure is the body of the page that says what went wrong.
type failure struct {
	Title, Detail string
	Problems      []settings.Problem
}

// problem shows what a room answered: the one place that knows which error
// has which status here.
func (c *Console) problem(w http.ResponseWriter, r *http.Request, err error) {
	f, status := failure{Detail: err.Error()}, http.StatusInternalServerError
	var wrong *settings.Invalid
	switch {
	case errors.As(err, &wrong):
		f.Title, f.Detail, f.Problems, status = "That cannot be", "Nothing was changed.", wrong.Problems, http.StatusUnprocessableEntity
	case errors.Is(err, settings.ErrNotFound):
		f.Title, status = "There is no such thing here", http.StatusNotFound
	case errors.Is(err, settings.ErrConflict):
		f.Title, status = "Somebody was quicker", http.StatusConflict
	case errors.Is(err, settings.ErrUnavailable):
		f.Title, status = "Settings cannot be changed at the moment", http.StatusServiceUnavailable
		f.Detail += ". Bundles stay as they are; try again in a moment."
	default:
		c.Log.Error("console request went wrong", "path", r.URL.Path, "error", err)
		f.Title, f.Detail = "Something went wrong", "A mistake in tagmill; the log has the details."
	}
	c.render(w, r, status, "problem", page{Title: f.Title, Body: f})
}
