package logtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"github.com/tagmill/tagmill/events/eventlog"
)

// Machine is a computer that runs a log of one partition.
type Machine interface {
	// Open starts the log on what the disk holds.
	Open() (eventlog.Log, error)
	// Cut is a power cut now, whatever runs: it returns the machine as it
	// would be found afterwards, its disk without some, all or none of what
	// was not flushed. The machine that it is called on goes on undisturbed.
	Cut(rng *rand.Rand) Machine
}

// PowerCuts runs appenders, a reader and trimming on a machine, cuts its power
// at a random moment, starts it again, and so on, as often as cuts says. It
// returns the first broken promise:
//
//   - a record that was acknowledged, or that a reader was shown, is there;
//   - none is there that nobody appended, none twice, none altered;
//   - each appender's records are in its order, and offsets stay what they were;
//   - a cursor is where it was last set, or where it was being set;
//   - trimming took nothing at or after the lowest cursor.
func PowerCuts(seed uint64, cuts int, m Machine) error {
	rng := rand.New(rand.NewPCG(seed, 0))
	c := &crashes{attempted: make(map[string]bool)}
	for n := range cuts {
		next, err := c.cycle(rng, m)
		if err != nil {
			return fmt.Errorf("seed %d, before power cut %d: %w", seed, n, err)
		}
		m = next
	}
	l, err := m.Open()
	if err != nil {
		return fmt.Errorf("seed %d: open after the last power cut: %w", seed, err)
	}
	err = c.check(l)
	if err != nil {
		err = fmt.Errorf("seed %d, after the last power cut: %w", seed, err)
	}
	return errors.Join(err, l.Close())
}

const (
	crashAppenders = 3
	crashCursor    = "reader"
	// crashAppends bounds what one appender does between two power cuts, and
	// crashRecords what is left for the reader, so that the log, all of which
	// is checked after every cut, stays small whatever the scheduler does.
	crashAppends = 40
	crashRecords = 500
)

// crashes is what must be true of the log, and what may be.
type crashes struct {
	number int // of the next record

	mu        sync.Mutex
	cut       bool             // the power is off: what is acknowledged now is not promised
	attempted map[string]bool  // message ids that may be in the log
	acked     []string         // in the present cycle
	known     map[int64]string // promised, by offset
	seen      map[string]int64 // offset of all that the reader was shown in this cycle, promised or not
	cursors   []int64          // the cursor's last promised place, then places it may have got to
	events    int              // acknowledged operations in this cycle
	cutAt     int              // events at which the power is cut
	cutNow    chan struct{}
}

func (c *crashes) begin(n int) []eventlog.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	records := Records(c.number, n)
	c.number += n
	for _, r := range records {
		c.attempted[r.MessageID] = true
	}
	return records
}

// promise notes what the log has just acknowledged, unless the power was cut before.
func (c *crashes) promise(note func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return
	}
	note()
	if c.events++; c.events == c.cutAt {
		close(c.cutNow)
	}
}

// trimmable is how far a Trim may have gone.
func (c *crashes) trimmable() int64 {
	var most int64
	for _, at := range c.cursors {
		most = max(most, at)
	}
	return most
}

// cycle starts the machine, checks the log, works on it and cuts the power.
func (c *crashes) cycle(rng *rand.Rand, m Machine) (Machine, error) {
	// Now and then the power goes while the log is being opened.
	if rng.IntN(5) == 0 {
		cut := make(chan Machine)
		cutRNG := rand.New(rand.NewPCG(rng.Uint64(), 1))
		go func() { cut <- m.Cut(cutRNG) }()
		l, err := m.Open()
		m = <-cut
		if err != nil {
			return nil, fmt.Errorf("open: %w", err)
		}
		l.Close()
	}
	l, err := m.Open()
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	if err := c.check(l); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if len(c.known) > crashRecords {
		if err := c.catchUp(l); err != nil {
			return nil, errors.Join(fmt.Errorf("catch up: %w", err), l.Close())
		}
	}
	c.cut, c.events, c.cutAt, c.cutNow = false, 0, 1+rng.IntN(30), make(chan struct{})

	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	problems := make(chan error, crashAppenders+1)
	for a := range crashAppenders {
		own := rand.New(rand.NewPCG(rng.Uint64(), uint64(a)))
		wg.Go(func() { problems <- c.appendUntil(ctx, l, own, a) })
	}
	own := rand.New(rand.NewPCG(rng.Uint64(), 99))
	wg.Go(func() { problems <- c.readUntil(ctx, l, own) })

	select {
	case <-c.cutNow:
	case err := <-problems: // one that ends before it is told has met an error
		stop()
		wg.Wait()
		return nil, errors.Join(fmt.Errorf("before the power was cut: %w", err), l.Close())
	}
	c.mu.Lock()
	c.cut = true
	c.mu.Unlock()
	next := m.Cut(rng)
	stop()
	wg.Wait()
	close(problems)
	for err := range problems {
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return next, l.Close()
}

func (c *crashes) appendUntil(ctx context.Context, l eventlog.Log, rng *rand.Rand, appender int) error {
	for range crashAppends {
		records := c.begin(1 + rng.IntN(4))
		for i := range records {
			records[i].Key = uint64(appender)
		}
		if err := l.Append(ctx, records); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("append: %w", err)
		}
		c.promise(func() {
			for _, r := range records {
				c.acked = append(c.acked, r.MessageID)
			}
		})
	}
	<-ctx.Done()
	return nil
}

// catchUp moves the cursor near the end of a log that nobody else uses, and trims.
func (c *crashes) catchUp(l eventlog.Log) error {
	ctx := context.Background()
	at, err := l.Tail(ctx, 50)
	if err != nil {
		return err
	}
	b, err := l.Read(ctx, at, 1)
	if err != nil {
		return err
	}
	c.cursors = append(c.cursors, b.Records[0].Offset)
	if err := l.SetCursor(ctx, crashCursor, at); err != nil {
		return err
	}
	c.cursors = []int64{b.Records[0].Offset}
	return l.Trim(ctx)
}

// readUntil follows the log with a cursor and trims behind it.
func (c *crashes) readUntil(ctx context.Context, l eventlog.Log, rng *rand.Rand) error {
	at, err := l.Cursor(ctx, crashCursor)
	for err == nil {
		var b eventlog.Batch
		if b, err = l.Read(ctx, at, 1+rng.IntN(12)); err != nil {
			break
		}
		c.mu.Lock()
		for _, r := range b.Records {
			c.seen[r.MessageID] = r.Offset
		}
		c.mu.Unlock()
		// Who was shown a record may act on it: it must not vanish.
		c.promise(func() {
			for _, r := range b.Records {
				c.known[r.Offset] = r.MessageID
			}
		})
		at = b.Next
		place := b.Records[len(b.Records)-1].Offset + 1
		switch rng.IntN(3) {
		case 0:
			continue
		case 1:
			c.mu.Lock()
			c.cursors = append(c.cursors, place)
			c.mu.Unlock()
			if err = l.SetCursor(ctx, crashCursor, at); err == nil {
				c.promise(func() { c.cursors = []int64{place} })
			}
		case 2:
			err = l.Trim(ctx)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("reader: %w", err)
}

// check compares a log that was just opened with the promises, and takes what
// it holds as promised from now on.
func (c *crashes) check(l eventlog.Log) error {
	ctx := context.Background()
	got, err := All(ctx, l)
	if err != nil {
		return fmt.Errorf("read all: %w", err)
	}
	if err := c.checkRecords(got); err != nil {
		return err
	}
	if err := c.checkCursor(ctx, l); err != nil {
		return err
	}
	c.acked, c.known, c.seen = nil, make(map[int64]string), make(map[string]int64)
	for _, r := range got {
		c.known[r.Offset] = r.MessageID
	}
	return nil
}

func (c *crashes) checkRecords(got []eventlog.Record) error {
	ids := make(map[string]bool)
	at := make(map[int64]string)
	var last [crashAppenders]int
	for i, r := range got {
		n, err := strconv.Atoi(strings.TrimPrefix(r.MessageID, "m-"))
		if err != nil || !c.attempted[r.MessageID] {
			return fmt.Errorf("offset %d: record %q was never appended", r.Offset, r.MessageID)
		}
		if ids[r.MessageID] {
			return fmt.Errorf("offset %d: record %q is there twice", r.Offset, r.MessageID)
		}
		want := Record(n)
		want.Key = r.Key
		if err := Same(r, want); err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		if i > 0 && r.Offset <= got[i-1].Offset {
			return fmt.Errorf("offset %d after %d", r.Offset, got[i-1].Offset)
		}
		if n < last[r.Key] {
			return fmt.Errorf("offset %d: record %d of appender %d after %d", r.Offset, n, r.Key, last[r.Key])
		}
		last[r.Key] = n
		ids[r.MessageID], at[r.Offset] = true, r.MessageID
	}
	// Known records have offsets, so it is known which of them may be trimmed.
	trimmed := make(map[string]bool)
	for id, offset := range c.seen {
		trimmed[id] = offset < c.trimmable()
	}
	for offset, id := range c.known {
		switch {
		case at[offset] == id:
		case at[offset] != "":
			return fmt.Errorf("offset %d: was %q, is %q", offset, id, at[offset])
		case offset >= c.trimmable():
			return fmt.Errorf("offset %d: record %q, which was read before, is gone", offset, id)
		default:
			trimmed[id] = true
		}
	}
	for _, id := range c.acked {
		if !ids[id] && !trimmed[id] {
			return fmt.Errorf("record %q was acknowledged and is gone", id)
		}
	}
	return nil
}

func (c *crashes) checkCursor(ctx context.Context, l eventlog.Log) error {
	cursor, err := l.Cursor(ctx, crashCursor)
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	if cursor == "" {
		if len(c.cursors) > 0 && c.cursors[0] > 0 {
			return fmt.Errorf("cursor was promised at %d and is gone", c.cursors[0])
		}
		// The place before any record stands for a cursor that was never set.
		c.cursors = []int64{0}
		return nil
	}
	id, _, _ := strings.Cut(string(cursor), ":")
	p, err := eventlog.ParseCursor(cursor, id)
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	for _, at := range c.cursors {
		if at == p.Offset(0) {
			c.cursors = []int64{at}
			return nil
		}
	}
	return fmt.Errorf("cursor is at %d, was set to one of %v", p.Offset(0), c.cursors)
}
