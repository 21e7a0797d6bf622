// Command console shows the private listener over settings in memory, with
// made-up visitors: to look at the console and to test it in a browser.
//
//	go run ./e2e/console          # prints {"url": ..., "link": ..., "token": ...}
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/tagmill/tagmill/admin"
	"github.com/tagmill/tagmill/admin/admintest"
	"github.com/tagmill/tagmill/admin/api"
	"github.com/tagmill/tagmill/admin/console"
	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/memory"
	"github.com/tagmill/tagmill/events/live"
	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/settings"
)

const token = "console-preview-token"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	catalog, err := integrations.Open()
	if err != nil {
		return err
	}
	store, err := admintest.NewStore(catalog, time.Now)
	if err != nil {
		return err
	}
	if err := furnish(ctx, store, catalog); err != nil {
		return err
	}
	auth, err := admin.NewAuth(admin.AuthConfig{Token: token, SessionKey: make([]byte, 32)})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()

	events := memory.New(memory.Options{})
	feed := live.New(events, live.Options{Logger: log})
	bundles := &admintest.Bundles{Store: store, Now: time.Now}
	stats := func() eventlog.Stats {
		return eventlog.Stats{Bytes: 3_400_000_000, Budget: 20_000_000_000, BytesPerHour: 21_000_000}
	}
	rest, err := api.New(api.Config{
		Auth: auth, Store: store, Catalog: catalog, Bundles: bundles, Snippet: admintest.Snippets{}, Live: feed,
		LogStats: stats, ConsoleURL: func() string { return url }, Version: "preview", Log: log,
	})
	if err != nil {
		return err
	}
	pages, err := console.New(console.Config{
		Auth: auth, Store: store, Catalog: catalog, Bundles: bundles, Snippet: admintest.Snippets{}, LogStats: stats,
		PublicURL:    func() string { return "https://t.shop.example" },
		CollectorURL: func() string { return "https://t.shop.example/v1" },
		DemoURL:      func() string { return "http://127.0.0.1:8090" },
		Version:      "preview", Log: log,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	// For tests: events of their own, and a publisher that fails.
	mux.HandleFunc("POST /test/event", func(w http.ResponseWriter, r *http.Request) {
		var e struct {
			Discard bool
			Value   json.RawMessage
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		kind := eventlog.Event
		if e.Discard {
			kind = eventlog.Discard
		}
		_ = events.Append(r.Context(), []eventlog.Record{{Kind: kind, WriteKey: "wk_website_1", MessageID: "m", ReceivedAt: time.Now(), Value: e.Value}})
	})
	mux.HandleFunc("POST /test/fail", func(_ http.ResponseWriter, r *http.Request) { bundles.SetFail(r.FormValue("why")) })
	mux.Handle("/", admin.New(admin.Config{
		API: rest, Console: pages, Metrics: http.NotFoundHandler(), Ready: func() error { return nil }, Log: log,
	}))
	server := admin.NewServer(mux, log)
	server.RegisterOnShutdown(rest.Drain)

	go func() { _ = feed.Run(ctx) }()                // ends with ctx
	go func() { _ = visit(ctx, events) }()           // ends with ctx
	go func() { <-ctx.Done(); _ = server.Close() }() // ends Serve
	secret, _ := auth.NewLink()
	_ = json.NewEncoder(os.Stdout).Encode(map[string]string{"url": url, "link": admin.LinkURL(url, secret), "token": token})
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// furnish makes the settings look lived in.
func furnish(ctx context.Context, store *admintest.Store, catalog *integrations.Catalog) error {
	put := func(slug, name string, on bool, extra map[string]any) settings.Change {
		values := map[string]any{}
		for _, f := range catalog.Manifest(slug).Settings {
			if f.Required && len(f.ShowIf) == 0 {
				values[f.Key] = f.TestValue
			}
		}
		for k, v := range extra {
			values[k] = v
		}
		return settings.PutDestination{Workspace: "default", Source: "website", Integration: slug, Name: name, Enabled: on, Settings: values}
	}
	for _, step := range []struct {
		author string
		change settings.Change
	}{
		{"console", put("ga4", "", true, map[string]any{"apiSecret": "s3cret-value"})},
		{"console", put("mixpanel", "", true, nil)},
		{"cli", settings.AddKey{Workspace: "default", Source: "website", Environment: "staging"}},
		{"console", put("intercom", "", true, nil)},
		{"api", put("intercom", "", false, nil)},
		{"console", put("mixpanel", "eu", true, map[string]any{"region": "eu"})},
		{"cli", settings.CreateSource{Workspace: "default", Slug: "docs", Name: "Documentation"}},
	} {
		if _, err := store.Do(ctx, step.author, step.change); err != nil {
			return err
		}
	}
	return nil
}

// visit makes visitors up until ctx ends.
func visit(ctx context.Context, log eventlog.Log) error {
	samples := []struct {
		kind  eventlog.Kind
		value string
	}{
		{eventlog.Event, `{"type":"page","name":"Home","anonymousId":"6f2a91c4-77aa","context":{"page":{"path":"/","url":"https://shop.example/"}},"properties":{"path":"/"}}`},
		{eventlog.Event, `{"type":"track","event":"Product Viewed","anonymousId":"6f2a91c4-77aa","properties":{"product_id":"kettle-1","price":49,"currency":"EUR"}}`},
		{eventlog.Event, `{"type":"identify","userId":"u_1042","anonymousId":"6f2a91c4-77aa","traits":{"email":"ada@example.com","plan":"pro"}}`},
		{eventlog.Discard, `{"code":"event_too_large","message":"the event has 48211 bytes, at most 32768 are kept","bytes":48211,"event":{"type":"track","event":"Cart Exported","userId":"u_1042"}}`},
		{eventlog.Event, `{"type":"track","event":"Order Completed","userId":"u_1042","properties":{"order_id":"o-77","revenue":98,"currency":"EUR"}}`},
	}
	tick := time.NewTicker(1500 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		s := samples[i%len(samples)]
		err := log.Append(ctx, []eventlog.Record{{
			Kind: s.kind, WriteKey: "wk_website_1", MessageID: fmt.Sprintf("ajs-next-%d", i), ReceivedAt: time.Now(), Value: []byte(s.value),
		}})
		if err != nil {
			return err
		}
		if i < 12 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
