//go:build !race

package events

import "testing"

func TestDecodingAsksForNoMemory(t *testing.T) {
	single, batch := []byte(browserEvent), batchOf(20, browserEvent)
	var b Batch
	out := make([]byte, 0, 64<<10)
	for name, f := range map[string]func() error{
		"one event": func() error { return b.Decode(single, Track, DefaultLimits) },
		"a batch":   func() error { return b.Decode(batch, "", DefaultLimits) },
	} {
		allocs := testing.AllocsPerRun(200, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
			out = out[:0]
			for i := range b.Events {
				out = b.AppendEvent(out, &b.Events[i], &benchStamp)
			}
			Key("wk", b.Events[0].AnonymousID, nil, nil)
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
