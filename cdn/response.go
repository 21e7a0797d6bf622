package cdn

import (
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// response is one prepared answer: immutable, shared by all requests.
type response struct {
	header      fasthttp.ResponseHeader // of the 200
	notModified fasthttp.ResponseHeader // of the 304
	etag        []byte
	body        []byte
}

// prepare makes a response ready. etag may be empty: then it has no 304.
func prepare(contentType string, e encoding, cacheControl string, body, etag []byte) *response {
	r := &response{etag: etag, body: body}
	for _, h := range []*fasthttp.ResponseHeader{&r.notModified, &r.header} {
		h.SetNoDefaultContentType(true)
		h.Set("Cache-Control", cacheControl)
		h.Set("Vary", Vary())
		if len(etag) > 0 {
			h.SetBytesV("ETag", etag)
		}
		// Any page may read it (CORS for crossorigin=anonymous and integrity,
		// CORP for pages that isolate themselves), and may see its timing.
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Timing-Allow-Origin", "*")
		h.Set("X-Content-Type-Options", "nosniff")
	}
	r.notModified.SetStatusCode(fasthttp.StatusNotModified)
	r.header.SetContentType(contentType)
	if e != identity {
		r.header.SetContentEncoding(e.String())
	}
	return r
}

// write answers with r, or with its 304 when the request already has it, and
// reports which.
// fasthttp leaves the body out for HEAD and 304. Allocates nothing: headers
// are copied into the connection's own buffers, the body is only pointed at.
func (r *response) write(ctx *fasthttp.RequestCtx) (notModified bool) {
	if len(r.etag) > 0 {
		for _, line := range ctx.Request.Header.PeekAll("If-None-Match") {
			if matches(line, r.etag) {
				r.notModified.CopyTo(&ctx.Response.Header)
				return true
			}
		}
	}
	r.header.CopyTo(&ctx.Response.Header)
	ctx.Response.SetBodyRaw(r.body)
	return false
}

const (
	scriptType = "text/javascript; charset=utf-8"
	jsonType   = "application/json; charset=utf-8"

	// immutable is for what a path with a hash in it names, once its
	// compressed bytes are the final ones too.
	immutable = "public, max-age=31536000, immutable"
)

// cacheControl writes the header of a live answer. Provisional bytes are to
// be gone in seconds: no cache may keep them past that while it could ask.
func (c Caching) cacheControl(provisional bool) string {
	if provisional {
		c.MaxAge, c.SMaxAge, c.StaleWhileRevalidate = min(c.MaxAge, provisionalAge), provisionalAge, 0
	}
	var b strings.Builder
	b.WriteString("max-age=" + strconv.Itoa(max(c.MaxAge, 0)))
	for _, d := range []struct {
		name    string
		seconds int
	}{{"s-maxage", c.SMaxAge}, {"stale-while-revalidate", c.StaleWhileRevalidate}, {"stale-if-error", c.StaleIfError}} {
		if d.seconds > 0 {
			b.WriteString(", " + d.name + "=" + strconv.Itoa(d.seconds))
		}
	}
	return b.String()
}

const provisionalAge = 5 // seconds

// prepared is everything that is served of one bundle.
type prepared struct {
	buildID  string
	live     [encodings]*response // nil: not offered
	build    [encodings]*response
	settings *response // nil: none
}

// prepareBundle does at publish all the work that requests then need not.
func prepareBundle(b *Bundle) *prepared {
	p := &prepared{buildID: b.BuildID}
	liveCC := b.Caching.cacheControl(b.Provisional)
	buildCC := immutable
	if b.Provisional {
		buildCC = liveCC
	}
	bodies := [encodings][]byte{brotli: b.Brotli, gzip: b.Gzip, identity: b.Identity}
	for e, body := range bodies {
		if e := encoding(e); body != nil || e == identity {
			etag := entityTag(body, e)
			p.live[e] = prepare(scriptType, e, liveCC, body, etag)
			p.build[e] = prepare(scriptType, e, buildCC, body, etag)
		}
	}
	if b.Settings != nil {
		// Settings never are provisional: they are not compressed here.
		p.settings = prepare(jsonType, identity, b.Caching.cacheControl(false), b.Settings, entityTag(b.Settings, identity))
	}
	return p
}
