package disk

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tagmill/tagmill/events/eventlog"
)

// SetCursor implements eventlog.Log. It works when the log is full. The empty
// cursor pins the oldest record kept now.
func (l *Log) SetCursor(ctx context.Context, name string, c eventlog.Cursor) error {
	if err := eventlog.CheckCursorName(name); err != nil {
		return err
	}
	offset, err := l.offset(c)
	if err != nil {
		return fmt.Errorf("set cursor %q: %w", name, err)
	}
	l.mu.Lock()
	oldest, end := l.oldest, l.end
	l.mu.Unlock()
	if offset < 0 {
		offset = oldest
	}
	if offset > end {
		return fmt.Errorf("set cursor %q: %q is after the log's end, %d", name, c, end)
	}
	if err := l.change(ctx, cursorChange{name: name, offset: offset}); err != nil {
		return fmt.Errorf("set cursor %q: %w", name, err)
	}
	return nil
}

// DropCursor implements eventlog.Log.
func (l *Log) DropCursor(ctx context.Context, name string) error {
	if err := l.change(ctx, cursorChange{name: name, drop: true}); err != nil {
		return fmt.Errorf("drop cursor %q: %w", name, err)
	}
	return nil
}

// Trim implements eventlog.Log. It removes whole blocks, and gives their disk
// space back at once where a whole table of Pebble's is gone. It writes a few
// kilobytes and may flush, so call it every minute or so, not after every
// SetCursor. It works when the log is full.
func (l *Log) Trim(ctx context.Context) error {
	l.trimMu.Lock()
	defer l.trimMu.Unlock()
	if err := l.begin(); err != nil {
		return fmt.Errorf("trim event log: %w", err)
	}
	defer l.using.Done()
	to, err := l.trimTarget()
	if err == nil && to > 0 {
		err = l.trimTo(ctx, to)
	}
	if err != nil {
		return fmt.Errorf("trim event log in %s: %w", l.opts.Dir, err)
	}
	l.budget.measure()
	return nil
}

// trimTarget returns the base of the first block to keep, 0 when all are kept.
func (l *Log) trimTarget() (int64, error) {
	l.mu.Lock()
	oldest, end := l.oldest, l.end
	lowest := int64(-1)
	for _, at := range l.cursors {
		if lowest < 0 || at < lowest {
			lowest = at
		}
	}
	l.mu.Unlock()

	it, err := l.store.db.NewIter(nil)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	if l.opts.Retention > 0 {
		expired, err := l.expired(it, oldest, end)
		if err != nil {
			return 0, err
		}
		lowest = max(lowest, expired)
	}
	if lowest <= oldest {
		return 0, nil
	}
	if lowest == end {
		return end, nil
	}
	h, _, err := blockAt(it, lowest)
	if err != nil {
		return 0, err
	}
	if h.base <= oldest {
		return 0, nil
	}
	return h.base, nil
}

// expired returns the first offset that is younger than the retention. Append
// times never fall, so it is searched by halves.
func (l *Log) expired(it *pebble.Iterator, oldest, end int64) (int64, error) {
	cutoff := l.opts.Now().Add(-l.opts.Retention).UnixMicro()
	var failed error
	n := sort.Search(int(end-oldest), func(i int) bool {
		h, _, err := blockAt(it, oldest+int64(i))
		failed = errors.Join(failed, err)
		return err != nil || h.appendTime >= cutoff
	})
	return oldest + int64(n), failed
}

// trimTo removes all blocks before the offset to, which begins one or is the end.
func (l *Log) trimTo(ctx context.Context, to int64) error {
	// The cursors must not go with the records among which they lie, and the
	// log's end must stay known when no record is left.
	if err := l.change(ctx, cursorChange{}); err != nil {
		return err
	}
	// Excise drops tables as a whole and writes no tombstone, which would lie
	// over all records that are kept and have them rewritten.
	first, last := key(0, holdsCursors), key(to, holdsCursors)
	if err := l.store.db.Excise(ctx, pebble.KeyRange{Start: first[:], End: last[:]}); err != nil {
		return fmt.Errorf("remove records before offset %d: %w", to, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.oldest = to
	return nil
}
