package disk

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

// clock is a time that tests move.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) Now() time.Time          { return time.Unix(0, c.ns.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// incompressible returns n records of 10 KB that no codec makes smaller.
func incompressible(rng *rand.Rand, n int) []eventlog.Record {
	records := logtest.Records(0, n)
	for i := range records {
		records[i].Value = noise(rng, 10_000)
	}
	return records
}

// fillUp appends until the log is full, at most 64 MB.
func fillUp(t *testing.T, l *Log, c *clock) (appends int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(c.ns.Load())))
	for range 640 {
		c.advance(10 * time.Millisecond)
		err := l.Append(t.Context(), incompressible(rng, 10))
		if errors.Is(err, eventlog.ErrFull) {
			return appends
		}
		if err != nil {
			t.Fatal(err)
		}
		appends++
	}
	t.Fatalf("64 MB were accepted: %+v", l.Stats())
	return 0
}

func TestBudgetRefusesBeforeItIsTouchedAndTrimmingReopens(t *testing.T) {
	const budget, headroom = 40 << 20, 8 << 20
	c := newClock()
	l := open(t, Options{Dir: t.TempDir(), Budget: budget, Headroom: headroom, Reserve: 1, Now: c.Now, memTableBytes: 1 << 20})
	fillUp(t, l, c)
	s := l.Stats()
	if !s.Full || s.Budget != budget || s.Left != 0 || s.Bytes < (budget-headroom)/2 || s.Bytes > budget {
		t.Fatalf("full log: %+v", s)
	}
	if days, known := s.DaysLeft(); !known || days != 0 {
		t.Fatalf("days left of a full log: %v, %v", days, known)
	}

	// Cursors and trimming work without room, and make room.
	_, end, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.SetCursor(t.Context(), "archive", end); err != nil {
		t.Fatal(err)
	}
	if err := l.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Pebble deletes tables in the background; the log looks by itself.
	err = eventlog.ErrFull
	for try := 0; err != nil && try < 100_000; try++ {
		c.advance(measureEvery)
		err = l.Append(t.Context(), logtest.Records(0, 1))
	}
	if err != nil {
		t.Fatalf("after trimming: %v, %+v", err, l.Stats())
	}
	if after := l.Stats(); after.Bytes > s.Bytes/2 {
		t.Fatalf("trimming everything freed %d of %d bytes", s.Bytes-after.Bytes, s.Bytes)
	}
}

// A log whose readers keep up lives within its budget for ever.
func TestRollingTrimKeepsTheLogSmall(t *testing.T) {
	c := newClock()
	l := open(t, Options{Dir: t.TempDir(), Budget: 40 << 20, Headroom: 8 << 20, Reserve: 1, Now: c.Now, memTableBytes: 1 << 20})
	rng := rand.New(rand.NewPCG(1, 1))
	most := int64(0)
	for i := range 100 { // 1 MB each
		for range 10 {
			c.advance(10 * time.Millisecond)
			if err := l.Append(t.Context(), incompressible(rng, 10)); err != nil {
				t.Fatalf("MB %d: %v: %+v", i, err, l.Stats())
			}
		}
		at, err := l.Tail(t.Context(), 300) // the reader is 3 MB behind
		if err != nil {
			t.Fatal(err)
		}
		if err := l.SetCursor(t.Context(), "reader", at); err != nil {
			t.Fatal(err)
		}
		if err := l.Trim(t.Context()); err != nil {
			t.Fatal(err)
		}
		most = max(most, l.Stats().Bytes)
	}
	written := l.store.db.Metrics()
	t.Logf("at most %d MB; flushed %d MB, compacted %d MB of 100 MB", most>>20,
		written.Flush.WriteThroughput.Bytes>>20, compacted(l)>>20)
	if compacted(l) > 30<<20 {
		t.Fatalf("records were written again: %d MB compacted", compacted(l)>>20)
	}
}

// compacted is how many bytes of tables were written again after their flush.
func compacted(l *Log) (n uint64) {
	m := l.store.db.Metrics()
	for _, level := range m.Levels {
		n += level.TableBytesCompacted
	}
	return n
}

func TestBudgetLeavesFreeSpaceToOthers(t *testing.T) {
	c := newClock()
	mem := vfs.NewMem()
	free := func(mb uint64) { mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: mb << 20, TotalBytes: 1 << 40}) }
	free(10 << 10)
	l := open(t, Options{Dir: "/log", FS: mem, Now: c.Now})
	if s := l.Stats(); s.Full || s.Budget < 7<<30 || s.Budget > 9<<30 {
		t.Fatalf("10 GB free: %+v", s)
	}
	if err := l.Append(t.Context(), logtest.Records(0, 1)); err != nil {
		t.Fatal(err)
	}
	free(2<<10 + 500) // 2 GB are others', 512 MB headroom
	c.advance(measureEvery)
	// The append that finds out is still accepted: it has the reserve.
	if err := l.Append(t.Context(), logtest.Records(0, 1)); err != nil {
		t.Fatal(err)
	}
	// The committer measures after it has answered, so one or two more may pass.
	for i := 0; ; i++ {
		err := l.Append(t.Context(), logtest.Records(0, 1))
		if errors.Is(err, eventlog.ErrFull) {
			break
		}
		if err != nil || i == 1000 {
			t.Fatalf("append %d: got %v, want ErrFull", i, err)
		}
	}
	free(10 << 10)
	c.advance(measureEvery)
	if err := l.Append(t.Context(), logtest.Records(0, 1)); err != nil {
		t.Fatalf("space is back: %v", err)
	}
}

func TestGrowthAndDaysLeft(t *testing.T) {
	c := newClock()
	var g growth
	g.start(c.Now())
	if g.perHour(c.Now()) != 0 {
		t.Fatal("known at once")
	}
	for range 30 { // 1 MB a minute for half an hour
		c.advance(time.Minute)
		g.add(c.Now(), 1<<20)
	}
	if got := g.perHour(c.Now()); got != 60<<20 {
		t.Fatalf("per hour: %d MB", got>>20)
	}
	c.advance(3 * time.Hour)
	if got := g.perHour(c.Now()); got != 0 {
		t.Fatalf("three hours of nothing: %d", got)
	}
	s := eventlog.Stats{Budget: 100 << 20, Left: 48 << 20, BytesPerHour: 1 << 20}
	if days, known := s.DaysLeft(); !known || days != 2 {
		t.Fatalf("%v, %v", days, known)
	}
	if _, known := (eventlog.Stats{}).DaysLeft(); known {
		t.Fatal("known without a budget")
	}
}

func TestRetentionTrimsByAge(t *testing.T) {
	c := newClock()
	l := open(t, Options{Dir: t.TempDir(), Retention: time.Hour, Now: c.Now})
	for i := range 10 {
		if err := l.Append(t.Context(), fives(i)); err != nil {
			t.Fatal(err)
		}
		c.advance(10 * time.Minute)
	}
	if err := l.SetCursor(t.Context(), "slow", ""); err != nil {
		t.Fatal(err)
	}
	slow, _ := l.Cursor(t.Context(), "slow")
	if err := l.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := logtest.All(t.Context(), l)
	if err != nil || len(got) != 30 || got[0].MessageID != "m-20" { // appended at most 60 minutes ago
		t.Fatalf("%d records kept, %v", len(got), err)
	}
	if _, err := l.Read(t.Context(), slow, 1); !errors.Is(err, eventlog.ErrTrimmed) {
		t.Fatalf("reader left behind: %v", err)
	}
	c.advance(24 * time.Hour)
	if err := l.Trim(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); !s.Oldest.IsZero() || s.Cursors[0].Lag != 0 {
		t.Fatalf("everything is too old: %+v", s)
	}
}

// A clock that goes back must not make append times fall: archives are named by them.
func TestAppendTimesNeverFall(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	var last time.Time
	for range 3 {
		l := open(t, Options{Dir: dir, Now: c.Now})
		for range 3 {
			if err := l.Append(t.Context(), logtest.Records(0, 1)); err != nil {
				t.Fatal(err)
			}
			c.advance(-time.Hour)
		}
		got, err := logtest.All(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			if r.AppendTime.Before(last) {
				t.Fatalf("append time %v after %v", r.AppendTime, last)
			}
			last = r.AppendTime
		}
		last = time.Time{}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
