//go:build !race

package web

import (
	"bufio"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
)

// Routing, checks, prefix and metrics allocate nothing.
func TestRoutingAllocatesNothing(t *testing.T) {
	nothing := func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(fasthttp.StatusNotModified) }
	for prefix, uri := range map[string]string{"": "/v1/projects/k/settings?x", "/t": "/t/v1/projects/k/settings?x"} {
		s, err := New(Config{Prefix: prefix, Registerer: prometheus.NewRegistry()},
			Route{"/analytics.js/", "bundle", nothing}, Route{"/v1/", "events", nothing}, Route{"/v1/projects/", "settings", nothing})
		if err != nil {
			t.Fatal(err)
		}
		ctx := &fasthttp.RequestCtx{}
		in := "GET " + uri + " HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\nAccept-Encoding: br\r\nCookie: a=b\r\n\r\n"
		source := strings.NewReader(in)
		r := bufio.NewReader(source)
		if n := testing.AllocsPerRun(1000, func() {
			source.Reset(in)
			r.Reset(source)
			if err := ctx.Request.Read(r); err != nil {
				t.Fatal(err)
			}
			s.handle(ctx)
			if string(ctx.Request.Header.RequestURI()) != "/v1/projects/k/settings?x" {
				t.Fatal("the prefix is not cut off")
			}
		}); n != 0 {
			t.Errorf("prefix %q: %v allocations", prefix, n)
		}
	}
}
