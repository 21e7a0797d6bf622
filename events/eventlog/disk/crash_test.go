package disk

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

// machine is a computer whose disk drops what was not flushed.
type machine struct {
	fs     *vfs.MemFS
	noSync bool
}

func (m machine) Open() (eventlog.Log, error) {
	return Open(context.Background(), Options{Dir: "/data/log", FS: m.fs, noSync: m.noSync, memTableBytes: 64 << 10})
}

func (m machine) Cut(rng *rand.Rand) logtest.Machine {
	// Nothing, something or all of what was not flushed may have reached the disk.
	percent := []int{0, 0, 20, 50, 90, 100}[rng.IntN(6)]
	m.fs = m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
	return m
}

func TestPowerCuts(t *testing.T) {
	const runs = 4
	for run := range runs {
		if err := logtest.PowerCuts(uint64(run), powerCuts/runs, machine{fs: vfs.NewCrashableMem()}); err != nil {
			t.Fatal(err)
		}
	}
}

// A log that answers before its flush must not pass.
func TestPowerCutsCatchALogThatDoesNotSync(t *testing.T) {
	for seed := range uint64(5) {
		err := logtest.PowerCuts(seed, 200, machine{fs: vfs.NewCrashableMem(), noSync: true})
		if err == nil {
			t.Fatalf("seed %d: 200 power cuts went unnoticed", seed)
		}
		t.Log(err)
	}
}
