package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tagmill/tagmill/events/eventlog"
)

// Log is the part of an event log that a Feed follows; every eventlog.Log has it.
type Log interface {
	Read(ctx context.Context, from eventlog.Cursor, max int) (eventlog.Batch, error)
	Bounds(ctx context.Context) (oldest, end eventlog.Cursor, err error)
	Tail(ctx context.Context, n int) (eventlog.Cursor, error)
}

// Options of a Feed. The zero value of each field is its default.
type Options struct {
	PerSource   int           // recent events kept of each source, default 50
	MaxBytes    int           // recent events kept in all, in bytes of value, default 4 MiB
	Buffer      int           // events a watcher may be behind, default 256
	GlanceEvery time.Duration // how often the log's end is looked at while nobody watches, default 1 s
	Logger      *slog.Logger  // default discards
}

// Feed follows the log with one reader, however many watch. Safe for concurrent use.
type Feed struct {
	log  Log
	opts Options
	// wake holds a token when the first watcher has come, so that Run does not
	// sit out its pause.
	wake chan struct{}

	// Run's own.
	next eventlog.Cursor
	last map[int32]int64 // newest offset shown, by partition

	// mu keeps a watcher's backlog and what is published after it free of gap
	// and repetition, and a channel from being sent on after it is closed.
	mu       sync.Mutex
	recent   recent
	watchers map[*Subscription]struct{}
	stopped  bool
}

// glance is how many of the newest records are looked at when the Feed has not
// followed the log for a while. What lies further back is not shown.
const glance = 1000

// New returns a Feed. Nothing is read before Run.
func New(log Log, opts Options) *Feed {
	if opts.PerSource <= 0 {
		opts.PerSource = 50
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = 4 << 20
	}
	if opts.Buffer <= 0 {
		opts.Buffer = 256
	}
	if opts.GlanceEvery <= 0 {
		opts.GlanceEvery = time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Feed{
		log:      log,
		opts:     opts,
		wake:     make(chan struct{}, 1),
		last:     make(map[int32]int64),
		recent:   newRecent(opts.PerSource, opts.MaxBytes),
		watchers: make(map[*Subscription]struct{}),
	}
}

// Run follows the log until ctx ends or the log is closed, then ends every
// subscription and returns nil. It is called once. A log that cannot be read
// for a while is logged and tried again.
//
// While nobody watches, only the newest records are looked at now and then, so
// that a console opened later starts with recent events and a busy log costs
// nothing.
func (f *Feed) Run(ctx context.Context) error {
	defer f.stop()
	following := false // next is where a glance has ended, with a watcher there
	for {
		var err error
		if following && f.watched() {
			err = f.follow(ctx)
		} else {
			err = f.glance(ctx)
			following = err == nil && f.watched()
		}
		if following && err == nil {
			continue
		}
		following = false
		switch {
		case ctx.Err() != nil || errors.Is(err, eventlog.ErrClosed):
			return nil
		case err != nil && !errors.Is(err, eventlog.ErrTrimmed): // left behind: the next glance begins anew
			f.opts.Logger.Warn("live view cannot read the event log", "err", err)
		}
		if !f.pause(ctx) {
			return nil
		}
	}
}

// pause waits for the time of the next glance or for a first watcher; false
// when ctx has ended.
func (f *Feed) pause(ctx context.Context) bool {
	timer := time.NewTimer(f.opts.GlanceEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-f.wake:
	case <-timer.C:
	}
	return true
}

// follow shows the next records, waiting for them.
func (f *Feed) follow(ctx context.Context) error {
	b, err := f.log.Read(ctx, f.next, 500)
	if err != nil {
		return fmt.Errorf("follow event log: %w", err)
	}
	f.publish(b)
	return nil
}

// glance shows the newest records that were not shown yet and does not wait.
func (f *Feed) glance(ctx context.Context) error {
	_, end, err := f.log.Bounds(ctx)
	if err != nil {
		return fmt.Errorf("bounds of event log: %w", err)
	}
	if end == f.next {
		return nil
	}
	from, err := f.log.Tail(ctx, glance)
	if err != nil {
		return fmt.Errorf("tail of event log: %w", err)
	}
	for seen := 0; from != end && seen < glance; {
		b, err := f.log.Read(ctx, from, glance-seen)
		if err != nil {
			return fmt.Errorf("read tail of event log: %w", err)
		}
		f.publish(b)
		from = b.Next
		seen += len(b.Records)
	}
	f.next = from
	return nil
}

// publish hands records that were not shown before to the ring and to whom they concern.
func (f *Feed) publish(b eventlog.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range b.Records {
		r := &b.Records[i]
		if last, ok := f.last[r.Partition]; ok && r.Offset <= last {
			continue
		}
		f.last[r.Partition] = r.Offset
		e := eventOf(r)
		f.recent.add(e)
		for s := range f.watchers {
			if s.filter == nil || s.filter(e.WriteKey) {
				s.sendLocked(e)
			}
		}
	}
	f.next = b.Next
}

func (f *Feed) watched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watchers) > 0
}

// stop ends every subscription, so that those who range over one return.
func (f *Feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	for s := range f.watchers {
		f.dropLocked(s)
	}
}

// dropLocked forgets a watcher and closes its channel, once.
func (f *Feed) dropLocked(s *Subscription) {
	if _, ok := f.watchers[s]; !ok {
		return
	}
	delete(f.watchers, s)
	close(s.c)
}
