// Package admin is the door of the private listener: who may come in (API
// token, console session, one-time sign-in link), which host names are
// answered, and the headers, limits and time-outs that every answer gets. It
// composes the handlers behind it (api, console, metrics) without knowing
// what they do.
package admin

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// MaxBody is the largest request body the private listener reads, in bytes.
const MaxBody = 4 << 20

// Config is what the private listener is made of.
type Config struct {
	// API answers /api/v1/, Console everything else, Metrics /metrics.
	API, Console, Metrics http.Handler
	// Ready returns why this process should get no traffic, or nil.
	Ready func() error
	// Hosts are the names, besides loopback names, IP addresses and names
	// without a dot, under which people reach this listener.
	Hosts []string
	Log   *slog.Logger
}

// New returns the whole private listener's handler.
func New(cfg Config) http.Handler {
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Deny(w, r, http.StatusForbidden, "this request was made by a page of another origin; open the console itself, or use the API token from outside a browser")
	}))

	mux := http.NewServeMux()
	mux.Handle("/api/v1/", cfg.API)
	mux.Handle("/metrics", cfg.Metrics)
	mux.Handle("/", cfg.Console)
	inner := hosts(cfg.Hosts, cross.Handler(mux))

	// Health is asked by machines under any name, and tells nothing.
	root := http.NewServeMux()
	root.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { health(w, nil) })
	root.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { health(w, cfg.Ready()) })
	root.Handle("/", inner)
	return recovered(cfg.Log, headers(http.MaxBytesHandler(root, MaxBody)))
}

// NewServer gives a handler the listener's time-outs. Long answers (server-sent
// events) move their own write deadline forward.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func health(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("not ready: " + err.Error() + "\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// Deny answers with a refusal in the form its reader expects: a problem
// document (RFC 9457) under /api/, plain text elsewhere.
func Deny(w http.ResponseWriter, r *http.Request, status int, detail string) {
	w.Header().Set("Cache-Control", "no-store")
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(http.StatusText(status) + ": " + detail + "\n"))
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"title": http.StatusText(status), "status": status, "detail": detail,
	})
}
