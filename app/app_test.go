package app_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tagmill/tagmill/app"
)

// start runs the whole product on a folder until the test calls stop.
func start(t *testing.T, dir string) (app.Ready, func() error) {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Data, cfg.Edge, cfg.Admin, cfg.Demo = dir, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	a, err := app.Open(t.Context(), cfg, app.Host{Log: slog.New(slog.DiscardHandler), Version: "test", Getenv: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan app.Ready, 1), make(chan error, 1)
	go func() {
		ended <- a.Run(ctx, func(r app.Ready) error { ready <- r; return nil })
	}()
	select {
	case r := <-ready:
		return r, func() error { cancel(); return <-ended }
	case err := <-ended:
		cancel()
		t.Fatalf("ended before it was ready: %v", err)
		return app.Ready{}, nil
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestRunServesStopsCleanlyAndComesBack(t *testing.T) {
	// fasthttp's janitors sleep up to ten seconds before they notice the end.
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
	defer http.DefaultClient.CloseIdleConnections()
	dir := filepath.Join(t.TempDir(), "data")

	r, stop := start(t, dir)
	_, rest, _ := strings.Cut(r.Snippet, `})("`)
	key, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no write key in snippet %q", r.Snippet)
	}
	bundle := "/analytics.js/v1/" + key + "/analytics.min.js"
	status, first := get(t, r.Edge+bundle)
	if status != 200 || !strings.Contains(first, key) {
		t.Fatalf("bundle: %d, %d bytes", status, len(first))
	}
	for _, url := range []string{r.Edge + "/livez", r.Edge + "/readyz", r.Admin + "/readyz", r.Demo + "/"} {
		if status, body := get(t, url); status != 200 {
			t.Errorf("%s: %d %s", url, status, body)
		}
	}
	res, err := http.Post(r.Edge+"/v1/t", "text/plain", strings.NewReader(`{"writeKey":"`+key+`","anonymousId":"a","event":"E","messageId":"m1"}`))
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("post: %v, %v", res, err)
	}
	res.Body.Close()
	if err := stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}

	// The same folder, the same key, the same bytes.
	again, stop := start(t, dir)
	if status, second := get(t, again.Edge+bundle); status != 200 || len(second) == 0 {
		t.Errorf("after a restart: %d, %d bytes", status, len(second))
	}
	if err := stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}

	cfg := app.DefaultConfig()
	cfg.Data = dir
	var dump strings.Builder
	if err := app.DumpLog(t.Context(), cfg, &dump, false); err != nil {
		t.Fatal(err)
	}
	var event struct{ MessageID, Event string }
	if err := json.Unmarshal([]byte(dump.String()), &event); err != nil || event.MessageID != "m1" || event.Event != "E" {
		t.Errorf("log has %q, %v", dump.String(), err)
	}
}

func TestOpenLeavesNothingBehindWhenItFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, stop := start(t, dir)
	cfg := app.DefaultConfig()
	cfg.Data, cfg.Edge, cfg.Admin, cfg.Demo = dir, "127.0.0.1:0", "127.0.0.1:0", "off"
	if _, err := app.Open(t.Context(), cfg, app.Host{Log: slog.New(slog.DiscardHandler), Getenv: os.LookupEnv}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second process: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// The folder is free again although an Open failed on it.
	_, stop = start(t, dir)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
