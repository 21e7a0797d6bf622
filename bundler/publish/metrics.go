package publish

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	bundles    *prometheus.CounterVec // result: built, reused
	failures   prometheus.Counter
	flipToLive prometheus.Histogram
	step       *prometheus.HistogramVec // step: build, check, store, finish
}

// newMetrics registers the metrics; count tells how many sources are in a state,
// asked at each scrape.
func newMetrics(r prometheus.Registerer, count func(State) float64) (*metrics, error) {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .08, .1, .25, .5, 1, 2.5, 10}
	m := &metrics{
		bundles:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tagmill_publish_bundles_total", Help: "Bundles gone live, by where they came from."}, []string{"result"}),
		failures:   prometheus.NewCounter(prometheus.CounterOpts{Name: "tagmill_publish_failures_total", Help: "Attempts to make a revision live that ended in an error."}),
		flipToLive: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tagmill_publish_flip_to_live_seconds", Help: "From the news of a revision to its bytes being served.", Buckets: buckets}),
		step:       prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tagmill_publish_step_seconds", Help: "Time of each step of going live.", Buckets: buckets}, []string{"step"}),
	}
	if r == nil {
		return m, nil
	}
	collectors := []prometheus.Collector{m.bundles, m.failures, m.flipToLive, m.step}
	for _, state := range []State{StateLive, StateBuilding, StateFailed} {
		collectors = append(collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tagmill_publish_sources", Help: "Sources by the state of their newest revision.",
			ConstLabels: prometheus.Labels{"state": string(state)},
		}, func() float64 { return count(state) }))
	}
	var errs error
	for _, c := range collectors {
		errs = errors.Join(errs, r.Register(c))
	}
	if errs != nil {
		return nil, fmt.Errorf("register the metrics of publish: %w", errs)
	}
	return m, nil
}
