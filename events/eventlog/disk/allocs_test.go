//go:build !race

package disk

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

// What an Append allocates does not depend on how many records it brings: the
// group and its channel, and what Pebble's commit takes.
func TestAppendAllocations(t *testing.T) {
	for _, n := range []int{1, 100} {
		l := open(t, Options{Dir: "/log", FS: vfs.NewMem()})
		records := logtest.Records(0, n)
		got := testing.AllocsPerRun(500, func() {
			if err := l.Append(t.Context(), records); err != nil {
				t.Fatal(err)
			}
		})
		if got > 12 {
			t.Errorf("%d records: %v allocations", n, got)
		}
	}
}
