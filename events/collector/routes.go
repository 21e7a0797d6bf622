package collector

import (
	"bytes"

	"github.com/tagmill/tagmill/events"
	"github.com/valyala/fasthttp"
)

// kind is what a route does.
type kind uint8

const (
	noRoute      kind = iota
	eventsRoute       // one event or a batch
	metricsRoute      // what Segment's client reports of itself
	pixelRoute        // an event in the query of an image
	cspRoute          // violation reports
)

const pixelPath = "/v1/pixel/"

// Paths lists every exact path answered; beside them everything under
// /v1/pixel/ is.
func Paths() []string {
	return []string{
		"/v1/t", "/v1/p", "/v1/i", "/v1/g", "/v1/a", "/v1/s", "/v1/b",
		"/v1/track", "/v1/page", "/v1/identify", "/v1/group", "/v1/alias", "/v1/screen",
		"/v1/batch", "/v1/import", "/v1/m", "/v1/csp",
	}
}

// route matches a raw path. The type is empty for a batch.
func route(path []byte) (kind, events.Type) {
	switch string(path) { // compiled without copying path
	case "/v1/t", "/v1/track":
		return eventsRoute, events.Track
	case "/v1/p", "/v1/page":
		return eventsRoute, events.Page
	case "/v1/i", "/v1/identify":
		return eventsRoute, events.Identify
	case "/v1/g", "/v1/group":
		return eventsRoute, events.Group
	case "/v1/a", "/v1/alias":
		return eventsRoute, events.Alias
	case "/v1/s", "/v1/screen":
		return eventsRoute, events.Screen
	case "/v1/b", "/v1/batch", "/v1/import":
		return eventsRoute, ""
	case "/v1/m":
		return metricsRoute, ""
	case "/v1/csp":
		return cspRoute, ""
	}
	if name, ok := bytes.CutPrefix(path, []byte(pixelPath)); ok && len(name) > 0 && bytes.IndexByte(name, '/') < 0 {
		return pixelRoute, events.ParseType(name)
	}
	return noRoute, ""
}

// Handle answers one request of any route. It returns when what the request
// carried is durable, or refused; until then it reads ctx's own buffers, which
// fasthttp does not touch before Handle returns.
func (c *Collector) Handle(ctx *fasthttp.RequestCtx) {
	// The raw path: fasthttp's Path is cleaned, and two spellings of one
	// route are one too many.
	path, _, _ := bytes.Cut(ctx.Request.Header.RequestURI(), []byte{'?'})
	kind, implied := route(path)
	if kind == noRoute {
		c.refuse(ctx, fasthttp.StatusNotFound, "no such route; post events to /v1/batch, /v1/track, /v1/page, /v1/identify, /v1/group, /v1/alias or /v1/screen")
		return
	}
	allow := "POST, OPTIONS"
	if kind == pixelRoute {
		allow = "GET, HEAD, OPTIONS"
	}
	cors(ctx)
	switch {
	case ctx.IsOptions():
		preflight(ctx, allow)
		c.metrics.request(fasthttp.StatusNoContent)
	case kind == pixelRoute && (ctx.IsGet() || ctx.IsHead()):
		c.pixel(ctx, implied)
	case kind == pixelRoute || !ctx.IsPost():
		ctx.Response.Header.Set("Allow", allow)
		c.refuse(ctx, fasthttp.StatusMethodNotAllowed, "method not allowed here; use "+allow)
	case kind == eventsRoute:
		c.post(ctx, implied)
	case kind == metricsRoute:
		c.metrics.clientReports.Inc()
		c.succeed(ctx, nil)
	case kind == cspRoute:
		c.cspReport(ctx)
	}
}
