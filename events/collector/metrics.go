package collector

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tagmill/tagmill/events"
	"github.com/valyala/fasthttp"
)

// metrics holds every series ready made, so that counting is one atomic add.
type metrics struct {
	requests      map[int]prometheus.Counter
	accepted      prometheus.Counter
	discarded     map[events.Code]prometheus.Counter
	repaired      struct{ text, duplicates, ids, times prometheus.Counter }
	unknown       struct{ stored, overBudget, notStored prometheus.Counter }
	append        prometheus.Histogram
	clientReports prometheus.Counter
	pixels        struct{ accepted, failed prometheus.Counter }
	csp           *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, inFlight func() float64) *metrics {
	m := &metrics{requests: map[int]prometheus.Counter{}, discarded: map[events.Code]prometheus.Counter{}}
	var all []prometheus.Collector
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tagmill_collector_" + name, Help: help}, labels)
		all = append(all, v)
		return v
	}

	requests := vec("requests_total", "Requests answered, by status.", "status")
	for _, status := range []int{
		fasthttp.StatusOK, fasthttp.StatusNoContent, fasthttp.StatusBadRequest, fasthttp.StatusNotFound,
		fasthttp.StatusMethodNotAllowed, fasthttp.StatusTooManyRequests, fasthttp.StatusServiceUnavailable,
	} {
		m.requests[status] = requests.WithLabelValues(strconv.Itoa(status))
	}
	m.accepted = vec("events_accepted_total", "Events made durable.").WithLabelValues()
	discarded := vec("events_discarded_total", "Events discarded, by code.", "code")
	for _, code := range events.Codes() {
		m.discarded[code] = discarded.WithLabelValues(string(code))
	}
	repaired := vec("repairs_total", "What was put right in bodies, by kind.", "kind")
	m.repaired.text = repaired.WithLabelValues("text")
	m.repaired.duplicates = repaired.WithLabelValues("duplicate_name")
	m.repaired.ids = repaired.WithLabelValues("id")
	m.repaired.times = repaired.WithLabelValues("timestamp")
	unknown := vec("unknown_key_events_total", "Events with an unknown write key, by what became of them.", "outcome")
	m.unknown.stored = unknown.WithLabelValues("stored")
	m.unknown.overBudget = unknown.WithLabelValues("over_budget")
	m.unknown.notStored = unknown.WithLabelValues("not_stored")
	m.clientReports = vec("client_reports_total", "Posts to /v1/m.").WithLabelValues()
	pixels := vec("pixels_total", "Pixels answered, by whether their event was made durable.", "outcome")
	m.pixels.accepted = pixels.WithLabelValues("accepted")
	m.pixels.failed = pixels.WithLabelValues("failed")
	m.csp = vec("csp_violations_total", "Content Security Policy violations reported by pages.", "directive", "blocked")

	m.append = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "tagmill_collector_append_seconds",
		Help:    "How long the log took to make one request's events durable.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
	})
	all = append(all, m.append, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tagmill_collector_in_flight_bytes",
		Help: "Bytes of the bodies being worked on.",
	}, inFlight))
	if reg != nil {
		reg.MustRegister(all...)
	}
	return m
}

func (m *metrics) request(status int) {
	if c := m.requests[status]; c != nil {
		c.Inc()
	}
}

func (m *metrics) repairs(r events.Repairs) {
	if r == (events.Repairs{}) {
		return
	}
	m.repaired.text.Add(float64(r.Text))
	m.repaired.duplicates.Add(float64(r.Duplicates))
	m.repaired.ids.Add(float64(r.IDs))
	m.repaired.times.Add(float64(r.Times))
}
