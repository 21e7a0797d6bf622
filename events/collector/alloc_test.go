//go:build !race

package collector

import "testing"

func TestAPostAsksForLittleMemory(t *testing.T) {
	for n, most := range map[int]float64{1: 4, 20: 4} {
		log := &sink{}
		c := newRig(t, Source{}, func(cfg *Config) { cfg.Log = log })
		ctx := browserPost(n)
		allocs := testing.AllocsPerRun(200, func() {
			ctx.Response.Reset()
			c.Handle(ctx)
		})
		if ctx.Response.StatusCode() != 200 || log.records < 200*n {
			t.Fatalf("%d: %s", ctx.Response.StatusCode(), ctx.Response.Body())
		}
		if allocs > most {
			t.Errorf("%d events: %v allocations, at most %v wanted", n, allocs, most)
		}
	}
}
