package disk

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

// stopped is a stopped log's files in memory, so that each of many damages is
// done to a copy.
type stopped map[string][]byte

func readStopped(t *testing.T, dir string) stopped {
	t.Helper()
	s := stopped{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if s[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// with returns a file system that holds the files, one of them changed.
func (s stopped) with(t *testing.T, name string, content []byte) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/log", 0o700); err != nil {
		t.Fatal(err)
	}
	for n, b := range s {
		if n == name {
			b = content
		}
		f, err := fs.Create("/log/"+n, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		// A copy: built for the race detector, Pebble overwrites what it was given.
		if _, err := f.Write(bytes.Clone(b)); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// newest returns the name of the newest file with that ending. Others of that
// kind are kept by Pebble to be used again.
func (s stopped) newest(t *testing.T, ending string) string {
	t.Helper()
	newest := ""
	for name := range s {
		if strings.HasSuffix(name, ending) {
			newest = max(newest, name)
		}
	}
	if newest == "" {
		t.Fatalf("no file ends in %s", ending)
	}
	return newest
}

// killed returns the files of a log that was not closed and has never flushed a
// table, and the size of its write-ahead log after each of its appends.
func killed(t *testing.T, appends int, records func(append int) []eventlog.Record) (files stopped, wal string, sizes []int) {
	t.Helper()
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	for i := range appends {
		if err := l.Append(t.Context(), records(i)); err != nil {
			t.Fatal(err)
		}
		files = readStopped(t, dir)
		wal = files.newest(t, ".log")
		sizes = append(sizes, len(files[wal]))
	}
	return files, wal, sizes
}

func fives(i int) []eventlog.Record { return logtest.Records(i*5, 5) }

// reopen opens what is left and returns its records, which must be a beginning
// of what was appended.
func reopen(t *testing.T, fs vfs.FS) ([]eventlog.Record, error) {
	t.Helper()
	l, err := Open(t.Context(), Options{Dir: "/log", FS: fs})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	got, err := logtest.All(t.Context(), l)
	if err != nil {
		return nil, err
	}
	for i, r := range got {
		if err := logtest.Same(r, logtest.Record(i)); err != nil {
			t.Fatalf("offset %d: %v", i, err)
		}
	}
	// What is left must be a log that goes on.
	if err := l.Append(t.Context(), logtest.Records(len(got), 1)); err != nil {
		t.Fatal(err)
	}
	return got, nil
}

// A write that the power cut short is no damage, wherever it was cut: what came
// before it is all there.
func TestLastBlockCutAtEveryByte(t *testing.T) {
	const appends = 4
	files, wal, sizes := killed(t, appends, fives)
	whole := files[wal]
	for cut := sizes[appends-2]; cut < len(whole); cut++ {
		got, err := reopen(t, files.with(t, wal, whole[:cut]))
		if err != nil {
			t.Fatalf("cut at byte %d of %d: %v", cut, len(whole), err)
		}
		wantAtLeast, most := 5*(appends-1), 5*appends
		if len(got) != wantAtLeast && len(got) != most {
			t.Fatalf("cut at byte %d of %d: %d records", cut, len(whole), len(got))
		}
		if cut < sizes[appends-1]-40 && len(got) == most {
			t.Fatalf("cut at byte %d of %d: the last block was read though it was cut", cut, len(whole))
		}
	}
}

// Damage before the end of the write-ahead log is never taken for an unfinished
// write: the log says so or has everything. The end is Pebble's block of 32 KB
// and what was appended since the sync that a later block tells of, which may
// lag by an append or two (of 20 KB here).
func TestDamagedMiddleIsAnError(t *testing.T) {
	const appends = 10
	files, wal, sizes := killed(t, appends, func(i int) []eventlog.Record {
		records := logtest.Records(i*5, 5)
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		for j := range records {
			records[j].Value = noise(rng, 4000)
		}
		return records
	})
	refused := 0
	// The first chunk's header, and places all over. Pebble takes a while over
	// each, looking for the flipped bit.
	damages := []int{0, 4, 6, 7, 11, 30}
	for i := 9973; i < sizes[appends-1]-80<<10; i += 9973 {
		damages = append(damages, i)
	}
	for _, i := range damages {
		bad := append([]byte(nil), files[wal]...)
		bad[i] ^= 0x55
		fs := files.with(t, wal, bad)
		l, err := Open(t.Context(), Options{Dir: "/log", FS: fs})
		if err == nil {
			got, err := logtest.All(t.Context(), l)
			l.Close()
			if err != nil || len(got) != 5*appends {
				t.Fatalf("byte %d of %d changed: opened with %d of %d records, %v", i, len(bad), len(got), 5*appends, err)
			}
			continue
		}
		refused++
		if !strings.Contains(err.Error(), "/log") || !strings.Contains(err.Error(), "tagmill log verify") {
			t.Fatalf("byte %d: the error does not say where, or what to do: %v", i, err)
		}
		if r, err := Verify(t.Context(), Options{Dir: "/log", FS: fs}); err != nil || r.OK() {
			t.Fatalf("byte %d: verify finds nothing: %+v, %v", i, r, err)
		}
	}
	if refused < len(damages)-1 {
		t.Fatalf("only %d damages were noticed", refused)
	}
}

// noise is what no codec makes smaller.
func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestDamagedTable(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	rng := rand.New(rand.NewPCG(1, 1))
	const appends = 20
	for i := range appends {
		records := fives(i)
		records[0].Value = noise(rng, 50_000) // a table of many blocks
		if err := l.Append(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files := readStopped(t, dir)
	table := files.newest(t, ".sst")
	bad := append([]byte(nil), files[table]...)
	bad[len(bad)/4] ^= 1
	fs := files.with(t, table, bad)
	r, err := Verify(t.Context(), Options{Dir: "/log", FS: fs})
	if err != nil || r.OK() {
		t.Fatalf("%+v, %v", r, err)
	}
	if !strings.Contains(strings.Join(r.Damage, "\n"), strings.TrimSuffix(table, ".sst")) {
		t.Fatalf("verify does not name %s: %q", table, r.Damage)
	}
	if err := Scan(context.Background(), Options{Dir: "/log", FS: fs}, func(eventlog.Record) error { return nil }); err == nil {
		t.Fatal("scan passed over the damage")
	}

	// A server on it says so to readers, and still takes events.
	l, err = Open(t.Context(), Options{Dir: "/log", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got, err := logtest.All(t.Context(), l)
	if err == nil || !strings.Contains(err.Error(), "tagmill log verify") || len(got) == 0 || len(got) >= 5*appends {
		t.Fatalf("read over the damage: %d records, %v", len(got), err)
	}
	if err := l.Append(t.Context(), logtest.Records(100, 5)); err != nil {
		t.Fatal(err)
	}
}
