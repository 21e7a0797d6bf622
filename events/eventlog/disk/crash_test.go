package disk

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

// machine is a computer whose disk drops what was not flushed.
type machine struct {
	fs     *crashFS
	noSync bool
}

func newMachine(noSync bool) machine {
	return machine{fs: &crashFS{MemFS: vfs.NewCrashableMem()}, noSync: noSync}
}

func (m machine) Open() (eventlog.Log, error) {
	return Open(context.Background(), Options{Dir: "/data/log", FS: m.fs, noSync: m.noSync, memTableBytes: 64 << 10})
}

func (m machine) Cut(rng *rand.Rand) logtest.Machine {
	// Nothing, something or all of what was not flushed may have reached the disk.
	percent := []int{0, 0, 20, 50, 90, 100}[rng.IntN(6)]
	m.fs = m.fs.cut(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
	return m
}

// crashFS keeps power cuts out of the two operations in which MemFS takes its
// read lock twice, which deadlocks when a cut wants the lock in between.
type crashFS struct {
	*vfs.MemFS
	twice sync.Mutex
}

func (f *crashFS) cut(cfg vfs.CrashCloneCfg) *crashFS {
	f.twice.Lock()
	defer f.twice.Unlock()
	return &crashFS{MemFS: f.MemFS.CrashClone(cfg)}
}

// Lock implements vfs.FS.
func (f *crashFS) Lock(name string) (io.Closer, error) {
	f.twice.Lock()
	defer f.twice.Unlock()
	return f.MemFS.Lock(name)
}

// ReuseForWrite implements vfs.FS.
func (f *crashFS) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f.twice.Lock()
	defer f.twice.Unlock()
	return f.MemFS.ReuseForWrite(from, to, category)
}

func TestPowerCuts(t *testing.T) {
	const runs = 4
	for run := range runs {
		if err := logtest.PowerCuts(uint64(run), powerCuts/runs, newMachine(false)); err != nil {
			t.Fatal(err)
		}
	}
}

// A log that answers before its flush must not pass.
func TestPowerCutsCatchALogThatDoesNotSync(t *testing.T) {
	for seed := range uint64(5) {
		err := logtest.PowerCuts(seed, 200, newMachine(true))
		if err == nil {
			t.Fatalf("seed %d: 200 power cuts went unnoticed", seed)
		}
		t.Log(err)
	}
}
