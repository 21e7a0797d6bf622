// Package memory is an event log in memory, for tests of those who use one: it
// keeps the contract of eventlog.Log except that nothing survives the process.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tagmill/tagmill/events/eventlog"
)

const logID = "memory"

// Options of a Log.
type Options struct {
	Now func() time.Time // default time.Now
	// FailAppend, if set, is asked before each Append; its error is returned
	// and nothing is appended.
	FailAppend func() error
}

// Log keeps every record in one slice.
type Log struct {
	opts Options

	mu       sync.Mutex
	records  []eventlog.Record // records[i] has offset first+i
	first    int64
	appended int64
	cursors  map[string]int64
	grown    chan struct{} // closed and replaced by every append, and by Close
	closed   bool
}

var _ eventlog.Log = (*Log)(nil)

// New returns an empty log.
func New(opts Options) *Log {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Log{opts: opts, cursors: make(map[string]int64), grown: make(chan struct{})}
}

func place(offset int64) eventlog.Cursor {
	return eventlog.Position{LogID: logID, Next: []eventlog.PartitionOffset{{Offset: offset}}}.Cursor()
}

func (l *Log) endLocked() int64 { return l.first + int64(len(l.records)) }

// Append implements eventlog.Log.
func (l *Log) Append(ctx context.Context, records []eventlog.Record) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("append to memory log: %w", err)
	}
	if l.opts.FailAppend != nil {
		if err := l.opts.FailAppend(); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return eventlog.ErrClosed
	}
	var errs []error
	now := l.opts.Now().Truncate(time.Microsecond).UTC()
	for i := range records {
		if err := records[i].Check(); err != nil {
			if errs == nil {
				errs = make([]error, len(records))
			}
			errs[i] = err
			continue
		}
		r := records[i]
		r.Value = bytes.Clone(r.Value)
		// A caller's strings may lie over a buffer that it uses again.
		r.WriteKey, r.MessageID = strings.Clone(r.WriteKey), strings.Clone(r.MessageID)
		r.ReceivedAt = r.ReceivedAt.Truncate(time.Microsecond).UTC()
		r.Partition, r.Offset, r.AppendTime = 0, l.endLocked(), now
		l.records = append(l.records, r)
		l.appended++
	}
	close(l.grown)
	l.grown = make(chan struct{})
	if errs != nil {
		return &eventlog.PartialError{Errs: errs}
	}
	return nil
}

// Read implements eventlog.Log.
func (l *Log) Read(ctx context.Context, from eventlog.Cursor, max int) (eventlog.Batch, error) {
	if max < 1 {
		return eventlog.Batch{}, fmt.Errorf("read memory log: max is %d, must be at least 1", max)
	}
	for {
		b, grown, err := l.tryRead(from, max)
		if err != nil || len(b.Records) > 0 {
			return b, err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return eventlog.Batch{}, fmt.Errorf("read memory log: %w", ctx.Err())
		}
	}
}

// tryRead returns what there is, or a channel that is closed when there is more.
func (l *Log) tryRead(from eventlog.Cursor, max int) (eventlog.Batch, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, err := l.resolveLocked(from)
	if err != nil {
		return eventlog.Batch{}, nil, err
	}
	if at < l.first {
		return eventlog.Batch{}, nil, fmt.Errorf("read memory log at %s: %w", from, eventlog.ErrTrimmed)
	}
	n := min(int64(max), l.endLocked()-at)
	if n == 0 {
		return eventlog.Batch{}, l.grown, nil
	}
	out := slices.Clone(l.records[at-l.first : at-l.first+n])
	for i := range out {
		out[i].Value = bytes.Clone(out[i].Value)
	}
	return eventlog.Batch{Records: out, Next: place(at + n)}, nil, nil
}

// resolveLocked returns the offset a cursor stands for.
func (l *Log) resolveLocked(c eventlog.Cursor) (int64, error) {
	if l.closed {
		return 0, eventlog.ErrClosed
	}
	p, err := eventlog.ParseCursor(c, logID)
	if err != nil {
		return 0, err
	}
	if len(p.Next) == 0 {
		return l.first, nil
	}
	at := p.Offset(0)
	if at > l.endLocked() {
		return 0, fmt.Errorf("cursor %q is after the end of the log, %d", c, l.endLocked())
	}
	return at, nil
}

// Bounds implements eventlog.Log.
func (l *Log) Bounds(context.Context) (oldest, end eventlog.Cursor, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return "", "", eventlog.ErrClosed
	}
	return place(l.first), place(l.endLocked()), nil
}

// Tail implements eventlog.Log.
func (l *Log) Tail(_ context.Context, n int) (eventlog.Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return "", eventlog.ErrClosed
	}
	return place(max(l.first, l.endLocked()-int64(max(n, 0)))), nil
}

// Cursor implements eventlog.Log.
func (l *Log) Cursor(_ context.Context, name string) (eventlog.Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return "", eventlog.ErrClosed
	}
	at, ok := l.cursors[name]
	if !ok {
		return "", nil
	}
	return place(at), nil
}

// SetCursor implements eventlog.Log.
func (l *Log) SetCursor(_ context.Context, name string, c eventlog.Cursor) error {
	if err := eventlog.CheckCursorName(name); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	at, err := l.resolveLocked(c)
	if err != nil {
		return fmt.Errorf("set cursor %q: %w", name, err)
	}
	l.cursors[name] = at
	return nil
}

// DropCursor implements eventlog.Log.
func (l *Log) DropCursor(_ context.Context, name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return eventlog.ErrClosed
	}
	delete(l.cursors, name)
	return nil
}

// Trim implements eventlog.Log.
func (l *Log) Trim(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return eventlog.ErrClosed
	}
	if len(l.cursors) == 0 {
		return nil
	}
	lowest := int64(math.MaxInt64)
	for _, at := range l.cursors {
		lowest = min(lowest, at)
	}
	if lowest > l.first {
		l.records = slices.Clone(l.records[lowest-l.first:])
		l.first = lowest
	}
	return nil
}

// Stats implements eventlog.Log.
func (l *Log) Stats() eventlog.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := eventlog.Stats{Records: l.appended}
	if len(l.records) > 0 {
		s.Oldest = l.records[0].AppendTime
	}
	for i := range l.records {
		s.Bytes += int64(len(l.records[i].Value))
	}
	for name, at := range l.cursors {
		s.Cursors = append(s.Cursors, eventlog.CursorStats{Name: name, Lag: l.endLocked() - max(at, l.first)})
	}
	slices.SortFunc(s.Cursors, func(a, b eventlog.CursorStats) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// Close implements eventlog.Log. Readers that wait get ErrClosed.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.grown)
	}
	return nil
}
