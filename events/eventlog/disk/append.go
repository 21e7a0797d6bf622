package disk

import (
	"context"
	"fmt"
	"maps"
	"runtime"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tagmill/tagmill/events/eventlog"
)

// maxGroupBytes closes a group. It bounds the memory of a reader, which
// unpacks whole blocks, and how long those who came first wait for the last.
const maxGroupBytes = 1 << 20

// group is what one flush makes durable: the records and cursors that arrived
// while the flush before it was under way. Everyone in it waits on one channel.
type group struct {
	// Filled under the log's mu until the committer takes the group.
	buf     []byte // records as in a block's payload
	count   uint32
	at      int64 // append time, microseconds; 0 while the group is empty
	cursors []cursorChange
	taken   chan struct{} // closed when the committer takes the group; nil while nobody waits for room

	// The committer's from then on; err is read by others after done is closed.
	after map[string]int64 // cursors once the group is durable, nil when unchanged
	done  chan struct{}
	err   error
}

// cursorChange sets or drops a cursor. One without a name changes nothing but
// has all cursors written again, at the log's end.
type cursorChange struct {
	name   string
	offset int64
	drop   bool
}

func newGroup(buf []byte) *group { return &group{buf: buf, done: make(chan struct{})} }

func (g *group) empty() bool { return g.count == 0 && len(g.cursors) == 0 }

// Append implements eventlog.Log. Records that no log can take are reported in
// a *PartialError. When ctx ends while a flush is under way the records may
// become durable all the same.
func (l *Log) Append(ctx context.Context, records []eventlog.Record) error {
	start := l.opts.Now()
	if !l.budget.admits() {
		return fmt.Errorf("append to event log in %s: %w", l.opts.Dir, eventlog.ErrFull)
	}
	var errs []error
	for i := range records {
		if err := records[i].Check(); err != nil {
			if errs == nil {
				errs = make([]error, len(records))
			}
			errs[i] = err
		}
	}
	// More than a group's worth goes in several, one after the other.
	for next := 0; next < len(records); {
		g, n, err := l.join(ctx, records[next:], errs, next)
		if err != nil {
			return fmt.Errorf("append to event log: %w", err)
		}
		next += n
		if g == nil {
			continue // none of them was valid
		}
		if err := l.wait(ctx, g); err != nil {
			return fmt.Errorf("append to event log: %w", err)
		}
	}
	l.metrics.appendSeconds.Observe(l.opts.Now().Sub(start).Seconds())
	if errs != nil {
		return &eventlog.PartialError{Errs: errs}
	}
	return nil
}

// join puts records into the group being filled, as many as it takes and at
// least one, leaving out those with an entry in errs, whose index of records[0]
// is skip. It returns how many it went through.
func (l *Log) join(ctx context.Context, records []eventlog.Record, errs []error, skip int) (*group, int, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if err := l.usableLocked(); err != nil {
			return nil, 0, err
		}
		g := l.current
		n := 0
		for ; n < len(records); n++ {
			r := &records[n]
			if errs != nil && errs[skip+n] != nil {
				continue
			}
			if len(g.buf) > 0 && len(g.buf)+recordSize(r) > maxGroupBytes {
				break
			}
			l.touchLocked(g)
			g.buf = appendRecord(g.buf, r, g.at)
			g.count++
		}
		if n > 0 || len(records) == 0 {
			if g.empty() {
				return nil, n, nil
			}
			return g, n, nil
		}
		if err := l.roomLocked(ctx, g); err != nil {
			return nil, 0, err
		}
	}
}

// touchLocked begins a group: it stamps it and wakes the committer.
func (l *Log) touchLocked(g *group) {
	if g.at != 0 {
		return
	}
	l.clock = max(l.clock, l.opts.Now().UnixMicro(), 1)
	g.at = l.clock
	l.work.Signal()
}

// roomLocked waits, with mu released, until the committer has taken a full group.
func (l *Log) roomLocked(ctx context.Context, g *group) error {
	if g.taken == nil {
		g.taken = make(chan struct{})
	}
	taken := g.taken
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-taken:
	case <-l.failing: // the caller's next look says why
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// wait returns what became of a group.
func (l *Log) wait(ctx context.Context, g *group) error {
	select {
	case <-g.done:
		return g.err
	case <-l.failing:
	case <-ctx.Done():
		return ctx.Err()
	}
	// The group may have been done before the failure.
	select {
	case <-g.done:
		return g.err
	default:
		return l.failed()
	}
}

// change makes a change of cursors durable.
func (l *Log) change(ctx context.Context, c cursorChange) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if err := l.usableLocked(); err != nil {
		l.mu.Unlock()
		return err
	}
	g := l.current
	l.touchLocked(g)
	g.cursors = append(g.cursors, c)
	l.mu.Unlock()
	return l.wait(ctx, g)
}

// usableLocked says why nothing can be written, if so.
func (l *Log) usableLocked() error {
	if l.closed {
		return eventlog.ErrClosed
	}
	return l.failure
}

// commitLoop commits one group after the other until the log is closed and
// nothing is left, or has failed.
func (l *Log) commitLoop() {
	defer close(l.ended)
	for {
		g := l.take()
		if g == nil {
			return
		}
		l.commit(g)
	}
}

// take waits for a group with something in it and puts an empty one in its place.
func (l *Log) take() *group {
	l.mu.Lock()
	for l.current.empty() && !l.closed && l.failure == nil {
		l.work.Wait()
	}
	l.mu.Unlock()
	// Who is about to append joins this group. On one core the flush would
	// otherwise begin with the one record that woke us, and everyone else,
	// ready to run, would wait for it only to wait for another.
	runtime.Gosched()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil || l.current.empty() {
		return nil
	}
	g := l.current
	l.current, l.spare = newGroup(l.spare), nil
	if g.taken != nil {
		close(g.taken)
	}
	return g
}

// commit makes a group durable and tells everyone in it.
func (l *Log) commit(g *group) {
	committed := false
	defer func() {
		if committed {
			return
		}
		// Pebble has ended this goroutine (see pebbleLogger.Fatalf) or
		// panicked, as it does when it cannot rotate its write-ahead log.
		if r := recover(); r != nil {
			l.fail(fmt.Errorf("commit: %v", r))
		}
		g.err = l.failed()
		close(g.done)
	}()
	start := l.opts.Now()
	base := l.endForCommit()
	end := base + int64(g.count)
	stored := l.fillBatch(g, base)

	sync := pebble.Sync
	if l.opts.noSync {
		sync = pebble.NoSync
	}
	// The one flush that everyone in the group waits for.
	if err := l.store.db.Apply(l.batch, sync); err != nil {
		l.fail(fmt.Errorf("commit at offset %d: %w", base, err))
		return
	}
	l.batch.Reset()
	committed = true
	l.publish(g, end)
	close(g.done)

	l.budget.wrote(int64(stored))
	l.metrics.committed(g.count, stored, l.opts.Now().Sub(start))
}

func (l *Log) endForCommit() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// fillBatch turns a group into blocks and returns their size. A block's bytes
// are copied by the batch, so the buffers are used again.
func (l *Log) fillBatch(g *group, base int64) (stored int) {
	if g.count > 0 {
		h := header{holds: holdsRecords, count: g.count, base: base, appendTime: g.at, cursorsAt: l.cursorsAt}
		l.block, l.packed = appendBlock(l.block[:0], h, g.buf, l.packed)
		stored += l.put(h)
	}
	if len(g.cursors) > 0 {
		end := base + int64(g.count)
		h := header{holds: holdsCursors, base: end, appendTime: g.at, cursorsAt: l.cursorsAt}
		g.after = l.changed(g.cursors)
		h.count = uint32(len(g.after))
		l.block, l.packed = appendBlock(l.block[:0], h, appendCursors(nil, g.after), l.packed)
		stored += l.put(h)
		l.cursorsAt = end
	}
	return stored
}

func (l *Log) put(h header) int {
	k := key(h.base, h.holds)
	// Set only fails for a batch that was applied.
	if err := l.batch.Set(k[:], l.block, nil); err != nil {
		panic(err)
	}
	return len(l.block) + keySize
}

// changed returns the cursors after the changes.
func (l *Log) changed(changes []cursorChange) map[string]int64 {
	l.mu.Lock()
	after := maps.Clone(l.cursors)
	l.mu.Unlock()
	for _, c := range changes {
		switch {
		case c.drop:
			delete(after, c.name)
		case c.name != "":
			after[c.name] = c.offset
		}
	}
	return after
}

// publish shows a committed group to readers.
func (l *Log) publish(g *group, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = end
	l.appended += int64(g.count)
	if g.after != nil {
		l.cursors = g.after
	}
	if cap(g.buf) <= 2*maxGroupBytes {
		l.spare = g.buf[:0]
	}
	g.buf = nil
	if g.count > 0 && l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}
