package cdn

import (
	"encoding/json"

	"github.com/valyala/fasthttp"
)

// refuse answers with a status and its reason, which no cache keeps.
func refuse(ctx *fasthttp.RequestCtx, status int, reason string) {
	ctx.SetStatusCode(status)
	h := &ctx.Response.Header
	h.Set("Cache-Control", "no-store")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	h.SetContentType("text/plain; charset=utf-8")
	ctx.SetBodyString(reason + "\n")
}

// unknownKey answers for a write key that nobody has. A script tag gets a
// script, because a page must not break over it and its developer must see
// why nothing happens; a client that asks for settings gets a 404. Both may be
// kept for ten seconds only: the key may be created any moment.
func unknownKey(ctx *fasthttp.RequestCtx, t target) {
	h := &ctx.Response.Header
	h.Set("Tagmill-Error", "unknown-write-key")
	h.Set("Cache-Control", "max-age=10")
	h.Set("Vary", Vary())
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "Tagmill-Error")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Timing-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	if t.kind == settings {
		ctx.SetStatusCode(fasthttp.StatusNotFound)
		h.SetContentType(jsonType)
		ctx.SetBodyString(`{"error":"unknown-write-key","message":` + quoted("there is no source with write key "+string(t.writeKey)) + "}\n")
		return
	}
	h.SetContentType(scriptType)
	warning := `tagmill: the write key "` + string(t.writeKey) + `" is unknown here, so nothing is loaded and nothing is sent. ` +
		"Copy the snippet of this site's source from the console again."
	ctx.SetBodyString("(function(){var c=window.console;c&&c.warn&&c.warn(" + quoted(warning) + ")})();\n")
}

// quoted makes a string literal that is safe in JSON, in a script and in a
// script inlined in HTML: encoding/json escapes <, >, & and U+2028 too.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("a string has no JSON: " + err.Error()) // cannot be
	}
	return string(b)
}
