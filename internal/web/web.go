// Package web is a public HTTP/1.1 listener on fasthttp: routes by path
// prefix, time-outs and limits, a certificate that is reloaded, health
// answers, metrics and an orderly end. It knows no product: what the routes
// serve is handed to it.
package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
)

// Config is what a Server is made of. Zero fields take the defaults named.
type Config struct {
	// Addr is host:port; port 0 takes a free one.
	Addr string
	// AddrFlag is the name of the setting behind Addr, for errors: "--edge".
	AddrFlag string
	// CertFile and KeyFile switch TLS on. They are read again when they
	// change; a bad new pair is logged once and the old one kept.
	CertFile, KeyFile string
	// Prefix is a path under which all routes are mounted, such as "/t";
	// handlers see paths without it. Health answers stay at the root.
	Prefix string
	// Ready says why the process cannot serve yet; nil is ready.
	Ready func() error
	// AccessLog logs each request at level Info.
	AccessLog bool

	Limits     Limits
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Limits bound what clients may take.
type Limits struct {
	MaxHeaderBytes int // request line and header: default 16 KiB
	MaxBodyBytes   int // default 640 KiB
	MaxConns       int // default 65,536
	MaxConnsPerIP  int // default 0: no limit. It costs a little on every answer.

	// RequestTimeout bounds one exchange, from the first byte of a request to
	// the last of its answer; and the wait for the first byte on a new
	// connection. Default 30 s. Both are kept to within two seconds; a
	// connection that takes longer is closed.
	RequestTimeout time.Duration
	IdleTimeout    time.Duration // between requests: default 75 s

	// DrainDelay is how long readyz says 503 before the listener closes, so
	// that a load balancer can notice. Default 0.
	DrainDelay time.Duration
	// DrainTimeout bounds the wait for requests in flight: default 10 s.
	DrainTimeout time.Duration
}

// Route gives every path that begins with Prefix to a handler; the longest
// prefix wins. Name labels its metrics and logs.
type Route struct {
	Prefix  string
	Name    string
	Handler fasthttp.RequestHandler
}

// Server is one listener. Use it as New, Listen, Run.
type Server struct {
	cfg      Config
	routes   []route // longest prefix first
	fallback route   // what no route is for
	http     *fasthttp.Server
	cert     *certificate // nil without TLS
	metrics  metrics
	draining atomic.Bool

	conns conns

	ln net.Listener // set by Listen
}

// New checks the configuration and reads the certificate. It opens no socket.
func New(cfg Config, routes ...Route) (*Server, error) {
	cfg.setDefaults()
	if p := cfg.Prefix; p != "" && (p[0] != '/' || p[len(p)-1] == '/') {
		return nil, fmt.Errorf("path prefix %q: must start with a slash and not end with one", p)
	}
	s := &Server{cfg: cfg}
	s.conns.set(cfg.Limits, time.Second)
	s.metrics = newMetrics(cfg.Registerer, s.conns.count)
	if (cfg.CertFile == "") != (cfg.KeyFile == "") {
		return nil, errors.New("TLS needs both a certificate file and a key file, and was given one of them")
	}
	if cfg.CertFile != "" {
		var err error
		if s.cert, err = loadCertificate(cfg.CertFile, cfg.KeyFile, cfg.Logger); err != nil {
			return nil, err
		}
	}
	for _, r := range routes {
		if r.Prefix == "" || r.Prefix[0] != '/' || r.Handler == nil || r.Name == "" {
			return nil, fmt.Errorf("route %q: needs a name, a handler and a prefix that starts with a slash", r.Prefix)
		}
		if slices.ContainsFunc(s.routes, func(o route) bool { return o.Prefix == r.Prefix }) {
			return nil, fmt.Errorf("route %q: registered twice", r.Prefix)
		}
		s.routes = append(s.routes, route{r, s.metrics.of(r.Name)})
	}
	slices.SortStableFunc(s.routes, func(a, b route) int { return len(b.Prefix) - len(a.Prefix) })
	s.fallback = route{Route{Name: "none", Handler: notFound}, s.metrics.of("none")}
	l := cfg.Limits
	s.http = &fasthttp.Server{
		Handler:      s.handle,
		ErrorHandler: s.badRequest,
		ConnState:    s.conns.changed,
		Logger:       serverLog{cfg.Logger},

		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true, // bodies are data, never forms
		SecureErrorLogMessage:        true, // no request bytes in logs
		CloseOnShutdown:              true,

		Concurrency:        l.MaxConns,
		MaxConnsPerIP:      l.MaxConnsPerIP,
		ReadBufferSize:     l.MaxHeaderBytes,
		WriteBufferSize:    writeBufferBytes,
		MaxRequestBodySize: l.MaxBodyBytes,
	}
	return s, nil
}

// writeBufferBytes holds headers and small bodies; what does not fit is sent
// with them in one writev, without a copy.
const writeBufferBytes = 4 << 10

func (c *Config) setDefaults() {
	l := &c.Limits
	for _, d := range []struct {
		field *int
		value int
	}{{&l.MaxHeaderBytes, 16 << 10}, {&l.MaxBodyBytes, 640 << 10}, {&l.MaxConns, 1 << 16}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&l.RequestTimeout, 30 * time.Second}, {&l.IdleTimeout, 75 * time.Second}, {&l.DrainTimeout, 10 * time.Second}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.AddrFlag == "" {
		c.AddrFlag = "the listen address"
	}
}

// Listen opens the socket. From then on clients may connect; they are
// answered once Run runs.
func (s *Server) Listen() error {
	ln, err := net.Listen("tcp", s.cfg.Addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: the port is in use; stop the process that has it, or choose another with %s: %w", s.cfg.Addr, s.cfg.AddrFlag, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: no interface of this machine has that address; correct %s: %w", s.cfg.Addr, s.cfg.AddrFlag, err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("listen on %s: ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); grant it, or choose another with %s: %w", s.cfg.Addr, s.cfg.AddrFlag, err)
	case err != nil:
		return fmt.Errorf("listen on %s: %s is host:port: %w", s.cfg.Addr, s.cfg.AddrFlag, err)
	}
	s.ln = ln
	return nil
}

// Addr is the address listened on, after Listen.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// URL is the root of the listener for a client on this machine, after
// Listen: "http://127.0.0.1:8080".
func (s *Server) URL() string {
	scheme := "http"
	if s.cert != nil {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(s.ln.Addr().String())
	if err != nil {
		return scheme + "://" + s.ln.Addr().String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Run serves until ctx ends, then drains: readyz says 503, the listener
// closes, idle connections close, requests in flight are finished, and what
// is not finished at the deadline is cut. It returns nil after an orderly
// end, when every goroutine of the server has ended or been cut off.
func (s *Server) Run(ctx context.Context) error {
	if s.ln == nil {
		return errors.New("run: Listen was not called")
	}
	ln := s.ln
	var helpers sync.WaitGroup
	helping, stopHelping := context.WithCancel(context.WithoutCancel(ctx))
	defer helpers.Wait()
	defer stopHelping()
	// Closes what takes too long, to the very end.
	helpers.Go(func() { s.conns.sweep(helping) })
	if s.cert != nil {
		ln = tls.NewListener(ln, s.cert.config())
		// Reloads the certificate.
		helpers.Go(func() { s.cert.watch(helping) })
	}
	served := make(chan error, 1)
	// Accepts until the listener closes; its result is awaited below.
	go func() { served <- s.http.Serve(ln) }()

	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", s.cfg.Addr, cmp.Or(err, errors.New("the listener closed")))
	case <-ctx.Done():
		s.drain(ln)
		<-served
		return nil
	}
}

func (s *Server) drain(ln net.Listener) {
	s.draining.Store(true)
	if d := s.cfg.Limits.DrainDelay; d > 0 {
		timer := time.NewTimer(d)
		<-timer.C
	}
	deadline, cancel := context.WithTimeout(context.Background(), s.cfg.Limits.DrainTimeout)
	defer cancel()
	if err := s.http.ShutdownWithContext(deadline); err != nil {
		s.cfg.Logger.Warn("connections cut: requests were still in flight when the drain time ended",
			"connections", s.conns.closeIf(func(int64) bool { return true }), "after", s.cfg.Limits.DrainTimeout, "err", err)
		// Their goroutines end as they notice; a handler that is stuck is left.
		soon, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.http.ShutdownWithContext(soon)
	}
	// Shutdown does not know a listener that Serve has not taken up yet.
	_ = ln.Close() // closed twice is no mistake
}

// serverLog turns what fasthttp says about connections into log records.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Printf(format string, args ...any) {
	l.log.Debug(strings.TrimSpace(fmt.Sprintf(format, args...)), "from", "fasthttp")
}
