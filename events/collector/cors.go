package collector

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// Any page may post and read the answer, which tells nobody anything: events
// carry no rights, and no answer depends on a cookie. So every origin is
// echoed, with credentials allowed, which pages need to send the id cookie.
func cors(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	origin := ctx.Request.Header.Peek("Origin")
	if len(origin) == 0 || len(origin) > 300 {
		h.Set("Access-Control-Allow-Origin", "*")
		return
	}
	h.SetBytesV("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "Retry-After, X-RateLimit-Reset, Tagmill-Error")
	h.Set("Vary", "Origin")
}

// Segment's browser client sends the first three since its version 1.84.
const allowedHeaders = "authorization, content-type, x-retry-count"

// preflight answers OPTIONS. Headers that a page's own code adds are allowed
// too: refusing them would protect nothing.
func preflight(ctx *fasthttp.RequestCtx, methods string) {
	h := &ctx.Response.Header
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	h.Set("Allow", methods)
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Max-Age", "86400")
	h.Set("Vary", "Origin, Access-Control-Request-Headers")
	headers := []byte(allowedHeaders)
	asked := ctx.Request.Header.Peek("Access-Control-Request-Headers")
	if len(asked) <= 1000 {
		for name := range bytes.SplitSeq(asked, []byte{','}) {
			name = bytes.ToLower(bytes.TrimSpace(name))
			if isToken(name) && !bytes.Contains(headers, name) {
				headers = append(append(headers, ", "...), name...)
			}
		}
	}
	h.SetBytesV("Access-Control-Allow-Headers", headers)
}

// isToken reports whether name is made of what header names usually are.
func isToken(name []byte) bool {
	for _, c := range name {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return len(name) > 0
}
