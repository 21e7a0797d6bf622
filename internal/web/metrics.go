package web

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one server. Children are resolved once, so that observing a
// request is a few atomic adds and no allocation.
type metrics struct {
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	panics    prometheus.Counter
	malformed prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, conns func() int) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tagmill_web_requests_total", Help: "Requests by route and status class.",
		}, []string{"route", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tagmill_web_request_seconds", Help: "Time from a whole request to its prepared answer, by route.",
			Buckets: []float64{.00001, .0001, .001, .005, .02, .1, .5, 2},
		}, []string{"route"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tagmill_web_panics_total", Help: "Requests answered 500 because their handler panicked.",
		}),
		malformed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tagmill_web_malformed_total", Help: "Requests that could not be read: malformed, too large or too slow.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.seconds, m.panics, m.malformed, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tagmill_web_connections", Help: "Open connections.",
		}, func() float64 { return float64(conns()) }))
	}
	return m
}

type routeMetrics struct {
	classes [5]prometheus.Counter // 1xx to 5xx
	seconds prometheus.Observer
}

func (m metrics) of(route string) *routeMetrics {
	r := &routeMetrics{seconds: m.seconds.WithLabelValues(route)}
	for i, class := range []string{"1xx", "2xx", "3xx", "4xx", "5xx"} {
		r.classes[i] = m.requests.WithLabelValues(route, class)
	}
	return r
}

func (r *routeMetrics) observe(status int, took time.Duration) {
	r.classes[min(max(status/100-1, 0), 4)].Inc()
	r.seconds.Observe(took.Seconds())
}
