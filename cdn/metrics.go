package cdn

import "github.com/prometheus/client_golang/prometheus"

// counts are resolved once, so that counting a hit is one atomic add.
type counts struct {
	ok, notModified, unknownKey, notFound, unavailable prometheus.Counter
	lookupFailures                                     prometheus.Counter
}

func newCounts(reg prometheus.Registerer, keys func() int) counts {
	answers := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tagmill_cdn_answers_total", Help: "Answers of the origin by outcome.",
	}, []string{"outcome"})
	c := counts{
		ok:          answers.WithLabelValues("ok"),
		notModified: answers.WithLabelValues("not_modified"),
		unknownKey:  answers.WithLabelValues("unknown_key"),
		notFound:    answers.WithLabelValues("not_found"),
		unavailable: answers.WithLabelValues("unavailable"),
		lookupFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tagmill_cdn_lookup_failures_total", Help: "Look-ups that failed, unknown names not counted.",
		}),
	}
	if reg != nil {
		reg.MustRegister(answers, c.lookupFailures, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "tagmill_cdn_keys", Help: "Write keys served from memory.",
		}, func() float64 { return float64(keys()) }))
	}
	return c
}
