package collector

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"
)

const jsonType = "application/json"

var successBody = []byte(`{"success":true}`)

// succeed answers 200, naming the integrations that the page is to stop.
func (c *Collector) succeed(ctx *fasthttp.RequestCtx, off []string) {
	ctx.SetContentType(jsonType)
	if len(off) == 0 {
		ctx.SetBody(successBody)
	} else {
		body := []byte(`{"success":true,"off":[`)
		for i, name := range off {
			if i > 0 {
				body = append(body, ',')
			}
			body, _ = jsontext.AppendQuote(body, name) // bad UTF-8 becomes U+FFFD
		}
		ctx.SetBody(append(body, "]}"...))
	}
	c.metrics.request(fasthttp.StatusOK)
}

// refuse answers an error. message is ours, never the sender's: it says what
// is wrong and what to do.
func (c *Collector) refuse(ctx *fasthttp.RequestCtx, status int, message string) {
	ctx.SetStatusCode(status)
	ctx.SetContentType(jsonType)
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.Response.Header.Set("X-Content-Type-Options", "nosniff")
	body, _ := jsontext.AppendQuote([]byte(`{"success":false,"message":`), message)
	ctx.SetBody(append(body, '}'))
	c.metrics.request(status)
}

// later answers an error that is worth another try after wait.
func (c *Collector) later(ctx *fasthttp.RequestCtx, status int, message string, wait time.Duration) {
	seconds := strconv.Itoa(max(1, int((wait+time.Second-1)/time.Second)))
	ctx.Response.Header.Set("Retry-After", seconds)
	if status == fasthttp.StatusTooManyRequests {
		ctx.Response.Header.Set("X-RateLimit-Reset", seconds)
	}
	c.refuse(ctx, status, message)
}
