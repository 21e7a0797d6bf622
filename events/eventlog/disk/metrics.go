package disk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tagmill/tagmill/events/eventlog"
)

// metrics are tagmill_eventlog_*. Without a registerer they are counted for nobody.
type metrics struct {
	registerer    prometheus.Registerer
	collectors    []prometheus.Collector
	appendSeconds prometheus.Histogram
	commitSeconds prometheus.Histogram
	groupRecords  prometheus.Histogram
	records       prometheus.Counter
	blockBytes    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, l *Log) (*metrics, error) {
	seconds := prometheus.ExponentialBuckets(0.0001, 2, 16) // 0.1 ms to 3.3 s
	m := &metrics{
		registerer: reg,
		appendSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tagmill_eventlog_append_seconds",
			Help: "From the call of Append until its records are durable.", Buckets: seconds}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tagmill_eventlog_commit_seconds",
			Help: "Of one group: packing, writing and flushing to disk.", Buckets: seconds}),
		groupRecords: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tagmill_eventlog_group_records",
			Help: "Records made durable by one flush.", Buckets: prometheus.ExponentialBuckets(1, 4, 8)}),
		records: prometheus.NewCounter(prometheus.CounterOpts{Name: "tagmill_eventlog_records_total",
			Help: "Records made durable."}),
		blockBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "tagmill_eventlog_block_bytes_total",
			Help: "Bytes of blocks written, after compression."}),
	}
	m.collectors = []prometheus.Collector{m.appendSeconds, m.commitSeconds, m.groupRecords, m.records, m.blockBytes,
		gauge("tagmill_eventlog_bytes", "Physical bytes on disk.", func() float64 { return float64(l.budget.state().used) }),
		gauge("tagmill_eventlog_budget_bytes", "Physical bytes allowed; 0 when nothing bounds them.", func() float64 { return float64(l.budget.state().limit) }),
		gauge("tagmill_eventlog_full", "1 when appends are refused for lack of space.", func() float64 { return number(l.budget.state().full) }),
		gauge("tagmill_eventlog_failed", "1 when the log accepts nothing until a restart.", func() float64 { return number(l.failed() != nil) }),
	}
	if reg == nil {
		return m, nil
	}
	for i, c := range m.collectors {
		if err := reg.Register(c); err != nil {
			m.collectors = m.collectors[:i]
			m.unregister()
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func gauge(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m *metrics) unregister() {
	if m.registerer == nil {
		return
	}
	for _, c := range m.collectors {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) committed(records uint32, bytes int, took time.Duration) {
	m.commitSeconds.Observe(took.Seconds())
	m.groupRecords.Observe(float64(records))
	m.records.Add(float64(records))
	m.blockBytes.Add(float64(bytes))
}

// Stats implements eventlog.Log. It may read one block.
func (l *Log) Stats() eventlog.Stats {
	b := l.budget.state()
	l.mu.Lock()
	s := eventlog.Stats{
		Records: l.appended, Bytes: b.used, Budget: b.limit, Left: b.left,
		BytesPerHour: b.perHour, Full: b.full,
	}
	oldest, end := l.oldest, l.end
	for name, at := range l.cursors {
		s.Cursors = append(s.Cursors, eventlog.CursorStats{Name: name, Lag: end - max(at, oldest)})
	}
	usable := l.beginLocked() == nil
	l.mu.Unlock()
	slices.SortFunc(s.Cursors, func(a, b eventlog.CursorStats) int { return strings.Compare(a.Name, b.Name) })
	if !usable {
		return s
	}
	defer l.using.Done()
	if oldest < end {
		at, err := l.appendTimeAt(oldest)
		if err != nil && !errors.Is(err, eventlog.ErrTrimmed) {
			l.opts.Logger.Warn("age of the oldest record is not known", "dir", l.opts.Dir, "err", err)
		}
		s.Oldest = at
	}
	return s
}

func (l *Log) appendTimeAt(offset int64) (time.Time, error) {
	it, err := l.store.db.NewIter(nil)
	if err != nil {
		return time.Time{}, err
	}
	defer it.Close()
	h, _, err := blockAt(it, offset)
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMicro(h.appendTime).UTC(), nil
}
