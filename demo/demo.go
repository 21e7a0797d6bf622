// Package demo is a small shop that carries the snippet, so that a newcomer
// sees events flow at once. It runs on a listener of its own, because vendors'
// scripts must never share an origin with the console. It keeps nothing: cart,
// order and name live in the visitor's cookies. It knows no settings and no
// bundle: it is handed the snippet's HTML.
package demo

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
)

// Config is what the shop is told.
type Config struct {
	// Snippet gives the HTML to paste into each page's head. It is asked for
	// every page, so that a new key or address shows at once, and is trusted
	// as it is. Nil pastes nothing.
	Snippet func() string
	// ConsoleURL is where the strip on each page leads; empty hides the link.
	ConsoleURL string
	Logger     *slog.Logger // nil discards
}

//go:embed pages assets
var files embed.FS

// shop holds what every request needs: immutable after New.
type shop struct {
	cfg   Config
	pages map[string]*template.Template
}

// New builds the shop. The handler is safe for concurrent use and starts no
// goroutine.
func New(cfg Config) (http.Handler, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Snippet == nil {
		cfg.Snippet = func() string { return "" }
	}
	s := &shop{cfg: cfg, pages: map[string]*template.Template{}}
	shared, err := template.New("").Funcs(functions).ParseFS(files, "pages/layout.html", "pages/art.html")
	if err != nil {
		return nil, fmt.Errorf("demo: parse templates: %w", err)
	}
	for _, name := range []string{"home", "product", "cart", "checkout", "thanks", "account", "missing"} {
		page, err := template.Must(shared.Clone()).ParseFS(files, "pages/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("demo: parse page %s: %w", name, err)
		}
		s.pages[name] = page
	}
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		return nil, fmt.Errorf("demo: open assets: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(assets)))
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /products/{slug}", s.product)
	mux.HandleFunc("GET /cart", s.cart)
	mux.HandleFunc("POST /cart", s.changeCart)
	mux.HandleFunc("GET /checkout", s.checkout)
	mux.HandleFunc("POST /checkout", s.order)
	mux.HandleFunc("GET /thanks", s.thanks)
	mux.HandleFunc("GET /account", s.account)
	mux.HandleFunc("POST /account", s.changeAccount)
	mux.HandleFunc("/", s.missing)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// The snippet and the assets may change with the next start.
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		mux.ServeHTTP(w, r)
	}), nil
}

// page is what every template gets.
type page struct {
	Title      string
	Path       string
	Snippet    template.HTML
	ConsoleURL string
	Shopper    string // empty: nobody is signed in
	CartCount  int
	// Event is sent once the page has loaded; nil sends none.
	Event *event
	Body  any
}

// event is what shop.js is told, in data attributes, to hand to analytics.track.
type event struct {
	Name       string
	Properties map[string]any
	// Once names the occasion, so that a reload does not repeat it.
	Once string
}

func (s *shop) show(w http.ResponseWriter, r *http.Request, status int, name, title string, e *event, body any) {
	p := page{
		Title: title, Path: r.URL.Path, ConsoleURL: s.cfg.ConsoleURL,
		Snippet: template.HTML(s.cfg.Snippet()), // ours, not the visitor's
		Shopper: cookie(r, shopperCookie), CartCount: readCart(r).count(),
		Event: e, Body: body,
	}
	// Whole first: half a page is worse than an error.
	var out bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&out, "layout", p); err != nil {
		s.cfg.Logger.Error("demo page not rendered", "page", name, "err", err)
		http.Error(w, "this page could not be rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the visitor left; nobody is there to tell
}
