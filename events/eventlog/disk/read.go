package disk

import (
	"context"
	"errors"
	"fmt"

	"github.com/tagmill/tagmill/events/eventlog"
)

// maxReadBytes ends a Read early: what a caller asks for is a number of
// records, which may be of any size.
const maxReadBytes = 4 << 20

// Read implements eventlog.Log. A batch takes at most about 5 MB.
func (l *Log) Read(ctx context.Context, from eventlog.Cursor, max int) (eventlog.Batch, error) {
	if max < 1 {
		return eventlog.Batch{}, fmt.Errorf("read event log: max is %d, must be at least 1", max)
	}
	offset, err := l.offset(from)
	if err != nil {
		return eventlog.Batch{}, fmt.Errorf("read event log: %w", err)
	}
	for {
		at, end, err := l.await(ctx, offset)
		if err != nil {
			return eventlog.Batch{}, fmt.Errorf("read event log at %q: %w", from, err)
		}
		records, err := l.readBlocks(at, end, max)
		l.using.Done()
		if errors.Is(err, eventlog.ErrTrimmed) && offset < 0 {
			continue // the oldest record was trimmed since; there is a new oldest
		}
		if err != nil {
			return eventlog.Batch{}, fmt.Errorf("read event log at %q: %w", from, err)
		}
		return eventlog.Batch{Records: records, Next: l.place(records[len(records)-1].Offset + 1)}, nil
	}
}

// await returns the offset to read at and the log's end once there is a record
// between them; -1 asks for the oldest. The caller then calls using.Done.
func (l *Log) await(ctx context.Context, offset int64) (at, end int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if err := l.usableLocked(); err != nil {
			return 0, 0, err
		}
		at = offset
		if at < 0 {
			at = l.oldest
		}
		switch {
		case at < l.oldest:
			return 0, 0, eventlog.ErrTrimmed
		case at > l.end:
			return 0, 0, fmt.Errorf("the log ends at %d: was it restored from an older copy?", l.end)
		case at < l.end:
			l.using.Add(1)
			return at, l.end, nil
		}
		if l.grown == nil {
			l.grown = make(chan struct{})
		}
		grown := l.grown
		l.mu.Unlock()
		select {
		case <-grown:
		case <-l.stopping:
		case <-l.failing:
		case <-ctx.Done():
			err = ctx.Err()
		}
		l.mu.Lock()
		if err != nil {
			return 0, 0, err
		}
	}
}

// readBlocks returns the records from offset at on, before end, which is
// durable: Pebble already shows what is being flushed.
func (l *Log) readBlocks(at, end int64, max int) ([]eventlog.Record, error) {
	it, err := l.store.db.NewIter(nil)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	h, payload, err := blockAt(it, at)
	if err != nil {
		return nil, err
	}
	var records []eventlog.Record
	for size := 0; ; {
		if h.holds == holdsRecords {
			raw, err := h.unpack(payload)
			if err == nil {
				records, err = decodeRecords(records, h, raw, at, max-len(records))
			}
			if err != nil {
				return nil, fmt.Errorf("block at offset %d: %w", h.base, err)
			}
			size += len(raw)
		}
		if len(records) >= max || size >= maxReadBytes || !it.Next() {
			break
		}
		if h, payload, err = readBlock(it); err != nil {
			// What was read before the damage is good and is returned; the
			// next Read begins at the damage.
			if len(records) > 0 {
				return records, nil
			}
			return nil, err
		}
		if h.base >= end {
			break
		}
	}
	if err := it.Error(); err != nil && len(records) == 0 {
		return nil, damaged(err)
	}
	return records, nil
}

// Bounds implements eventlog.Log.
func (l *Log) Bounds(context.Context) (oldest, end eventlog.Cursor, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return "", "", fmt.Errorf("bounds of event log: %w", err)
	}
	return l.place(l.oldest), l.place(l.end), nil
}

// Tail implements eventlog.Log.
func (l *Log) Tail(_ context.Context, n int) (eventlog.Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return "", fmt.Errorf("tail of event log: %w", err)
	}
	return l.place(max(l.oldest, l.end-int64(max(n, 0)))), nil
}
