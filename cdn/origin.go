package cdn

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
)

// Config is what an Origin is made of. All fields are optional.
type Config struct {
	// Lookup is asked for write keys that were not put. Nil: they are unknown.
	Lookup Lookup
	// LookupBuild is asked for builds that are not live. Nil: they are unknown.
	LookupBuild LookupBuild
	// LookupTimeout bounds how long a request waits for either. Default 3 s.
	LookupTimeout time.Duration
	// MaxLookups bounds how many run at once, for all keys; requests beyond
	// it are answered 503 at once. Default 64.
	MaxLookups int
	// MaxBuildBytes bounds the memory kept for builds that are not live.
	// Default 64 MiB.
	MaxBuildBytes int

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Origin serves bundles and settings from memory. All methods are safe for
// concurrent use. A hit takes no lock, does no I/O and allocates nothing.
type Origin struct {
	cfg     Config
	sites   *sites
	lookups *lookups
	counts  counts

	mu     sync.Mutex // only for builds that are not live: canaries, rollbacks
	builds *lru[*prepared]
}

// New makes an origin that serves nothing yet. It starts no goroutine; a
// request for an unknown key may start one, which ends with its look-up.
func New(cfg Config) *Origin {
	if cfg.LookupTimeout <= 0 {
		cfg.LookupTimeout = 3 * time.Second
	}
	if cfg.MaxLookups <= 0 {
		cfg.MaxLookups = 64
	}
	if cfg.MaxBuildBytes <= 0 {
		cfg.MaxBuildBytes = 64 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	o := &Origin{cfg: cfg, sites: newSites(), builds: newLRU[*prepared](cfg.MaxBuildBytes)}
	o.counts = newCounts(cfg.Registerer, o.sites.len)
	o.lookups = newLookups(cfg.LookupTimeout, cfg.MaxLookups, func(name string, err error) {
		o.counts.lookupFailures.Inc()
		cfg.Logger.Warn("bundle look-up failed", "name", name, "err", err)
	})
	return o
}

// Put makes b what is served for a write key from this moment on: requests
// that began before may still get the old bundle, none gets a mixture. It
// keeps b's slices.
func (o *Origin) Put(writeKey string, v Variant, b *Bundle) {
	o.sites.put(writeKey, v, prepareBundle(b))
}

// Remove makes a write key unknown to this origin: the next request asks Lookup.
func (o *Origin) Remove(writeKey string) { o.sites.remove(writeKey) }

// Handle answers GET and HEAD of the routes of the package: the live bundle,
// a build of it, the settings. Everything else is 404 or 405.
func (o *Origin) Handle(ctx *fasthttp.RequestCtx) {
	t := parse(ctx.Request.Header.RequestURI())
	if t.kind == nothing {
		o.counts.notFound.Inc()
		refuse(ctx, fasthttp.StatusNotFound, "no such path: the raw path is matched, without decoding or cleaning")
		return
	}
	if !ctx.IsGet() && !ctx.IsHead() {
		ctx.Response.Header.Set("Allow", "GET, HEAD")
		refuse(ctx, fasthttp.StatusMethodNotAllowed, "only GET and HEAD")
		return
	}
	sel := selected(&ctx.Request.Header)
	p, err := o.find(t, sel.variant)
	switch {
	case err == nil:
		o.serve(ctx, t, sel, p)
	case errors.Is(err, ErrUnknownKey):
		o.counts.unknownKey.Inc()
		unknownKey(ctx, t)
	case errors.Is(err, ErrUnknownBuild):
		o.counts.notFound.Inc()
		refuse(ctx, fasthttp.StatusNotFound, "no such build")
	default:
		o.counts.unavailable.Inc()
		ctx.Response.Header.Set("Retry-After", "1")
		refuse(ctx, fasthttp.StatusServiceUnavailable, "the bundle cannot be looked up now")
	}
}

// find brings what a target names: from memory, or by a look-up.
func (o *Origin) find(t target, v Variant) (*prepared, error) {
	var p *prepared
	if s := o.sites.get(t.writeKey); s != nil {
		p = s[v]
	}
	switch {
	case p != nil && (t.kind != build || p.buildID == string(t.buildID)):
		return p, nil
	case t.kind == build:
		return o.findBuild(string(t.writeKey), string(t.buildID))
	default:
		return o.findLive(string(t.writeKey), v)
	}
}

func (o *Origin) findLive(writeKey string, v Variant) (*prepared, error) {
	if o.cfg.Lookup == nil {
		return nil, ErrUnknownKey
	}
	return o.lookups.do(writeKey, func(ctx context.Context) (*prepared, error) {
		before := o.sites.version(writeKey)
		b, err := o.cfg.Lookup(ctx, writeKey)
		if err != nil {
			return nil, err
		}
		p := prepareBundle(b)
		o.sites.putUnlessWritten(before, writeKey, v, p)
		return p, nil
	})
}

func (o *Origin) findBuild(writeKey, buildID string) (*prepared, error) {
	if o.cfg.LookupBuild == nil {
		return nil, ErrUnknownBuild
	}
	name := writeKey + "/r/" + buildID // no key has a slash in it
	o.mu.Lock()
	p, ok := o.builds.get(name)
	o.mu.Unlock()
	if ok {
		return p, nil
	}
	return o.lookups.do(name, func(ctx context.Context) (*prepared, error) {
		b, err := o.cfg.LookupBuild(ctx, writeKey, buildID)
		if err != nil {
			return nil, err
		}
		p := prepareBundle(b)
		if !b.Provisional { // better bytes are on their way
			o.mu.Lock()
			defer o.mu.Unlock()
			o.builds.put(name, p, len(b.Identity)+len(b.Gzip)+len(b.Brotli))
		}
		return p, nil
	})
}

// serve writes the response that a target and its request's headers choose.
func (o *Origin) serve(ctx *fasthttp.RequestCtx, t target, sel selection, p *prepared) {
	var r *response
	switch t.kind {
	case settings:
		if r = p.settings; r == nil {
			o.counts.unknownKey.Inc()
			unknownKey(ctx, t)
			return
		}
	case build:
		r = sel.pick(&p.build)
	default:
		r = sel.pick(&p.live)
	}
	if r == nil {
		ctx.Response.Header.Set("Vary", Vary())
		refuse(ctx, fasthttp.StatusNotAcceptable, "Accept-Encoding refuses every encoding there is: br, gzip, identity")
		return
	}
	if r.write(ctx) {
		o.counts.notModified.Inc()
	} else {
		o.counts.ok.Inc()
	}
}
