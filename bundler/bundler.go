// Package bundler turns one source's public settings, the catalog's code and
// the runtime into one JavaScript bundle. It is the only importer of esbuild.
// It knows no store, no network and no clock: the same input gives the same
// bytes, on any machine.
package bundler

import (
	"encoding/json"
	"io/fs"
	"time"
)

// Input is everything that can change a bundle's bytes. BuildID hashes it all.
type Input struct {
	WriteKey string
	// Collector is where events go, version prefix included, no trailing
	// slash: "https://c.example.com/v1".
	Collector    string
	Destinations []Destination // enabled, browser or both; order does not matter
	SPA          bool
	// Debug keeps names and line breaks: for snapshots and for reading.
	Debug bool
}

// Destination is one integration as compiled into a bundle.
type Destination struct {
	ID       string
	Slug     string
	Names    []string
	Settings json.RawMessage // a JSON object: browser-scoped, non-secret keys only
}

// Sources are the TypeScript files a bundle is made of.
type Sources struct {
	// Runtime holds start.ts and what it imports, at its root.
	Runtime fs.FS
	// Integrations holds SLUG/browser.ts.
	Integrations fs.FS
}

// Bundle is a built bundle. Immutable.
type Bundle struct {
	// BuildID is the hash of the input, of every source file and of the
	// compiler's version: 20 lower-case hex digits.
	BuildID string
	// JS is the minified script, ASCII only.
	JS     []byte
	Report Report
}

// Report is the price tag of a bundle.
type Report struct {
	Raw       int           `json:"raw"`
	Gzip      int           `json:"gzip"`   // filled by Compress
	Brotli    int           `json:"brotli"` // filled by Compress
	BuildTime time.Duration `json:"buildTime"`
	// Integrations is the share of each, by slug; "runtime" is the rest.
	Integrations map[string]Share `json:"integrations"`
}

// Share is what one integration adds to a bundle.
type Share struct {
	Raw int `json:"raw"`
	// Gzip and Brotli are what the bundle grows by: measured against the
	// bundle without it, filled by Prices.
	Gzip   int `json:"gzip"`
	Brotli int `json:"brotli"`
}
