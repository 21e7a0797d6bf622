// Package settings owns what a customer configures: workspaces, sources, write
// keys, destinations and the numbered revisions of a source. It decides what
// is valid, what a browser may see and what stays on the server. It knows no
// vendor (a Catalog tells it), no SQL (a Store keeps it) and no bundle.
package settings

import (
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
	// Settings hold plain values: string, bool, float64, []any and
	// map[string]any. A secret field holds {"$secret": ref} or {"$env": name},
	// which only Store.Secret turns into the value; see Ref.
	Settings map[string]any `json:"settings"`
}

// Options are the knobs of a source that are not an integration's. A zero
// field means "not set here".
type Options struct {
	Caching *Caching `json:"caching,omitempty" yaml:"caching,omitempty"`
	// AllowedOrigins are the web origins whose pages may send events
	// ("https://shop.example", "https://*.shop.example"); empty allows all,
	// and so does the one pattern "*", which undoes a workspace's list.
	AllowedOrigins []string `json:"allowedOrigins,omitempty" yaml:"allowedOrigins,omitempty"`
	// Address is what is kept of a visitor's IP address: full, truncated, off.
	Address string `json:"address,omitempty" yaml:"address,omitempty"`
	// Bots says what becomes of events from known robots: mark, drop.
	Bots string `json:"bots,omitempty" yaml:"bots,omitempty"`
	// EventsPerSecond limits a source; 0 is unlimited, -1 says so where the
	// workspace has a limit.
	EventsPerSecond int `json:"eventsPerSecond,omitempty" yaml:"eventsPerSecond,omitempty"`
	// RefreshIDCookie lets same-site answers set the anonymous id cookie again,
	// which outlives what Safari grants a cookie written by a script.
	RefreshIDCookie *bool `json:"refreshIdCookie,omitempty" yaml:"refreshIdCookie,omitempty"`
	// SPA sends a page view on every history change.
	SPA *bool `json:"spa,omitempty" yaml:"spa,omitempty"`
}

// Caching is the Cache-Control of a source's live bundle, in seconds.
type Caching struct {
	MaxAge               int `json:"maxAge" yaml:"maxAge"`
	SMaxAge              int `json:"sMaxAge" yaml:"sMaxAge"`
	StaleWhileRevalidate int `json:"staleWhileRevalidate" yaml:"staleWhileRevalidate"`
	StaleIfError         int `json:"staleIfError" yaml:"staleIfError"`
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
	// Effective are the options then in force, the workspace's included, so
	// that a rollback brings back what was live and not only what was written here.
	Effective Options `json:"effective"`
}

// Catalog tells settings what integrations exist and what their settings may
// be. It speaks in plain values so that neither room needs the other's types.
type Catalog interface {
	// Slug resolves a slug or alias to the slug.
	Slug(name string) (slug string, ok bool)
	// Check reports what is wrong with values for an integration in a mode,
	// one message per settings key, under "" what concerns the mode, nil when
	// all is well. A secret's value may be its reference, {"$secret": ref}. Unknown keys, missing required ones, wrong types
	// and values that cannot work are all reported at once.
	Check(slug, mode string, values map[string]any) map[string]string
	// Field reports where a settings key belongs: scope is "browser",
	// "server" or "both"; ok is false for a key the manifest does not have.
	Field(slug, key string) (scope string, secret, ok bool)
	// Names lists every name a page may use for an integration, slug first.
	Names(slug string) []string
}
