package collector

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/tagmill/tagmill/events"
	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/memory"
	"github.com/valyala/fasthttp"
)

const key = "dQ3kT0pYwXlq8m5nB2vC7rZs"

// sources are settings as a test wants them.
type sources struct {
	byKey map[string]Source
	stale atomic.Bool
}

func (s *sources) Source(writeKey string) (Source, bool) {
	src, ok := s.byKey[writeKey]
	return src, ok
}

func (s *sources) Fresh() bool { return !s.stale.Load() }

// rig is a collector with everything around it.
type rig struct {
	*Collector
	t       testing.TB
	log     *memory.Log
	sources *sources
	reg     *prometheus.Registry
	now     time.Time
	fail    error // what Append answers
}

func newRig(t testing.TB, source Source, changes ...func(*Config)) *rig {
	t.Helper()
	if source.ID == "" {
		source.ID = "src-1"
	}
	b := &rig{t: t, reg: prometheus.NewRegistry(),
		sources: &sources{byKey: map[string]Source{key: source}},
		now:     time.Date(2026, 11, 22, 10, 0, 10, 123456789, time.UTC)}
	b.log = memory.New(memory.Options{FailAppend: func() error { return b.fail }})
	cfg := Config{
		Log: b.log, Sources: b.sources, Registerer: b.reg,
		Now:     func() time.Time { return b.now },
		Address: func(*fasthttp.RequestCtx) netip.Addr { return netip.MustParseAddr("203.0.113.77") },
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, change := range changes {
		change(&cfg)
	}
	b.Collector = New(cfg)
	return b
}

// do sends one request; headers are name, value, name, value ...
func (b *rig) do(method, uri, body string, headers ...string) *fasthttp.Response {
	b.t.Helper()
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(uri)
	req.Header.SetHost("collector.example")
	req.SetBodyString(body)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Header.SetHost(headers[i+1])
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, nil)
	b.Handle(&ctx)
	return &ctx.Response
}

func (b *rig) post(uri, body string, headers ...string) *fasthttp.Response {
	b.t.Helper()
	return b.do("POST", uri, body, headers...)
}

// want checks status and the shape that every answer with a body has.
func (b *rig) want(res *fasthttp.Response, status int) {
	b.t.Helper()
	if res.StatusCode() != status {
		b.t.Fatalf("status %d, want %d: %s", res.StatusCode(), status, res.Body())
	}
	var answer struct {
		Success *bool
		Message string
	}
	if err := json.Unmarshal(res.Body(), &answer); err != nil || answer.Success == nil {
		b.t.Fatalf("answer %q: %v", res.Body(), err)
	}
	if ok := status == 200; *answer.Success != ok || ok == (answer.Message != "") {
		b.t.Errorf("status %d with %s", status, res.Body())
	}
}

// records are all in the log.
func (b *rig) records() []eventlog.Record {
	b.t.Helper()
	n := int(b.log.Stats().Records)
	if n == 0 {
		return nil
	}
	batch, err := b.log.Read(b.t.Context(), "", n)
	if err != nil {
		b.t.Fatal(err)
	}
	return batch.Records
}

// only is the one record in the log, its value decoded.
func (b *rig) only(kind eventlog.Kind) (eventlog.Record, map[string]any) {
	b.t.Helper()
	records := b.records()
	if len(records) != 1 || records[0].Kind != kind {
		b.t.Fatalf("records %v, want one of kind %d", brief(records), kind)
	}
	var m map[string]any
	if err := json.Unmarshal(records[0].Value, &m); err != nil {
		b.t.Fatalf("%v: %s", err, records[0].Value)
	}
	return records[0], m
}

// codes are those of the discard records.
func (b *rig) codes() []events.Code {
	b.t.Helper()
	var codes []events.Code
	for _, r := range b.records() {
		if r.Kind != eventlog.Discard {
			continue
		}
		d, err := events.ParseDiscard(r.Value)
		if err != nil {
			b.t.Fatal(err)
		}
		codes = append(codes, d.Code)
	}
	return codes
}

func brief(records []eventlog.Record) (s []string) {
	for _, r := range records {
		s = append(s, fmt.Sprintf("%d:%.300s", r.Kind, r.Value))
	}
	return s
}

func (b *rig) count(c prometheus.Counter, want float64) {
	b.t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		b.t.Fatal(err)
	}
	if got := m.GetCounter().GetValue(); got != want {
		b.t.Errorf("counted %v, want %v", got, want)
	}
}

const track = `{"type":"track","event":"Signed Up","userId":"u-1","messageId":"m-1","writeKey":"` + key + `"}`
