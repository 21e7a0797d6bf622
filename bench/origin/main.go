// Command origin measures the bundle origin against nginx serving the same
// bytes and headers as a static file: requests a second and CPU time a request,
// for hits and for 304s. The servers take turns on core 0, wrk is on core 1.
//
//	go run ./bench/origin [-rounds 5] [-seconds 3] [-bytes 12288]
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tagmill/tagmill/bench/measure"
	"github.com/tagmill/tagmill/cdn"
	"github.com/tagmill/tagmill/internal/web"
)

const (
	writeKey = "benchmarkWriteKey"
	path     = "/analytics.js/v1/" + writeKey + "/analytics.min.js"
	keys     = 10_000 // others in the origin's map
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each comparison")
	seconds := flag.Int("seconds", 3, "length of one measurement")
	size := flag.Int("bytes", 12<<10, "bytes of the compressed bundle")
	serving := flag.Bool("serve", false, "be the origin under test; used by the benchmark itself")
	flag.Parse()
	if *serving {
		if err := serve(*size); err != nil {
			measure.Fail(err)
		}
		return
	}
	results, err := compare(*rounds, *seconds, *size)
	if err != nil {
		measure.Fail(err)
	}
	if err := measure.Print(os.Stdout, results); err != nil {
		measure.Fail(err)
	}
}

// body is incompressible, as compressed bytes are, and the same in every process.
func body(size int) []byte {
	b := make([]byte, size)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < size; i++ {
		b[i] = byte(r.Uint32())
	}
	return b
}

// serve is the origin as the product runs it: the edge server with metrics
// and time-outs, in front of an origin that holds many keys.
func serve(size int) error {
	registry := prometheus.NewRegistry()
	origin := cdn.New(cdn.Config{Registerer: registry})
	b := &cdn.Bundle{BuildID: "b", Identity: body(size), Gzip: body(size), Brotli: body(size),
		Caching: cdn.Caching{MaxAge: 60, SMaxAge: 60, StaleWhileRevalidate: 30, StaleIfError: 86400}}
	for i := range keys {
		origin.Put(fmt.Sprintf("key%d", i), cdn.Default, b)
	}
	origin.Put(writeKey, cdn.Default, b)
	server, err := web.New(web.Config{Addr: "127.0.0.1:0", Registerer: registry},
		web.Route{Prefix: "/analytics.js/", Name: "bundle", Handler: origin.Handle},
		web.Route{Prefix: "/v1/projects/", Name: "settings", Handler: origin.Handle})
	if err != nil {
		return err
	}
	if err := server.Listen(); err != nil {
		return err
	}
	fmt.Println(server.URL())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return server.Run(ctx)
}
