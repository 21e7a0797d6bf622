package collector

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net"
	"testing"
	"time"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/valyala/fasthttp"
	analytics "gopkg.in/segmentio/analytics-go.v3"
)

// serve puts a collector behind a real socket and returns its address.
func (b *rig) serve() string {
	b.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	server := &fasthttp.Server{Handler: b.Handle, MaxRequestBodySize: 1 << 20, Logger: log.New(io.Discard, "", 0)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }() // ends when the test shuts the server down
	b.t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			b.t.Error(err)
		}
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	})
	return l.Addr().String()
}

// outcomes of Segment's Go client, which calls back from its own goroutines.
type outcomes struct{ failed chan error }

func (o outcomes) Success(analytics.Message)            {}
func (o outcomes) Failure(_ analytics.Message, e error) { o.failed <- e }

func TestSegmentsGoClient(t *testing.T) {
	b := newRig(t, Source{})
	failed := make(chan error, 1000)
	client, err := analytics.NewWithConfig(key, analytics.Config{
		Endpoint: "http://" + b.serve(),
		Callback: outcomes{failed},
		Logger:   analytics.StdLogger(log.New(io.Discard, "", 0)),
	})
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]analytics.Message{
		"track":    analytics.Track{UserId: "u", Event: "Signed Up", Properties: analytics.NewProperties().Set("plan", "pro")},
		"identify": analytics.Identify{UserId: "u", Traits: analytics.NewTraits().SetEmail("a@example.com")},
		"page":     analytics.Page{AnonymousId: "a", Name: "Home"},
		"screen":   analytics.Screen{UserId: "u", Name: "Home"},
		"group":    analytics.Group{UserId: "u", GroupId: "g"},
		"alias":    analytics.Alias{UserId: "u", PreviousId: "p"},
	}
	const rounds = 100
	for range rounds {
		for _, message := range sent {
			if err := client.Enqueue(message); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	close(failed)
	for err := range failed {
		t.Errorf("the client reports: %v", err)
	}
	types, ids := map[string]int{}, map[string]bool{}
	for _, r := range b.records() {
		var m struct {
			Type    string
			Channel string
			Context struct {
				Library struct{ Name string }
				IP      string
			}
			Timestamp, OriginalTimestamp, SentAt, ReceivedAt time.Time
		}
		if err := json.Unmarshal(r.Value, &m); err != nil {
			t.Fatal(err)
		}
		if r.Kind != eventlog.Event || m.Context.Library.Name != "analytics-go" || m.Context.IP != "" || m.Channel != "server" || m.SentAt.IsZero() {
			t.Fatalf("record of kind %d: %s", r.Kind, r.Value)
		}
		// Its clock and ours differ, as we use a clock of 2026; skew is taken out.
		if d := m.ReceivedAt.Sub(m.Timestamp) - m.SentAt.Sub(m.OriginalTimestamp); d.Abs() > 2*time.Millisecond {
			t.Errorf("skew of %v left: %s", d, r.Value)
		}
		types[m.Type]++
		ids[r.MessageID] = true
	}
	for name := range sent {
		if types[name] != rounds {
			t.Errorf("%d of type %s", types[name], name)
		}
	}
	if len(ids) != rounds*len(sent) {
		t.Errorf("%d messageIds", len(ids))
	}
}

// FuzzHandle sends rubbish through a real connection: whatever comes, there is
// an answer that is one, and the next request is served.
func FuzzHandle(f *testing.F) {
	for _, raw := range []string{
		"POST /v1/t HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic eDo=\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
		"GET /v1/pixel/track?data=eyJ1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"OPTIONS /v1/t HTTP/1.1\r\nHost: x\r\nOrigin: null\r\nAccess-Control-Request-Headers: a,,b;\x80\r\n\r\n",
		"POST /v1/csp HTTP/1.1\r\nHost: \r\nContent-Length: 19\r\n\r\n{\"csp-report\":null}",
		"POST /v1/t HTTP/1.1\r\nHost: a.b\r\nOrigin: https://a.b\r\nCookie: ajs_anonymous_id=%\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"3b\r\n{\"writeKey\":\"" + key + "\",\"batch\":[0]}\r\n0\r\n\r\n",
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := newRig(t, Source{RefreshIDCookie: true, EventsPerSecond: 5, AllowedOrigins: []string{"https://*.a"}})
		if len(raw)%2 == 1 {
			b.sources.stale.Store(true)
		}
		server := &fasthttp.Server{Handler: b.Handle, MaxRequestBodySize: 1 << 20, Logger: log.New(io.Discard, "", 0)}
		conn := &script{in: bytes.NewReader(raw)}
		// ServeConn runs in this goroutine: a panic is the test's.
		_ = server.ServeConn(conn) // refusing what is not HTTP is an error, and right
		for _, r := range b.records() {
			if !json.Valid(r.Value) {
				t.Errorf("stored %q", r.Value)
			}
		}
		if got := b.inFlight.Load(); got != 0 {
			t.Errorf("%d bytes in flight afterwards", got)
		}
		b.want(b.post("/v1/t", track), 200)
	})
}

// script is a connection whose other side says all it has to say and leaves.
type script struct {
	net.Conn
	in *bytes.Reader
}

func (s *script) Read(p []byte) (int, error)         { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error)        { return len(p), nil }
func (s *script) Close() error                       { return nil }
func (s *script) LocalAddr() net.Addr                { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (s *script) RemoteAddr() net.Addr               { return s.LocalAddr() }
func (s *script) SetDeadline(time.Time) error        { return nil }
func (s *script) SetReadDeadline(t time.Time) error  { return nil }
func (s *script) SetWriteDeadline(t time.Time) error { return nil }
