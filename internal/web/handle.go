package web

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"
)

type route struct {
	Route
	metrics *routeMetrics
}

// handle is every request's way: framing that fasthttp let through and should
// not have, health, prefix, route.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	r := &s.fallback
	defer s.finish(ctx, &r)
	h := &ctx.Request.Header
	if reason := misframed(h); reason != "" {
		s.metrics.malformed.Inc()
		reject(ctx, fasthttp.StatusBadRequest, reason)
		return
	}
	path := originForm(h.RequestURI())
	if s.health(ctx, path) {
		return
	}
	if p := s.cfg.Prefix; p != "" {
		if len(path) <= len(p) || string(path[:len(p)]) != p || path[len(p)] != '/' {
			r.Handler(ctx)
			return
		}
		path = path[len(p):]
	}
	for i := range s.routes {
		if p := s.routes[i].Prefix; len(path) >= len(p) && string(path[:len(p)]) == p {
			r = &s.routes[i]
			break
		}
	}
	if len(path) != len(h.RequestURI()) {
		// path is the tail of the very buffer it is copied to the front of,
		// so nothing is allocated; it also makes ctx.Path() parse anew.
		ctx.Request.SetRequestURIBytes(path)
	}
	r.Handler(ctx)
}

// finish ends every request: it catches what the handler panicked with
// (fasthttp would let the process die), counts and logs.
func (s *Server) finish(ctx *fasthttp.RequestCtx, r **route) {
	if p := recover(); p != nil {
		s.metrics.panics.Inc()
		s.cfg.Logger.Error("a request handler panicked", "route", (*r).Name, "panic", p, "stack", string(debug.Stack()))
		ctx.Response.Reset()
		ctx.Response.Header.SetNoDefaultContentType(true)
		reject(ctx, fasthttp.StatusInternalServerError, "internal error")
	}
	took := time.Since(ctx.Time())
	(*r).metrics.observe(ctx.Response.StatusCode(), took)
	if s.cfg.AccessLog {
		s.cfg.Logger.Info("request", "route", (*r).Name, "method", string(ctx.Method()), "uri", string(ctx.Request.Header.RequestURI()),
			"status", ctx.Response.StatusCode(), "bytes", len(ctx.Response.Body()), "took", took, "peer", ctx.RemoteAddr().String())
	}
}

// originForm cuts scheme and authority off a target in absolute form, which
// servers must accept (RFC 9112, section 3.2.2).
func originForm(uri []byte) []byte {
	if len(uri) > 0 && uri[0] == '/' {
		return uri
	}
	for _, scheme := range []string{"http://", "https://"} {
		if len(uri) > len(scheme) && bytes.EqualFold(uri[:len(scheme)], []byte(scheme)) {
			if i := bytes.IndexByte(uri[len(scheme):], '/'); i >= 0 {
				return uri[len(scheme)+i:]
			}
		}
	}
	return uri
}

// health answers livez and readyz at the root, whatever the prefix: probes
// talk to the process, not to the public.
func (s *Server) health(ctx *fasthttp.RequestCtx, path []byte) bool {
	var reason string
	switch string(path) {
	case "/livez":
	case "/readyz":
		if s.draining.Load() {
			reason = "draining"
		} else if s.cfg.Ready != nil {
			if err := s.cfg.Ready(); err != nil {
				reason = err.Error()
			}
		}
	default:
		return false
	}
	if reason != "" {
		answer(ctx, fasthttp.StatusServiceUnavailable, reason)
	} else {
		answer(ctx, fasthttp.StatusOK, "ok")
	}
	return true
}

// badRequest answers what fasthttp could not read as a request. The
// connection is closed after it.
func (s *Server) badRequest(ctx *fasthttp.RequestCtx, err error) {
	status, reason := fasthttp.StatusBadRequest, "malformed HTTP request"
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &small):
		status, reason = fasthttp.StatusRequestHeaderFieldsTooLarge, "request line and header are too large"
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		// 400 and not 413: what clients of event collectors take as final.
		reason = "request body is too large"
	}
	s.metrics.malformed.Inc()
	s.cfg.Logger.Debug("malformed request", "peer", ctx.RemoteAddr().String(), "err", err)
	ctx.Response.Reset()
	ctx.Response.Header.SetNoDefaultContentType(true)
	reject(ctx, status, reason)
	linger(ctx)
}

// linger sends the answer now and then reads what the client is still
// sending, for a while. Closing with unread bytes resets the connection, and
// a reset takes the answer away from a client that has not read it yet: it
// would see a network error and send its oversized body again and again.
// fasthttp's own write of the answer then fails, and it closes.
func linger(ctx *fasthttp.RequestCtx) {
	conn, ok := ctx.Conn().(interface {
		net.Conn
		CloseWrite() error
	})
	if !ok {
		return
	}
	until := time.Now().Add(lingerTime)
	if conn.SetDeadline(until) != nil {
		return
	}
	if _, err := ctx.Response.WriteTo(conn); err != nil {
		return
	}
	if conn.CloseWrite() != nil {
		return
	}
	// Until the client closes or the deadline: both are the end of it.
	_, _ = io.Copy(io.Discard, conn)
}

// lingerTime bounds linger.
const lingerTime = 2 * time.Second

func notFound(ctx *fasthttp.RequestCtx) { answer(ctx, fasthttp.StatusNotFound, "no such path") }

func answer(ctx *fasthttp.RequestCtx, status int, text string) {
	ctx.SetStatusCode(status)
	h := &ctx.Response.Header
	h.SetContentType("text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	ctx.SetBodyString(text + "\n")
}

// reject answers and closes the connection: what follows on it cannot be trusted.
func reject(ctx *fasthttp.RequestCtx, status int, text string) {
	answer(ctx, status, text)
	ctx.SetConnectionClose()
}
