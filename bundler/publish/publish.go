// Package publish owns going live: it watches settings, builds what changed,
// proves that the result runs, keeps it on disk and hands it to the origin. A
// bundle that fails at any step never replaces the one that is live. It knows
// no HTTP and no vendor: the catalog tells it what a browser may see and which
// hosts an integration may load from.
//
//	settings.Watch ─ plan ─ queue (one place a source, newest wins)
//	                          │
//	                        build ─┬─ run in goja ─┬─ shelf (disk) ─ Live.Put ─ live
//	                               └─ gzip, brotli ┘                     │
//	                                       brotli-11, price tag ─────────┘ later, one worker
package publish

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/cdn"
	"github.com/tagmill/tagmill/settings"
)

// Settings is the part of settings.Store that publishing reads.
type Settings interface {
	Snapshot() *settings.Snapshot
	Watch(ctx context.Context) <-chan *settings.Snapshot
}

// Catalog is what publishing asks about integrations. *integrations.Catalog is one.
type Catalog interface {
	settings.Catalog
	// Hosts is where the vendor's code is loaded from and talks to, by CSP
	// directive ("script"), as CSP host patterns.
	Hosts(slug string, values map[string]any) map[string][]string
}

// Builder makes bundles. *bundler.Bundler is one.
type Builder interface {
	BuildID(bundler.Input) (string, error)
	Build(bundler.Input) (*bundler.Bundle, error)
	Prices(context.Context, bundler.Input) (map[string]bundler.Share, error)
}

// Live is where bundles are served from. *cdn.Origin is one. Both methods
// return at once and may be called from several goroutines, for one write key
// from one at a time.
type Live interface {
	Put(writeKey string, v cdn.Variant, b *cdn.Bundle)
	Remove(writeKey string)
}

// Config is what a Publisher is made of. The fields without a word about
// their zero value are needed.
type Config struct {
	Settings Settings
	Catalog  Catalog
	Builder  Builder
	Live     Live
	// Dir keeps the builds: DATA/bundles. It is made if it is not there.
	Dir string
	// Collector is where browsers send events, compiled into every bundle:
	// "https://c.example.com/v1".
	Collector string
	// SettingsJSON is the body of /v1/projects/{writeKey}/settings. Nil: none.
	SettingsJSON func(src *settings.Source, writeKey string) ([]byte, error)
	// MaxBytes is the largest bundle, uncompressed, that may go live.
	// Zero: 1 MiB.
	MaxBytes int
	// Log is told of what happens after the fact and has no caller to return to.
	Log *slog.Logger
	// Registerer takes the metrics tagmill_publish_*. Nil: none.
	Registerer prometheus.Registerer
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// State says how a source's newest revision fares.
type State string

// The states.
const (
	// StateLive: the newest revision is what browsers get.
	StateLive State = "live"
	// StateBuilding: the newest revision is on its way.
	StateBuilding State = "building"
	// StateFailed: the newest revision cannot go live; Error says why, and the
	// last good one is still served, if there ever was one.
	StateFailed State = "failed"
)

// Status is what is live of a source and how its newest revision fares. A copy:
// the caller's.
type Status struct {
	SourceID string `json:"sourceId"`
	// Revision is the one that is live, 0 when none ever was.
	Revision int64 `json:"revision"`
	// Wanted is the newest one.
	Wanted int64 `json:"wanted"`
	State  State `json:"state"`
	// Error says why Wanted is not live, naming the integration where it is
	// one; empty unless State is failed.
	Error string `json:"error,omitempty"`
	// BuildID, Runtime and Report are of the oldest active write key's bundle.
	// The report's Gzip and Brotli are of the bytes served now; the price of
	// each integration becomes exact a moment after going live.
	BuildID string         `json:"buildId,omitempty"`
	Runtime string         `json:"runtime,omitempty"`
	Report  bundler.Report `json:"report"`
	// Final says that the bytes served are the smallest; until then they are
	// provisionally compressed.
	Final bool `json:"final"`
	// LiveSince is when Revision went live.
	LiveSince time.Time `json:"liveSince,omitzero"`
	// FlipToLive is from the moment this process learnt of Revision to the swap, in
	// milliseconds; 0 when it was live before this process began.
	FlipToLive float64 `json:"flipToLiveMs"`
	// Keys are the builds of all active write keys, by write key.
	Keys map[string]string `json:"keys,omitempty"`
}

// Build is one stored build with what it was made of. Immutable.
type Build struct {
	BuildID  string      `json:"buildId"`
	WriteKey string      `json:"writeKey"`
	SourceID string      `json:"sourceId"`
	Variant  cdn.Variant `json:"variant"`
	// Revision is the one it was first built for: later ones with the same
	// bytes (a rollback, a change that concerns no browser) share the build.
	Revision int64 `json:"revision"`
	// Runtime is the hash of the runtime's sources.
	Runtime string         `json:"runtime"`
	BuiltAt time.Time      `json:"builtAt"`
	Report  bundler.Report `json:"report"`

	Encodings bundler.Encodings `json:"-"`
}
