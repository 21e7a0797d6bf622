package collector

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/tagmill/tagmill/events"
	"github.com/valyala/fasthttp"
)

// pixelWait bounds how long an image waits for its event to be durable: a
// reader of mail should not see it load.
const pixelWait = 500 * time.Millisecond

// transparentGIF is one pixel.
var transparentGIF = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")

// pixel takes the event in the query, as JSON or base64 of JSON, and answers
// with the image whatever becomes of it: nobody would see an error.
func (c *Collector) pixel(ctx *fasthttp.RequestCtx, implied events.Type) {
	outcome := c.metrics.pixels.failed
	if data := pixelData(ctx.QueryArgs().Peek("data")); implied != "" && len(data) > 0 && ctx.IsGet() {
		wait, cancel := context.WithTimeout(context.Background(), pixelWait)
		v := c.take(wait, ctx, data, implied)
		cancel()
		if v.status == fasthttp.StatusOK && !v.unknown {
			outcome = c.metrics.pixels.accepted
		}
		if v.unknown {
			ctx.Response.Header.Set("Tagmill-Error", "unknown-write-key")
		}
	}
	if ctx.IsGet() {
		outcome.Inc()
	}
	h := &ctx.Response.Header
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	ctx.SetContentType("image/gif")
	ctx.SetBody(transparentGIF)
	c.metrics.request(fasthttp.StatusOK)
}

// pixelData undoes base64, of either alphabet, padded or not. The query's own
// escapes are undone already, which has made spaces of unescaped plus signs.
func pixelData(data []byte) []byte {
	if len(data) == 0 || data[0] == '{' {
		return data
	}
	encoded := make([]byte, 0, len(data))
	for _, c := range data {
		switch c {
		case ' ', '-':
			c = '+'
		case '_':
			c = '/'
		case '=':
			continue
		}
		encoded = append(encoded, c)
	}
	decoded, err := base64.RawStdEncoding.AppendDecode(nil, encoded)
	if err != nil {
		return data // JSON with a space in front, or rubbish, which Decode tells apart
	}
	return decoded
}
