// Package cdn holds everything between a built bundle and a browser: the
// origin that serves prepared responses from memory. Whatever does not depend
// on the request (headers, ETags, policies) is made when a bundle is put; a
// request is a look-up, a choice of encoding and a write. It knows neither
// settings nor bundler: it is handed finished bytes.
package cdn

import (
	"context"
	"errors"
)

// Variant chooses between the bundles of one write key: a small closed set.
type Variant uint8

// Variants. Consent regimes will come here; an absent header means the strictest.
const (
	Default  Variant = 0
	variants Variant = 1
)

// Bundle is a built bundle with what its responses need. The origin keeps the
// slices and serves them without copying: immutable once put.
type Bundle struct {
	BuildID string
	// The encodings of the same script. Gzip and Brotli may be nil: they are
	// then not offered.
	Identity, Gzip, Brotli []byte
	// Provisional bytes may still be replaced by better compressed ones: they
	// carry a five-second s-maxage, so that two origins cannot disagree for long.
	Provisional bool
	Caching     Caching
	// Settings is the body of /v1/projects/{writeKey}/settings. Nil answers
	// as an unknown key does.
	Settings []byte
}

// Caching is the Cache-Control of a live bundle, in seconds. Zero directives
// are left out, but for max-age; negative values count as zero.
type Caching struct{ MaxAge, SMaxAge, StaleWhileRevalidate, StaleIfError int }

// Lookup brings the bundle of a write key this origin has not seen. It is
// called once per key at a time, never on a hit. ErrUnknownKey when there is
// none; that answer is cached for a short time. It must end when ctx does.
type Lookup func(ctx context.Context, writeKey string) (*Bundle, error)

// LookupBuild brings one immutable build of a write key, or ErrUnknownBuild.
// It must end when ctx does.
type LookupBuild func(ctx context.Context, writeKey, buildID string) (*Bundle, error)

// Errors of lookups.
var (
	ErrUnknownKey   = errors.New("unknown write key")
	ErrUnknownBuild = errors.New("unknown build")
)
