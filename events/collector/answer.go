package collector

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

const jsonType = "application/json"

// answer is every body that is not an image.
type answer struct {
	Success bool     `json:"success"`
	Message string   `json:"message,omitempty"`
	Off     []string `json:"off,omitempty"`
}

var successBody = []byte(`{"success":true}`) // nearly every answer, ready made

func marshal(a answer) []byte {
	body, err := json.Marshal(a)
	if err != nil {
		panic(err) // cannot be: bad UTF-8 is no error to it, and there is nothing else
	}
	return body
}

// succeed answers 200, naming the integrations that the page is to stop.
func (c *Collector) succeed(ctx *fasthttp.RequestCtx, off []string) {
	ctx.SetContentType(jsonType)
	if len(off) == 0 {
		ctx.SetBody(successBody)
	} else {
		ctx.SetBody(marshal(answer{Success: true, Off: off}))
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
	ctx.SetBody(marshal(answer{Message: message}))
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
