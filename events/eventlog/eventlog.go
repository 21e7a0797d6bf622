// Package eventlog is the durable log between the collector and everything
// that reads events: its vocabulary and the interface its engines satisfy. It
// knows nothing of what a record's value means.
package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind says what a record is.
type Kind uint8

// The kinds of record. The numbers are stored.
const (
	Event      Kind = 1 // value is a canonical event
	Discard    Kind = 2 // value is a discard record: a code and what is worth keeping of the event
	Unresolved Kind = 3 // an event whose write key this collector's stale settings did not know; readers resolve it
)

// String returns "event", "discard" or "unresolved", the name in dumps and views.
func (k Kind) String() string {
	switch k {
	case Event:
		return "event"
	case Discard:
		return "discard"
	case Unresolved:
		return "unresolved"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Record is one entry. Append reads it and keeps nothing of it after it returns.
type Record struct {
	Kind Kind
	// Key decides the partition: hash(writeKey, anonymousId|userId|messageId).
	// A client's retry is byte-identical, so it lands in the same partition.
	Key       uint64
	WriteKey  string
	MessageID string
	// ReceivedAt is stamped once, by the collector; kept to the microsecond.
	ReceivedAt time.Time
	Value      []byte // at most MaxValueBytes

	// Set by the engine, ignored by Append. Order is (Partition, Offset),
	// never time. Offsets increase; gaps are allowed.
	Partition  int32
	Offset     int64
	AppendTime time.Time
}

// Limits of one record, the same in every engine, so that a record accepted by
// one can be forwarded to another (Kafka refuses messages over 1 MiB by default).
const (
	MaxValueBytes = 512 << 10
	MaxKeyBytes   = 1 << 10 // of WriteKey, and of MessageID
)

// Check returns an error when no log can take the record.
func (r *Record) Check() error {
	switch {
	case r.Kind != Event && r.Kind != Discard && r.Kind != Unresolved:
		return fmt.Errorf("record %q: unknown kind %d", r.MessageID, r.Kind)
	case len(r.Value) > MaxValueBytes:
		return fmt.Errorf("record %q: value of %d bytes, at most %d are kept", r.MessageID, len(r.Value), MaxValueBytes)
	case len(r.WriteKey) > MaxKeyBytes:
		return fmt.Errorf("record: write key of %d bytes, at most %d are kept", len(r.WriteKey), MaxKeyBytes)
	case len(r.MessageID) > MaxKeyBytes:
		return fmt.Errorf("record: message id of %d bytes, at most %d are kept", len(r.MessageID), MaxKeyBytes)
	}
	return nil
}

// Cursor is a place in the log, opaque to callers, printable, valid only for
// the log that gave it. The empty cursor is the oldest record kept.
type Cursor string

// Batch is what one Read returns.
type Batch struct {
	Records []Record // owned by the caller
	Next    Cursor   // the place after the last of them
}

// Stats describe a log at one moment.
type Stats struct {
	Records      int64         // appended since open
	Bytes        int64         // physical bytes on disk
	Budget       int64         // physical bytes allowed; 0 when the engine has no such thing
	Oldest       time.Time     // append time of the oldest record kept; zero when empty
	BytesPerHour int64         // growth, averaged; 0 when not known yet
	Full         bool          // Append answers ErrFull
	Left         int64         // physical bytes that can still be appended; 0 when full or the engine has no budget
	Cursors      []CursorStats // sorted by name
}

// DaysLeft is how long the budget lasts at the present growth if nothing is
// trimmed; false when that is not known.
func (s Stats) DaysLeft() (days float64, known bool) {
	if s.Budget == 0 || (s.BytesPerHour <= 0 && !s.Full) {
		return 0, false
	}
	if s.Full {
		return 0, true
	}
	return float64(s.Left) / float64(s.BytesPerHour) / 24, true
}

// CursorStats describe one named cursor.
type CursorStats struct {
	Name string
	Lag  int64 // records behind the end
}

// Log is a durable, partitioned, append-only log. All methods are safe for
// concurrent use.
type Log interface {
	// Append returns nil once every record is durable. Records of one call
	// keep their order within a partition. On a *PartialError the
	// records with a nil entry are durable and the others are not; on any
	// other error none is known to be. ErrFull and ErrUnavailable are worth a
	// retry later.
	Append(ctx context.Context, records []Record) error
	// Read returns records after from, at least one and at most max, waiting
	// until there is one or ctx ends. An engine may return fewer than there
	// are, to bound memory. ErrTrimmed when from has been trimmed.
	Read(ctx context.Context, from Cursor, max int) (Batch, error)
	// Bounds returns the place of the oldest record kept and the place after
	// the newest.
	Bounds(ctx context.Context) (oldest, end Cursor, err error)
	// Tail returns a place with at most n records after it (when called), n of
	// them if the log keeps that many and has one partition: where to start
	// for "the last n".
	Tail(ctx context.Context, n int) (Cursor, error)
	// Cursor returns a named cursor; the empty cursor when it was never set.
	Cursor(ctx context.Context, name string) (Cursor, error)
	// SetCursor makes a named cursor durable. From then on Trim keeps what
	// lies after it. It may move back. Deleting is DropCursor.
	SetCursor(ctx context.Context, name string, c Cursor) error
	// DropCursor forgets a named cursor, and so what Trim kept for it.
	DropCursor(ctx context.Context, name string) error
	// Trim removes records before the lowest named cursor; nothing when
	// there is none, unless retention by age is configured. It removes whole
	// stretches, so some records before the cursor may stay for a while.
	Trim(ctx context.Context) error
	Stats() Stats
	Close() error
}

// Errors of a Log.
var (
	// ErrFull: the disk budget is reached. Answer 503 and try again later.
	ErrFull = errors.New("event log is full")
	// ErrUnavailable: the engine cannot make anything durable now.
	ErrUnavailable = errors.New("event log is unavailable")
	// ErrTrimmed: the reader was left behind; go on from the archive, or from Bounds.
	ErrTrimmed = errors.New("records at this cursor have been trimmed")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("event log is closed")
)

// PartialError is an Append of which some records are durable.
type PartialError struct{ Errs []error } // one per record, nil: durable

func (e *PartialError) Error() string {
	errs := e.Unwrap()
	if len(errs) == 0 {
		return "no record is refused"
	}
	return fmt.Sprintf("%d of %d records are not durable: %v", len(errs), len(e.Errs), errs[0])
}

// Unwrap gives the errors of the records that are not durable.
func (e *PartialError) Unwrap() []error {
	var errs []error
	for _, err := range e.Errs {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}
