package disk

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

// smallDisk says how much of it is free.
type smallDisk struct {
	vfs.FS
	free uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free, TotalBytes: 1 << 40, UsedBytes: 1<<40 - d.free}, nil
}

// A log is not opened where Pebble could not move its write-ahead log to
// tables: it would never come back from trying.
func TestOpenOnAFullDisk(t *testing.T) {
	disk := &smallDisk{FS: vfs.NewMem(), free: 1 << 40}
	l, err := Open(t.Context(), Options{Dir: "/log", FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), logtest.Records(0, 5)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	disk.free = 1 << 20
	for _, want := range []string{"/log", "the disk is full", "1 MB", "free some space"} {
		if _, err := Open(t.Context(), Options{Dir: "/log", FS: disk}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	disk.free = 1 << 40
	if l, err = Open(t.Context(), Options{Dir: "/log", FS: disk}); err != nil {
		t.Fatal(err)
	}
	if _, end, err := l.Bounds(t.Context()); err != nil || end == "" {
		t.Errorf("end %q, %v", end, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
