package web

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
)

func TestAPortInUseIsNamedWithTheRemedy(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for addr, wants := range map[string][]string{
		ln.Addr().String():    {ln.Addr().String(), "in use", "--edge"},
		"203.0.113.1:8080":    {"203.0.113.1:8080", "no interface", "--edge"},
		"127.0.0.1":           {"127.0.0.1", "--edge is host:port"},
		"127.0.0.1:nonsense!": {"nonsense!", "--edge is host:port"},
	} {
		s, err := New(Config{Addr: addr, AddrFlag: "--edge"})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Listen()
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q in it", addr, err, want)
			}
		}
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	h := func(*fasthttp.RequestCtx) {}
	for name, c := range map[string]struct {
		cfg    Config
		routes []Route
		want   string
	}{
		"prefix without slash": {cfg: Config{Prefix: "t"}, want: `path prefix "t"`},
		"prefix with a last":   {cfg: Config{Prefix: "/t/"}, want: `path prefix "/t/"`},
		"certificate alone":    {cfg: Config{CertFile: "x"}, want: "both"},
		"no such certificate":  {cfg: Config{CertFile: "no/such.pem", KeyFile: "no/such.key"}, want: "no/such.pem"},
		"route twice":          {routes: []Route{{"/a", "a", h}, {"/a", "b", h}}, want: `"/a": registered twice`},
		"route without slash":  {routes: []Route{{"a", "a", h}}, want: `route "a"`},
		"route without work":   {routes: []Route{{"/a", "a", nil}}, want: `route "/a"`},
	} {
		if _, err := New(c.cfg, c.routes...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "Listen") {
		t.Errorf("run without listen: %v", err)
	}
}

// running is a server whose end the test decides.
func running(t *testing.T, cfg Config, routes ...Route) (s *Server, stop context.CancelFunc, done chan error) {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	s, err := New(cfg, routes...)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done = make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, cancel, done
}

func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
	entered, leave := make(chan struct{}), make(chan struct{})
	s, stop, done := running(t, Config{}, Route{"/slow", "slow", func(ctx *fasthttp.RequestCtx) {
		entered <- struct{}{}
		<-leave
		ctx.SetBodyString("finished")
	}}, Route{"/x/", "echo", echo})

	idle, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if _, err := io.WriteString(idle, "GET /x/a HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 15)
	if _, err := io.ReadFull(idle, answer); err != nil || string(answer) != "HTTP/1.1 200 OK" {
		t.Fatalf("%q %v", answer, err)
	}

	inFlight := make(chan []string, 1)
	go func() {
		answers, closed := raw(t, s.Addr(), "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n", 1)
		if !closed {
			t.Error("the connection is kept while draining")
		}
		inFlight <- answers
	}()
	<-entered
	stop()
	// The idle connection is closed while the other is still at work.
	if _, err := io.ReadAll(idle); err != nil {
		t.Errorf("idle connection: %v", err)
	}
	if c, err := net.Dial("tcp", s.Addr().String()); err == nil {
		c.Close()
		t.Error("a draining server accepts connections")
	}
	select {
	case err := <-done:
		t.Fatalf("ended with a request in flight: %v", err)
	default:
	}
	close(leave)
	if got := <-inFlight; len(got) != 1 || got[0] != "200 finished" {
		t.Errorf("in flight: %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestReadyzSaysSoWhileDraining(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s, stop, done := running(t, Config{}, Route{"/slow", "slow", func(ctx *fasthttp.RequestCtx) {
		entered <- struct{}{}
		<-leave
	}})
	if got := get(t, s, "/readyz"); got != "200 ok\n" {
		t.Fatalf("before: %q", got)
	}
	slow := make(chan struct{})
	go func() {
		defer close(slow)
		raw(t, s.Addr(), "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n", 1)
	}()
	<-entered
	s.draining.Store(true) // what drain does first
	if got := get(t, s, "/readyz") + get(t, s, "/livez"); got != "503 draining\n200 ok\n" {
		t.Errorf("while draining: %q", got)
	}
	close(leave)
	<-slow
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestDrainCutsWhatDoesNotEnd(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s, stop, done := running(t, Config{Limits: Limits{DrainTimeout: 50 * time.Millisecond}}, Route{"/stuck", "stuck", func(ctx *fasthttp.RequestCtx) {
		entered <- struct{}{}
		<-leave
	}})
	cut := make(chan int, 1)
	go func() {
		answers, _ := raw(t, s.Addr(), "GET /stuck HTTP/1.1\r\nHost: h\r\n\r\n", 1)
		cut <- len(answers)
	}()
	<-entered
	stop()
	if n := <-cut; n != 0 {
		t.Errorf("%d answers on a connection that was cut", n)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	close(leave)
}

func TestURLIsOneThatThisMachineReaches(t *testing.T) {
	for addr, host := range map[string]string{"127.0.0.1:0": "127.0.0.1", "0.0.0.0:0": "127.0.0.1", "[::1]:0": "[::1]"} {
		s, err := New(Config{Addr: addr})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Listen(); err != nil {
			t.Logf("%s: not on this machine: %v", addr, err)
			continue
		}
		if want := "http://" + host + ":"; !strings.HasPrefix(s.URL(), want) {
			t.Errorf("%s: %s", addr, s.URL())
		}
		s.ln.Close()
	}
}
