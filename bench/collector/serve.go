package main

import (
	"context"
	"fmt"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/tagmill/tagmill/events/collector"
	"github.com/tagmill/tagmill/events/eventlog/disk"
	"github.com/tagmill/tagmill/internal/web"
)

const writeKey = "benchmarkWriteKey"

// one is settings with a single source.
type one struct{}

func (one) Source(key string) (collector.Source, bool) {
	return collector.Source{ID: "src"}, key == writeKey
}
func (one) Fresh() bool { return true }

// serve is the edge as the product runs it, with one of three handlers behind
// the collector's routes.
func serve(mode, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	handler, closeLog, err := handlerOf(ctx, mode, dir)
	if err != nil {
		return err
	}
	server, err := web.New(web.Config{Addr: "127.0.0.1:0", Registerer: prometheus.NewRegistry()},
		web.Route{Prefix: "/v1/", Name: "collector", Handler: handler})
	if err != nil {
		return err
	}
	if err := server.Listen(); err != nil {
		return err
	}
	fmt.Println(server.URL())
	if err := server.Run(ctx); err != nil {
		return err
	}
	return closeLog()
}

func handlerOf(ctx context.Context, mode, dir string) (fasthttp.RequestHandler, func() error, error) {
	if mode == "answer" {
		return func(ctx *fasthttp.RequestCtx) {
			ctx.Response.Header.SetContentType("application/json")
			ctx.Response.SetBodyString(`{"success":true}`)
		}, func() error { return nil }, nil
	}
	var log interface {
		collector.Appender
		Close() error
	}
	var err error
	switch mode {
	case "append":
		log, err = openBare(filepath.Join(dir, "events"))
	case "log":
		log, err = disk.Open(ctx, disk.Options{Dir: filepath.Join(dir, "log"), Registerer: prometheus.NewRegistry()})
	default:
		err = fmt.Errorf("mode %q is not answer, append or log", mode)
	}
	if err != nil {
		return nil, nil, err
	}
	c := collector.New(collector.Config{Log: log, Sources: one{}, Registerer: prometheus.NewRegistry()})
	return c.Handle, log.Close, nil
}
