// Package disk is the embedded event log: one directory on one disk, one
// process, one partition. It owns group commit, the block format inside Pebble,
// named cursors, the disk budget, trimming, and the reading of a stopped
// server's log. It knows nothing of what a record's value means, nor of who
// reads it.
//
// Pebble holds blocks of records under rising keys, so that nothing is ever
// rewritten: a block goes to Pebble's write-ahead log (synced before anyone is
// answered), later to a table, and stays there until it is trimmed.
package disk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tagmill/tagmill/events/eventlog"
)

// Options of a Log. Dir is required, the zero value of any other is its default.
type Options struct {
	Dir string // created if it is not there; nothing else may live in it

	// Budget is the most physical bytes the log may take, 0: only Reserve
	// bounds it. Append answers ErrFull when less than Headroom is left of
	// it, because trimming and flushing need room to free room.
	Budget   int64
	Headroom int64 // default 512 MB
	// Reserve is the free space left to the rest of the disk, default 2 GB.
	// Pebble cannot go on after a real "no space left on device".
	Reserve int64
	// Retention, if set, lets Trim remove records older than this even when a
	// cursor still needs them.
	Retention time.Duration

	FS         vfs.FS           // default the operating system's
	Now        func() time.Time // default time.Now
	Logger     *slog.Logger     // default discards
	Registerer prometheus.Registerer

	// noSync commits without waiting for the disk: the mutant that the crash
	// suite must catch.
	noSync bool
	// memTableBytes makes tests flush often; default 32 MB.
	memTableBytes uint64
}

func (o Options) withDefaults() Options {
	if o.Headroom == 0 {
		o.Headroom = 512 << 20
	}
	if o.Reserve == 0 {
		o.Reserve = 2 << 30
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.memTableBytes == 0 {
		o.memTableBytes = 32 << 20
	}
	return o
}

func (o Options) check() error {
	switch {
	case o.Dir == "":
		return errors.New("open event log: no directory given")
	case o.Budget < 0 || o.Headroom < 0 || o.Reserve < 0 || o.Retention < 0:
		return fmt.Errorf("open event log in %s: budget, headroom, reserve and retention must not be negative", o.Dir)
	case o.Budget > 0 && o.Budget <= o.Headroom:
		return fmt.Errorf("open event log in %s: a budget of %d MB leaves nothing beside the headroom of %d MB: set at least %d MB",
			o.Dir, o.Budget>>20, o.Headroom>>20, o.Headroom>>19)
	}
	return nil
}

// Log is an open log. It owns its directory until Close.
type Log struct {
	opts    Options
	id      string
	store   *store
	budget  *budget
	metrics *metrics

	// ended is closed when the committer has ended, by Close or by a failure.
	ended chan struct{}
	// stopping is closed by Close, failing by the first failure.
	stopping, failing chan struct{}

	// trimMu: one Trim at a time.
	trimMu sync.Mutex
	// using counts the calls inside Pebble; Close waits for them.
	using sync.WaitGroup

	mu       sync.Mutex
	work     sync.Cond // of mu: current has something in it, or closed or failure is set
	current  *group    // what is being filled; the committer takes it
	spare    []byte    // a buffer of an earlier group
	closed   bool
	failure  error // set once: the log can make nothing durable until it is opened again
	oldest   int64
	end      int64            // durable: readers see nothing from here on
	cursors  map[string]int64 // durable; replaced, never changed
	grown    chan struct{}    // closed when end has moved; nil while nobody waits
	appended int64            // records since open

	// clock is the newest append time given, microseconds. Append times never
	// fall, whatever the machine's clock does.
	clock int64

	// The committer's own.
	cursorsAt int64 // base of the newest block of cursors, -1 when none
	batch     *pebble.Batch
	block     []byte // buffers it uses again
	packed    []byte
}

var _ eventlog.Log = (*Log)(nil)

// Open opens the log in a directory, or begins one there. It starts one
// goroutine, the committer, beside Pebble's own; Close ends them.
//
// It fails, naming the directory and what to do, when another process has the
// log open, when the format is newer than this code, and when the log is
// damaged other than by an unfinished last write.
func Open(ctx context.Context, opts Options) (*Log, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open event log in %s: %w", opts.Dir, err)
	}
	l := &Log{
		opts:     opts,
		ended:    make(chan struct{}),
		stopping: make(chan struct{}),
		failing:  make(chan struct{}),
	}
	l.work.L = &l.mu
	st, err := openStore(opts, l.fail)
	if err != nil {
		return nil, err
	}
	l.store, l.id = st, st.id
	if err := l.load(); err != nil {
		return nil, errors.Join(err, st.close())
	}
	l.budget = newBudget(opts, st)
	l.metrics, err = newMetrics(opts.Registerer, l)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open event log in %s: %w", opts.Dir, err), st.close())
	}
	l.current, l.batch = newGroup(nil), st.db.NewBatch()
	// The committer alone writes, so that blocks get rising offsets and one
	// flush serves all who came during the one before it.
	go l.commitLoop()
	return l, nil
}

// load reads where the log begins and ends, and its cursors.
func (l *Log) load() error {
	e, err := l.store.extent()
	if err != nil {
		return fmt.Errorf("open event log in %s: %w", l.opts.Dir, err)
	}
	l.oldest, l.end = e.oldest, e.end
	l.cursors, l.cursorsAt = e.cursors, e.cursorsAt
	l.clock = e.lastAppend
	return nil
}

// Close commits what was given to Append before, ends readers with ErrClosed
// and gives the directory back. After a failure it leaves Pebble as it is,
// possibly locked up, and keeps the directory: the process must end before the
// log is opened again.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.stopping)
	l.work.Signal()
	l.mu.Unlock()

	defer l.metrics.unregister()
	select {
	case <-l.ended:
	case <-l.failing: // the committer may hang in Pebble
	}
	if err := l.failed(); err != nil {
		return fmt.Errorf("close event log: %w", err)
	}
	l.using.Wait()
	if err := l.store.flush(l.failing); err != nil {
		// Nothing is lost: what was not flushed is read from the write-ahead log.
		l.opts.Logger.Warn("event log was closed without a flush", "dir", l.opts.Dir, "err", err)
	}
	if err := l.failed(); err != nil { // the flush met Pebble's end
		return fmt.Errorf("close event log: %w", err)
	}
	if err := l.store.close(); err != nil {
		return fmt.Errorf("close event log in %s: %w", l.opts.Dir, err)
	}
	return nil
}

func (l *Log) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// begin announces a call that uses Pebble; the caller ends it with using.Done.
func (l *Log) begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.beginLocked()
}

func (l *Log) beginLocked() error {
	if l.closed {
		return eventlog.ErrClosed
	}
	if l.failure != nil {
		return l.failure
	}
	l.using.Add(1)
	return nil
}

// fail ends the log: nothing more is acknowledged. What the disk did with a
// write whose flush failed cannot be known, and a second flush would report
// success for data the kernel has dropped, so there is no retry.
func (l *Log) fail(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure != nil {
		return
	}
	l.failure = fmt.Errorf("%w: %s: %w; see that the disk is sound and has space, then restart", eventlog.ErrUnavailable, l.opts.Dir, cause)
	close(l.failing)
	l.work.Signal()
	l.opts.Logger.Error("event log has failed and accepts nothing until a restart", "dir", l.opts.Dir, "err", cause)
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
	return l.place(at), nil
}

// place returns the cursor before an offset.
func (l *Log) place(offset int64) eventlog.Cursor {
	return eventlog.Position{LogID: l.id, Next: []eventlog.PartitionOffset{{Offset: offset}}}.Cursor()
}

// offset returns the offset a cursor stands for, -1 for the empty one.
func (l *Log) offset(c eventlog.Cursor) (int64, error) {
	p, err := eventlog.ParseCursor(c, l.id)
	if err != nil {
		return 0, err
	}
	switch {
	case len(p.Next) == 0:
		return -1, nil
	case len(p.Next) > 1 || p.Next[0].Partition != 0:
		return 0, fmt.Errorf("cursor %q: this log has partition 0 only", c)
	}
	return p.Next[0].Offset, nil
}
