//go:build !race

package cdn

import (
	"fmt"
	"io"
	"testing"

	"bufio"
)

// A hit, a 304 and a 404 of the raw path allocate nothing once a
// connection's buffers have grown.
func TestHitsAllocateNothing(t *testing.T) {
	o := New(Config{})
	for i := range 10_000 {
		o.Put(fmt.Sprintf("key%d", i), Default, bundle("b"))
	}
	o.Put("KEY", Default, bundle("b1"))
	for name, headers := range map[string][]string{
		"hit":           {"Accept-Encoding: gzip, deflate, br, zstd", "Cookie: a=b; c=d", "User-Agent: x"},
		"identity":      {},
		"304":           {"Accept-Encoding: br", "If-None-Match: " + string(entityTag([]byte("brotlied b1"), brotli))},
		"304 in a list": {"Accept-Encoding: br;q=0.9, *;q=0.1", `If-None-Match: "x", W/` + string(entityTag([]byte("brotlied b1"), brotli))},
	} {
		for _, uri := range []string{livePath, livePath + "?cache=bust", "/v1/projects/KEY/settings", "/analytics.js/v1/KEY/r/b1.min.js"} {
			ctx := request(t, "GET", uri, headers...)
			w := bufio.NewWriter(io.Discard)
			if n := testing.AllocsPerRun(1000, func() {
				ctx.Response.Reset()
				o.Handle(ctx)
				if err := ctx.Response.Write(w); err != nil {
					t.Fatal(err)
				}
			}); n != 0 {
				t.Errorf("%s of %s: %v allocations", name, uri, n)
			}
		}
	}
}

func BenchmarkHandle(b *testing.B) {
	o := putOrigin(b)
	for name, headers := range map[string][]string{
		"hit": {"Accept-Encoding: gzip, deflate, br, zstd"},
		"304": {"Accept-Encoding: gzip, deflate, br, zstd", "If-None-Match: " + string(entityTag([]byte("brotlied b1"), brotli))},
	} {
		b.Run(name, func(b *testing.B) {
			ctx := request(b, "GET", livePath, headers...)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				o.Handle(ctx)
			}
		})
	}
}

// Put copies the small map that its key is in, not all keys.
func BenchmarkPutAmong10000(b *testing.B) {
	o := New(Config{})
	for i := range 10_000 {
		o.Put(fmt.Sprintf("key%d", i), Default, bundle("b"))
	}
	next := bundle("b2")
	for b.Loop() {
		o.Put("key5", Default, next)
	}
}
