package disk

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

// faultyDisk fails what broken says, once it is on.
type faultyDisk struct {
	on     atomic.Bool
	after  atomic.Int64 // operations on the write-ahead log after the first failure
	failed atomic.Bool
	broken func(op errorfs.Op) error
}

func (d *faultyDisk) String() string { return "faulty disk" }

func (d *faultyDisk) MaybeError(op errorfs.Op) error {
	if !d.on.Load() {
		return nil
	}
	if d.failed.Load() && strings.HasSuffix(op.Path, ".log") && op.Kind != errorfs.OpFileClose {
		d.after.Add(1)
	}
	err := d.broken(op)
	if err != nil {
		d.failed.Store(true)
	}
	return err
}

func onWAL(err error, kinds ...errorfs.OpKind) func(errorfs.Op) error {
	return func(op errorfs.Op) error {
		for _, k := range kinds {
			if op.Kind == k && strings.HasSuffix(op.Path, ".log") {
				return err
			}
		}
		return nil
	}
}

// A flush that fails is never tried again and nothing is acknowledged after it;
// what was acknowledged before is there after a restart.
func TestFailedFlushEndsTheLog(t *testing.T) {
	for name, broken := range map[string]func(errorfs.Op) error{
		"flush fails": onWAL(syscall.EIO, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpFileFlush),
		"disk full":   onWAL(syscall.ENOSPC, errorfs.OpFileWrite),
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			disk := &faultyDisk{broken: broken}
			l, err := Open(t.Context(), Options{Dir: "/log", FS: errorfs.Wrap(mem, disk)})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Append(t.Context(), logtest.Records(0, 5)); err != nil {
				t.Fatal(err)
			}
			_, end, _ := l.Bounds(t.Context())
			reader := make(chan error)
			go func() {
				_, err := l.Read(t.Context(), end, 1)
				reader <- err
			}()

			disk.on.Store(true)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if err := l.Append(t.Context(), logtest.Records(5, 1)); !errors.Is(err, eventlog.ErrUnavailable) {
						t.Errorf("append: got %v, want ErrUnavailable", err)
					}
				})
			}
			wg.Wait()
			if err := <-reader; !errors.Is(err, eventlog.ErrUnavailable) {
				t.Errorf("waiting reader: got %v, want ErrUnavailable", err)
			}
			disk.on.Store(false) // the disk is well again; the log is not
			if err := l.Append(t.Context(), logtest.Records(6, 1)); !errors.Is(err, eventlog.ErrUnavailable) || !strings.Contains(err.Error(), "restart") {
				t.Errorf("append afterwards: %v", err)
			}
			if err := l.SetCursor(t.Context(), "a", end); !errors.Is(err, eventlog.ErrUnavailable) {
				t.Errorf("set cursor: %v", err)
			}
			l.Stats()
			if err := l.Close(); !errors.Is(err, eventlog.ErrUnavailable) {
				t.Errorf("close: %v", err)
			}
			if n := disk.after.Load(); n > 3 {
				t.Errorf("%d operations on the failed write-ahead log", n)
			}

			after := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, 1))})
			l, err = Open(t.Context(), Options{Dir: "/log", FS: after})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			got, err := logtest.All(t.Context(), l)
			if err != nil || len(got) < 5 {
				t.Fatalf("after the restart: %d records, %v", len(got), err)
			}
			// Those that were refused may be there all the same, all of one group.
			for i, r := range got {
				if err := logtest.Same(r, logtest.Record(min(i, 5))); err != nil {
					t.Fatalf("offset %d: %v", i, err)
				}
			}
		})
	}
}

// Pebble's own goroutines end the log as well when they cannot go on.
func TestFailedManifestEndsTheLog(t *testing.T) {
	mem := vfs.NewCrashableMem()
	disk := &faultyDisk{broken: func(op errorfs.Op) error {
		if strings.Contains(op.Path, "MANIFEST") && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			return syscall.EIO
		}
		return nil
	}}
	l, err := Open(t.Context(), Options{Dir: "/log", FS: errorfs.Wrap(mem, disk), memTableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	disk.on.Store(true)
	acked := 0
	for ; err == nil; acked++ {
		err = l.Append(t.Context(), logtest.Records(acked, 1))
	}
	acked--
	if !errors.Is(err, eventlog.ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	if err := l.Close(); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Fatalf("close: %v", err)
	}
	got, err := reopen(t, mem.CrashClone(vfs.CrashCloneCfg{}))
	if err != nil || len(got) < acked {
		t.Fatalf("after the restart: %d of %d records, %v", len(got), acked, err)
	}
}
