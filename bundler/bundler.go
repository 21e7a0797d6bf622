// Package bundler turns one source's public settings, the catalog's code and
// the runtime into one JavaScript bundle. It is the only importer of esbuild.
// It knows no store, no network and no clock: the same input gives the same
// bytes, on any machine.
//
//	Input ──────────┐
//	runtime-js ─────┼─ identify ─ buildId ─┐
//	integrations-js ┘                      ├─ esbuild (one IIFE) ─ Bundle ─ Compress ─ Encodings
//	                └──────────────────────┘
//
// A bundle is one script: an entry made here imports the runtime's start, the
// configuration as a JSON module, and the browser.ts of each integration, and
// calls start(config, factories).
package bundler

import (
	"encoding/json"
	"io/fs"
	"sync"
	"time"
)

// Input is everything of a source that can change a bundle's bytes. BuildID
// hashes it all.
type Input struct {
	// WriteKey names the source in every event.
	WriteKey string `json:"writeKey"`
	// Collector is where events go, version prefix included, no trailing
	// slash: "https://c.example.com/v1".
	Collector string `json:"collector"`
	// Destinations are those enabled with mode browser or both. Their order
	// does not matter: they are compiled in the order of (slug, id).
	Destinations []Destination `json:"destinations"`
	// SPA sends a page view on every history change.
	SPA bool `json:"spa,omitempty"`
	// Debug keeps names and line breaks: for snapshots and for reading.
	Debug bool `json:"debug,omitempty"`
}

// Destination is one integration as compiled into a bundle.
type Destination struct {
	// ID is unique in a source and stable for the destination's life.
	ID string `json:"id"`
	// Slug names the integration's folder. Two destinations may share one.
	Slug string `json:"slug"`
	// Names are what a page may call it, in order of preference.
	Names []string `json:"names"`
	// Settings is a JSON object of browser-scoped, non-secret keys only: the
	// bundler compiles in whatever it is given.
	Settings json.RawMessage `json:"settings"`
}

// Sources are the TypeScript files a bundle is made of.
type Sources struct {
	// Runtime holds start.ts and what it imports, at its root.
	Runtime fs.FS
	// Integrations holds SLUG/browser.ts and the files beside it.
	Integrations fs.FS
}

// Bundle is a built bundle. Immutable.
type Bundle struct {
	// BuildID is the hash of the input, of every source file it could use and
	// of the compiler: 20 lower-case hex digits.
	BuildID string
	// Runtime is the hash of the runtime's own sources: 12 lower-case hex
	// digits. It tells which runtime a build carries.
	Runtime string
	// JS is the script, minified unless Input.Debug, ASCII only.
	JS     []byte
	Report Report
}

// Report is the price tag of a bundle. Sizes are bytes.
type Report struct {
	Raw int `json:"raw"`
	// Gzip and Brotli are zero until the bundle is compressed: Compress fills
	// an Encodings, Measured puts its sizes here.
	Gzip   int `json:"gzip"`
	Brotli int `json:"brotli"`
	// BuildTime is what the build took: the one thing here that differs
	// between two builds of the same input.
	BuildTime time.Duration `json:"buildTime"`
	// Integrations is the share of each, by slug; "runtime" is the rest.
	Integrations map[string]Share `json:"integrations"`
	// Warnings are the compiler's remarks on the sources, none when all is well.
	Warnings []string `json:"warnings,omitempty"`
}

// Share is what one integration adds to a bundle, all its destinations and
// their settings included. Bytes.
type Share struct {
	Raw    int `json:"raw"`
	Gzip   int `json:"gzip"`
	Brotli int `json:"brotli"`
	// Exact says that the three are differences between the bundle and the
	// bundle without this integration, both in their final compression; else
	// Raw is the compiler's attribution of the output, code shared between
	// integrations not counted, and the other two are zero.
	Exact bool `json:"exact"`
}

// Bundler builds bundles from one set of sources. Safe for concurrent use.
type Bundler struct {
	src sources
	err error // of reading the sources; every Build returns it

	mu        sync.Mutex // guards compilers
	compilers map[variant]*compiler
}

// New reads every TypeScript file of the sources once; later changes of the
// files are not seen. A mistake in the sources is reported by Build.
func New(s Sources) *Bundler {
	src, err := readSources(s)
	return &Bundler{src: src, err: err, compilers: map[variant]*compiler{}}
}

// RuntimeHash is the hash that bundles made here carry as Bundle.Runtime.
func (b *Bundler) RuntimeHash() string { return b.src.runtimeHash }
