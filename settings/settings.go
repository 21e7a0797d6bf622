// Package settings owns what a customer configures: workspaces, sources, write
// keys, destinations and the numbered revisions of a source. It decides what
// is valid, what a browser may see and what stays on the server. It knows no
// vendor (a Catalog tells it), no SQL (a Store keeps it) and no bundle.
package settings

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Workspace is a customer's container of everything.
type Workspace struct {
	ID        string    `json:"id"`
	Slug      string    `json:"slug"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
	// Options are the defaults of every source in it.
	Options Options `json:"options"`
}

// Source is one website or app. The values reachable from a Snapshot are
// shared and must not be changed.
type Source struct {
	ID          string     `json:"id"`
	WorkspaceID string     `json:"workspaceId"`
	Slug        string     `json:"slug"`
	Name        string     `json:"name"`
	CreatedAt   time.Time  `json:"createdAt"`
	DeletedAt   *time.Time `json:"deletedAt,omitempty"` // kept 30 days
	// Keys are the source's write keys, oldest first, retired ones included.
	Keys []WriteKey `json:"keys"`
	// Revision is the number of the live revision: 1 at creation, then one
	// more for each change that concerns the source.
	Revision int64 `json:"revision"`
	// Options are this source's own; zero fields take the workspace's, then
	// the product's defaults. Effective gives the sum.
	Options      Options       `json:"options"`
	Destinations []Destination `json:"destinations"`
}

// WriteKey names a source in a snippet and in every event. It is public.
type WriteKey struct {
	Key string `json:"key"`
	// Environment says what the key is for: "production", "staging", ...
	Environment string     `json:"environment"`
	CreatedAt   time.Time  `json:"createdAt"`
	RetiredAt   *time.Time `json:"retiredAt,omitempty"` // a retired key is unknown
}

// Mode says where a destination's events are sent from.
type Mode string

// The modes of a destination.
const (
	Browser Mode = "browser"
	Server  Mode = "server"
	Both    Mode = "both"
)

// Destination is one integration switched on (or off) in one source.
type Destination struct {
	// ID is stable from creation to removal, whatever else changes.
	ID          string `json:"id"`
	Integration string `json:"integration"` // slug
	// Name tells two of one kind apart; empty for the first.
	Name    string `json:"name,omitempty"`
	Enabled bool   `json:"enabled"`
	Mode    Mode   `json:"mode"`
	// Settings hold plain values; for a secret field, {"$secret": ref}, which
	// only Store.Secret turns into the value.
	Settings map[string]any `json:"settings"`
}

// Options are the knobs of a source that are not an integration's. A zero
// field means "not set here".
type Options struct {
	Caching *Caching `json:"caching,omitempty"`
	// AllowedOrigins are the web origins whose pages may send events
	// ("https://shop.example", "https://*.shop.example"); empty allows all.
	AllowedOrigins []string `json:"allowedOrigins,omitempty"`
	// Address is what is kept of a visitor's IP address: full, truncated, off.
	Address string `json:"address,omitempty"`
	// Bots says what becomes of events from known robots: mark, drop.
	Bots string `json:"bots,omitempty"`
	// EventsPerSecond limits a source; 0 is unlimited.
	EventsPerSecond int `json:"eventsPerSecond,omitempty"`
	// RefreshIDCookie lets same-site answers set the anonymous id cookie again,
	// which outlives what Safari grants a cookie written by a script.
	RefreshIDCookie *bool `json:"refreshIdCookie,omitempty"`
	// SPA sends a page view on every history change.
	SPA *bool `json:"spa,omitempty"`
}

// Caching is the Cache-Control of a source's live bundle, in seconds.
type Caching struct {
	MaxAge               int `json:"maxAge"`
	SMaxAge              int `json:"sMaxAge"`
	StaleWhileRevalidate int `json:"staleWhileRevalidate"`
	StaleIfError         int `json:"staleIfError"`
}

// DefaultCaching is the contract's.
var DefaultCaching = Caching{MaxAge: 60, SMaxAge: 60, StaleWhileRevalidate: 30, StaleIfError: 86400}

// Revision is one numbered state of a source's settings.
type Revision struct {
	SourceID string    `json:"sourceId"`
	Number   int64     `json:"number"`
	At       time.Time `json:"at"`
	Author   string    `json:"author"`
	// Summary says what changed: "mixpanel switched on".
	Summary string `json:"summary"`
	// Source is the whole source as of this revision; secrets by reference.
	Source *Source `json:"source"`
}

// Snapshot is all settings at one moment: immutable, shared, safe for
// concurrent use, read without a lock.
type Snapshot struct {
	// Seq grows with every committed change.
	Seq        int64
	Workspaces []*Workspace
	Sources    []*Source // deleted ones left out

	byKey  map[string]*Source // active write keys only
	byID   map[string]*Source
	wsByID map[string]*Workspace
}

// NewSnapshot indexes the given state. It keeps the slices.
func NewSnapshot(seq int64, workspaces []*Workspace, sources []*Source) *Snapshot {
	s := &Snapshot{Seq: seq, Workspaces: workspaces, Sources: sources,
		byKey: map[string]*Source{}, byID: map[string]*Source{}, wsByID: map[string]*Workspace{}}
	for _, w := range workspaces {
		s.wsByID[w.ID] = w
	}
	for _, src := range sources {
		s.byID[src.ID] = src
		for _, k := range src.Keys {
			if k.RetiredAt == nil {
				s.byKey[k.Key] = src
			}
		}
	}
	return s
}

// SourceByKey finds the source of an active write key, or nil.
func (s *Snapshot) SourceByKey(writeKey string) *Source { return s.byKey[writeKey] }

// SourceByID finds a source, or nil.
func (s *Snapshot) SourceByID(id string) *Source { return s.byID[id] }

// WorkspaceByID finds a workspace, or nil.
func (s *Snapshot) WorkspaceByID(id string) *Workspace { return s.wsByID[id] }

// Workspace finds a workspace by slug, or nil.
func (s *Snapshot) Workspace(slug string) *Workspace {
	for _, w := range s.Workspaces {
		if w.Slug == slug {
			return w
		}
	}
	return nil
}

// Source finds a source by workspace slug and source slug, or nil.
func (s *Snapshot) Source(workspace, source string) *Source {
	w := s.Workspace(workspace)
	if w == nil {
		return nil
	}
	for _, src := range s.Sources {
		if src.WorkspaceID == w.ID && src.Slug == source {
			return src
		}
	}
	return nil
}

// Catalog tells settings what integrations exist and what their settings may
// be. It speaks in plain values so that neither room needs the other's types.
type Catalog interface {
	// Slug resolves a slug or alias to the slug.
	Slug(name string) (slug string, ok bool)
	// Check reports what is wrong with values for an integration in a mode,
	// one message per settings key, nil when all is well. A secret's value
	// may be its reference. Unknown keys, missing required ones, wrong types
	// and values that cannot work are all reported at once.
	Check(slug, mode string, values map[string]any) map[string]string
	// Field reports where a settings key belongs: scope is "browser",
	// "server" or "both"; ok is false for a key the manifest does not have.
	Field(slug, key string) (scope string, secret, ok bool)
	// Names lists every name a page may use for an integration, slug first.
	Names(slug string) []string
}

// Change is one thing to do to the settings; the types below are all there are.
type Change interface{ change() }

// The changes. Slugs match ^[a-z][a-z0-9-]{0,62}$. Pointers: nil leaves as is.
type (
	// CreateWorkspace fails with ErrConflict when the slug is taken.
	CreateWorkspace struct{ Slug, Name string }
	// UpdateWorkspace makes a revision of every source it touches.
	UpdateWorkspace struct {
		Workspace string // slug
		Name      *string
		Options   *Options // replaces
	}
	// CreateSource makes the source with one production key and revision 1.
	CreateSource struct {
		Workspace, Slug, Name string
		// WriteKey, when given, is kept (a migration, an apply); else made.
		WriteKey string
	}
	// UpdateSource renames or sets options.
	UpdateSource struct {
		Workspace, Source string
		Name              *string
		Options           *Options // replaces
	}
	// DeleteSource stops a source; its record is kept 30 days.
	DeleteSource struct{ Workspace, Source string }
	// AddKey gives the source one more write key.
	AddKey struct{ Workspace, Source, Environment, Key string }
	// RetireKey makes a key unknown.
	RetireKey struct{ Workspace, Source, Key string }
	// PutDestination creates or replaces one destination: the flip. Integration
	// may be an alias. A nil Settings keeps the present ones; a secret that
	// is absent, or still masked as it came out, keeps its present value.
	PutDestination struct {
		Workspace, Source, Integration, Name string
		Enabled                              bool
		Mode                                 Mode // empty: browser, or as it was
		Settings                             map[string]any
	}
	// DeleteDestination removes one.
	DeleteDestination struct{ Workspace, Source, Integration, Name string }
	// Rollback makes an older revision's destinations and options live again,
	// as a new revision.
	Rollback struct {
		Workspace, Source string
		Revision          int64
	}
)

func (CreateWorkspace) change()   {}
func (UpdateWorkspace) change()   {}
func (CreateSource) change()      {}
func (UpdateSource) change()      {}
func (DeleteSource) change()      {}
func (AddKey) change()            {}
func (RetireKey) change()         {}
func (PutDestination) change()    {}
func (DeleteDestination) change() {}
func (Rollback) change()          {}

// Store keeps settings. Every implementation passes storetest.
type Store interface {
	// Snapshot returns the newest state this process knows. Never nil, never blocks.
	Snapshot() *Snapshot
	// Watch sends the newest snapshot now and after each change until ctx
	// ends. Slow receivers skip states, never the newest one.
	Watch(ctx context.Context) <-chan *Snapshot
	// Do applies changes in order in one transaction, all or none, and
	// returns the snapshot that has them. Each source touched gets one new
	// numbered revision for the whole transaction. A change that alters
	// nothing makes no revision. Errors: *Invalid, ErrNotFound, ErrConflict,
	// ErrUnavailable.
	Do(ctx context.Context, author string, changes ...Change) (*Snapshot, error)
	// History lists a source's revisions, newest first, those below before
	// (0: from the newest), at most limit.
	History(ctx context.Context, sourceID string, before int64, limit int) ([]Revision, error)
	// Secret returns the value behind a reference found in a destination's
	// settings. ErrNotFound when it is gone.
	Secret(ctx context.Context, ref string) (string, error)
}

// Errors of a Store. Test with errors.Is; *Invalid with errors.As.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("conflict")
	ErrUnavailable = errors.New("settings store is unavailable")
)

// Invalid is a change that breaks rules, with every mistake found.
type Invalid struct{ Problems []Problem }

// Problem is one mistake: where, and what would be right.
type Problem struct {
	Path    string `json:"path"` // "settings.token", "slug"
	Message string `json:"message"`
}

func (e *Invalid) Error() string {
	s := "invalid settings"
	for i, p := range e.Problems {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		s += sep + p.Path + ": " + p.Message
	}
	return s
}

// PublicDestination is what a browser may know of a destination.
type PublicDestination struct {
	ID       string          `json:"id"`
	Slug     string          `json:"slug"`
	Names    []string        `json:"names"`
	Settings json.RawMessage `json:"settings"` // browser-scoped, non-secret keys only
}
