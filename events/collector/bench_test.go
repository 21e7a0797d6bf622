package collector

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/valyala/fasthttp"
)

// sink is a log that has everything durable at once.
type sink struct{ records int }

func (s *sink) Append(_ context.Context, records []eventlog.Record) error {
	s.records += len(records)
	return nil
}

// browserPost is a request as a browser sends it, ready to be handled again
// and again.
func browserPost(n int) *fasthttp.RequestCtx {
	const event = `{"timestamp":"2026-11-22T10:00:00.123Z","integrations":{},"type":"track","event":"Product Viewed","properties":{"product_id":"507f1f77bcf86cd799439011","sku":"G-32","category":"Games","name":"Monopoly: 3rd Edition","price":18.99,"quantity":1,"currency":"usd"},"context":{"page":{"path":"/product/path","referrer":"","search":"","title":"Monopoly","url":"https://www.example.com/product/path"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36","locale":"en-US","library":{"name":"analytics.js","version":"next-1.84.3"}},"messageId":"ajs-next-1732269600123-8b6b5fb5-9e0b-4d0a-a4b5-0c6c8e6d1f5a","anonymousId":"2f1c8f0e-5b5e-4a57-9a2e-3c0f6d9e7b1a","userId":null,"writeKey":"` + key + `","sentAt":"2026-11-22T10:00:00.456Z"}`
	var req fasthttp.Request
	req.Header.SetMethod("POST")
	req.SetRequestURI("/v1/t")
	req.SetBodyString(event)
	if n > 1 {
		req.SetRequestURI("/v1/b")
		req.SetBodyString(`{"writeKey":"` + key + `","batch":[` + strings.Repeat(event+",", n-1) + event + `],"sentAt":"2026-11-22T10:00:00.456Z"}`)
	}
	req.Header.SetHost("c.example.com")
	req.Header.SetContentType("text/plain")
	req.Header.Set("Origin", "https://www.example.com")
	req.Header.SetUserAgent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36")
	ctx := new(fasthttp.RequestCtx)
	ctx.Init(&req, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, nil)
	return ctx
}

func BenchmarkHandle(b *testing.B) {
	for _, n := range []int{1, 20} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			log := &sink{}
			c := newRig(b, Source{}, func(cfg *Config) { cfg.Log = log })
			ctx := browserPost(n)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				c.Handle(ctx)
			}
			if ctx.Response.StatusCode() != 200 || log.records < n {
				b.Fatalf("%d: %s", ctx.Response.StatusCode(), ctx.Response.Body())
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
