// Package collector owns the HTTP side of taking events: it answers the routes
// that Segment's clients post to, and answers 200 only when every event of a
// request is durable in the log, as an event or as a discard record. It knows
// nothing of bundles, destinations, or where settings come from.
package collector

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tagmill/tagmill/events"
	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/valyala/fasthttp"
	"golang.org/x/time/rate"
)

// Appender is the part of an eventlog.Log that is needed here.
type Appender interface {
	Append(ctx context.Context, records []eventlog.Record) error
}

// Sources knows write keys. Its methods are on the path of every request:
// they must not block, should not ask for memory, and are called concurrently.
type Sources interface {
	// Source finds the source of an active write key.
	Source(writeKey string) (Source, bool)
	// Fresh reports whether the settings at hand are surely the newest. Only
	// while they are not may an unknown write key be a new one.
	Fresh() bool
}

// Source is what a collector needs to know of a source. Its slices are shared
// and only read.
type Source struct {
	ID string
	// AllowedOrigins are the web origins whose pages may send events:
	// "https://shop.example", "https://*.shop.example" (subdomains only).
	// Empty allows all. Requests without an Origin do not come from a page,
	// and are not held to it.
	AllowedOrigins []string
	Address        events.Address
	Bots           Bots
	// EventsPerSecond limits the source; 0 is unlimited.
	EventsPerSecond int
	// RefreshIDCookie lets answers to same-site requests set the anonymous id
	// cookie again.
	RefreshIDCookie bool
	// Off names the integrations that pages are to stop now.
	Off []string
}

// Bots says what becomes of events from known robots.
type Bots string

// The choices. The empty Bots is BotsMark.
const (
	BotsMark Bots = "mark" // context.bot is true
	BotsDrop Bots = "drop" // discarded
)

// Config is what a Collector is made of. Log and Sources are required.
type Config struct {
	Log     Appender
	Sources Sources
	// Address tells who sent a request, trusted proxies taken into account.
	// nil: whoever connected.
	Address func(*fasthttp.RequestCtx) netip.Addr
	// Limits of bodies and events; the zero value is events.DefaultLimits.
	Limits events.Limits
	// InFlight bounds the bytes of all bodies being worked on, zipped and
	// unzipped; above it requests are answered 503. 0: 256 MB.
	InFlight int64
	// Unresolved is the budget of events with unknown write keys, which are
	// stored only while the settings may be stale.
	Unresolved Budget
	Now        func() time.Time      // nil: time.Now
	Registerer prometheus.Registerer // nil: metrics are not exposed
	Logger     *slog.Logger          // nil: slog.Default
}

// Budget is a pair of rates. A zero rate takes its default.
type Budget struct {
	EventsPerSecond int // default 1,000
	BytesPerSecond  int // default 2 MB
}

const (
	defaultInFlight         = 256 << 20
	defaultUnresolvedEvents = 1000
	defaultUnresolvedBytes  = 2 << 20
)

// Collector answers requests. Safe for concurrent use. It owns no goroutine
// and no file; what it has accepted is in the log.
type Collector struct {
	log      Appender
	sources  Sources
	address  func(*fasthttp.RequestCtx) netip.Addr
	limits   events.Limits
	now      func() time.Time
	logger   *slog.Logger
	metrics  *metrics
	limiters limiters

	inFlight    atomic.Int64 // bytes of bodies being worked on
	maxInFlight int64

	unresolvedEvents *rate.Limiter
	unresolvedBytes  *rate.Limiter

	works   sync.Pool   // of *work
	failing atomic.Bool // the last Append failed
	csp     cspCounter
}

// New makes a Collector.
func New(cfg Config) *Collector {
	if cfg.Limits == (events.Limits{}) {
		cfg.Limits = events.DefaultLimits
	}
	if cfg.InFlight == 0 {
		cfg.InFlight = defaultInFlight
	}
	if cfg.Unresolved.EventsPerSecond == 0 {
		cfg.Unresolved.EventsPerSecond = defaultUnresolvedEvents
	}
	if cfg.Unresolved.BytesPerSecond == 0 {
		cfg.Unresolved.BytesPerSecond = defaultUnresolvedBytes
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Address == nil {
		cfg.Address = remoteAddress
	}
	c := &Collector{
		log: cfg.Log, sources: cfg.Sources, address: cfg.Address,
		limits: cfg.Limits, now: cfg.Now, logger: cfg.Logger,
		maxInFlight:      cfg.InFlight,
		unresolvedEvents: perSecond(cfg.Unresolved.EventsPerSecond),
		unresolvedBytes:  perSecond(cfg.Unresolved.BytesPerSecond),
	}
	c.works.New = func() any { return new(work) }
	c.metrics = newMetrics(cfg.Registerer, func() float64 { return float64(c.inFlight.Load()) })
	return c
}

func remoteAddress(ctx *fasthttp.RequestCtx) netip.Addr {
	addr, _ := netip.AddrFromSlice(ctx.RemoteIP())
	return addr
}

// admit reserves n bytes of the in-flight budget; the caller gives them back.
func (c *Collector) admit(n int) bool {
	if c.inFlight.Add(int64(n)) <= c.maxInFlight {
		return true
	}
	c.inFlight.Add(-int64(n))
	return false
}

func (c *Collector) release(n int) { c.inFlight.Add(-int64(n)) }
