package disk

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// budget decides whether the log may grow. It counts physical bytes: what the
// disk has lost to the log, not what was appended.
type budget struct {
	max, headroom, reserve int64
	now                    func() time.Time
	usage                  func() int64                  // physical bytes; not cheap
	free                   func() (bytes int64, ok bool) // of the disk

	// full is read by every Append.
	full atomic.Bool

	mu       sync.Mutex
	measured time.Time
	used     int64 // at measured
	since    int64 // written since then
	limit    int64 // of used; math.MaxInt64 when nothing bounds it
	growth   growth
}

const (
	// measureEvery is how old a measurement may be while the log grows. A disk
	// filled by others at 1 GB/s does not eat the reserve in that time.
	measureEvery = time.Second
	// measureBytes is how much may be written on one measurement. A flush
	// can take as much again, which the headroom covers.
	measureBytes = 16 << 20
)

func newBudget(opts Options, st *store) *budget {
	b := &budget{
		max: opts.Budget, headroom: opts.Headroom, reserve: opts.Reserve,
		now:   opts.Now,
		usage: func() int64 { return int64(st.db.Metrics().DiskSpaceUsage()) },
		free:  func() (int64, bool) { return freeSpace(opts.FS, opts.Dir) },
	}
	b.growth.start(b.now())
	b.measure()
	return b
}

// freeSpace is what an ordinary user may still write; false where a file
// system does not say.
func freeSpace(fsys vfs.FS, dir string) (int64, bool) {
	u, err := fsys.GetDiskUsage(dir)
	if err != nil {
		return 0, false
	}
	return int64(min(u.AvailBytes, math.MaxInt64)), true
}

// admits is asked before each Append. When the log is full it looks again now
// and then, so that it opens by itself when there is room.
func (b *budget) admits() bool {
	if !b.full.Load() {
		return true
	}
	// TryLock: one caller looks, the others need not wait for what it sees.
	if b.mu.TryLock() {
		defer b.mu.Unlock()
		if b.now().Sub(b.measured) >= measureEvery {
			b.measureLocked()
		}
	}
	return !b.full.Load()
}

// wrote counts what a commit has added.
func (b *budget) wrote(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.growth.add(now, n)
	b.since += n
	if b.since >= measureBytes || b.leftLocked() <= 0 || now.Sub(b.measured) >= measureEvery {
		b.measureLocked()
	}
}

func (b *budget) measure() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.measureLocked()
}

func (b *budget) measureLocked() {
	b.measured, b.since = b.now(), 0
	b.used = b.usage()
	b.limit = math.MaxInt64
	if b.max > 0 {
		b.limit = b.max
	}
	if free, ok := b.free(); ok {
		b.limit = min(b.limit, max(0, b.used+free-b.reserve))
	}
	b.full.Store(b.leftLocked() <= 0)
}

// leftLocked is what may still be appended; negative when the headroom is touched.
func (b *budget) leftLocked() int64 { return b.limit - b.headroom - b.used - b.since }

// budgetState is a budget at one moment; limit and left are 0 when nothing bounds the log.
type budgetState struct {
	used, limit, left, perHour int64
	full                       bool
}

func (b *budget) state() budgetState {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := budgetState{used: b.used + b.since, full: b.full.Load(), perHour: b.growth.perHour(b.now())}
	if b.limit != math.MaxInt64 {
		s.limit, s.left = b.limit, max(0, b.leftLocked())
	}
	return s
}

// growth is the bytes written in each of the last 60 minutes.
type growth struct {
	began   time.Time
	minutes [60]int64
	minute  int64 // of the newest slot, since 1970
}

func (g *growth) start(now time.Time) { g.began, g.minute = now, now.Unix()/60 }

func (g *growth) add(now time.Time, n int64) {
	g.turn(now)
	g.minutes[g.minute%60] += n
}

// turn empties the slots of the minutes since the last call.
func (g *growth) turn(now time.Time) {
	m := now.Unix() / 60
	if m-g.minute >= 60 {
		g.minutes = [60]int64{}
		g.minute = m
	}
	for g.minute < m {
		g.minute++
		g.minutes[g.minute%60] = 0
	}
}

// perHour is 0 in the first minute.
func (g *growth) perHour(now time.Time) int64 {
	g.turn(now)
	age := min(now.Sub(g.began), time.Hour)
	if age < time.Minute {
		return 0
	}
	var sum int64
	for _, n := range g.minutes {
		sum += n
	}
	return int64(float64(sum) * float64(time.Hour) / float64(age))
}
