package logtest

import (
	"errors"
	"strings"
	"testing"

	"github.com/tagmill/tagmill/events/eventlog"
)

func setCursor(t *testing.T, l eventlog.Log, name string, c eventlog.Cursor) {
	t.Helper()
	if err := l.SetCursor(t.Context(), name, c); err != nil {
		t.Fatalf("set cursor %s: %v", name, err)
	}
}

func cursor(t *testing.T, l eventlog.Log, name string) eventlog.Cursor {
	t.Helper()
	c, err := l.Cursor(t.Context(), name)
	if err != nil {
		t.Fatalf("cursor %s: %v", name, err)
	}
	return c
}

func namedCursors(t *testing.T, l eventlog.Log) {
	if c := cursor(t, l, "nobody"); c != "" {
		t.Fatalf("never set, got %q", c)
	}
	mustAppend(t, l, Records(0, 10)...)
	b, err := l.Read(t.Context(), "", 4)
	if err != nil {
		t.Fatal(err)
	}
	_, end := bounds(t, l)
	setCursor(t, l, "archive", b.Next)
	setCursor(t, l, "delivery", end)
	if got := cursor(t, l, "archive"); got != b.Next {
		t.Fatalf("got %q, want %q", got, b.Next)
	}
	if _, after := bounds(t, l); after != end {
		t.Fatalf("setting cursors moved the end from %q to %q", end, after)
	}
	rest, err := l.Read(t.Context(), cursor(t, l, "archive"), 100)
	if err != nil {
		t.Fatal(err)
	}
	wantRecords(t, rest.Records, Records(4, 6))
	if s := l.Stats(); len(s.Cursors) != 2 || s.Cursors[0] != (eventlog.CursorStats{Name: "archive", Lag: 6}) || s.Cursors[1] != (eventlog.CursorStats{Name: "delivery"}) {
		t.Fatalf("stats of cursors: %+v", s.Cursors)
	}
	oldest, _ := bounds(t, l)
	setCursor(t, l, "archive", oldest) // back
	if got := cursor(t, l, "archive"); got != oldest {
		t.Fatalf("after going back: %q", got)
	}
	if err := l.DropCursor(t.Context(), "archive"); err != nil {
		t.Fatal(err)
	}
	if c := cursor(t, l, "archive"); c != "" {
		t.Fatalf("dropped, got %q", c)
	}
	if err := l.DropCursor(t.Context(), "never-set"); err != nil {
		t.Fatalf("dropping what is not there: %v", err)
	}
}

func refusesBadCursors(t *testing.T, l eventlog.Log) {
	mustAppend(t, l, Record(0))
	_, end := bounds(t, l)
	id, _, _ := strings.Cut(string(end), ":")
	other := strings.Repeat("0", len(id))
	for _, c := range []eventlog.Cursor{
		"nonsense", ":", "::", eventlog.Cursor(id), eventlog.Cursor(id + ":x"), eventlog.Cursor(id + ":0"),
		eventlog.Cursor(id + ":0--1"), eventlog.Cursor(id + ":0-1-2"), eventlog.Cursor(id + ":0-99999999999999999999"),
		eventlog.Cursor(id + ":1-1,0-1"), eventlog.Cursor(other + ":0-0"), eventlog.Cursor(id + ":0-1000000"),
	} {
		if _, err := l.Read(t.Context(), c, 1); err == nil {
			t.Errorf("read at cursor %q was accepted", c)
		}
		if err := l.SetCursor(t.Context(), "a", c); err == nil {
			t.Errorf("cursor %q was set", c)
		}
	}
	for _, name := range []string{"", "with space", "new\nline", "é", strings.Repeat("n", 201)} {
		if err := l.SetCursor(t.Context(), name, end); err == nil {
			t.Errorf("cursor name %q was accepted", name)
		}
	}
	if c := cursor(t, l, "a"); c != "" {
		t.Fatalf("a refused cursor was kept: %q", c)
	}
}

// fill appends in many steps, so that there is something to trim whatever an
// engine's unit of trimming is.
func fill(t *testing.T, l eventlog.Log, from, n int) {
	t.Helper()
	const step = 25
	for i := 0; i < n; i += step {
		mustAppend(t, l, Records(from+i, step)...)
	}
}

func trim(t *testing.T, l eventlog.Log) {
	t.Helper()
	if err := l.Trim(t.Context()); err != nil {
		t.Fatalf("trim: %v", err)
	}
}

func trimKeeps(t *testing.T, l eventlog.Log) {
	fill(t, l, 0, 200)
	b, err := l.Read(t.Context(), "", 110)
	if err != nil {
		t.Fatal(err)
	}
	read := len(b.Records)
	setCursor(t, l, "slow", b.Next)
	_, end := bounds(t, l)
	setCursor(t, l, "quick", end)
	trim(t, l)
	rest, err := l.Read(t.Context(), b.Next, 1000)
	if err != nil {
		t.Fatal(err)
	}
	wantRecords(t, rest.Records, Records(read, 200-read))

	// Records before the cursor may be there, in order, but none may be invented.
	got := mustRead(t, l)
	wantRecords(t, got, Records(200-len(got), len(got)))

	// The log goes on, also when nothing at all is left.
	setCursor(t, l, "slow", end)
	trim(t, l)
	trim(t, l)
	fill(t, l, 200, 50)
	after, err := l.Read(t.Context(), cursor(t, l, "slow"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	wantRecords(t, after.Records, Records(200, 50))
	if c := cursor(t, l, "quick"); c != end {
		t.Fatalf("trimming moved a cursor from %q to %q", end, c)
	}
}

func trimWithoutCursors(t *testing.T, l eventlog.Log) {
	trim(t, l)
	fill(t, l, 0, 100)
	trim(t, l)
	wantRecords(t, mustRead(t, l), Records(0, 100))
	setCursor(t, l, "pins", "")
	trim(t, l)
	wantRecords(t, mustRead(t, l), Records(0, 100))
}

func readerLeftBehind(t *testing.T, l eventlog.Log) {
	fill(t, l, 0, 200)
	oldest, end := bounds(t, l)
	setCursor(t, l, "only", end)
	trim(t, l)
	if _, err := l.Read(t.Context(), oldest, 1); !errors.Is(err, eventlog.ErrTrimmed) {
		t.Fatalf("got %v, want ErrTrimmed", err)
	}
	mustAppend(t, l, Record(200))
	// The empty cursor is the oldest record kept, never an error.
	b, err := l.Read(t.Context(), "", 1)
	if err != nil || len(b.Records) != 1 {
		t.Fatalf("read from the oldest: %v, %v", b, err)
	}
}

func tail(t *testing.T, l eventlog.Log) {
	at := func(n int) eventlog.Cursor {
		c, err := l.Tail(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if oldest, end := bounds(t, l); at(10) != end || oldest != end {
		t.Fatalf("empty log: tail %q, bounds %q %q", at(10), oldest, end)
	}
	fill(t, l, 0, 50)
	oldest, end := bounds(t, l)
	if at(0) != end || at(-1) != end {
		t.Fatalf("the last 0: %q, end %q", at(0), end)
	}
	if at(1000) != oldest {
		t.Fatalf("more than there are: %q, oldest %q", at(1000), oldest)
	}
	b, err := l.Read(t.Context(), at(7), 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Records) > 7 {
		t.Fatalf("%d records, at most 7 were asked for", len(b.Records))
	}
	wantRecords(t, b.Records, Records(50-len(b.Records), len(b.Records)))
}

func stats(t *testing.T, l eventlog.Log) {
	if s := l.Stats(); s.Records != 0 || !s.Oldest.IsZero() || s.Full {
		t.Fatalf("empty log: %+v", s)
	}
	mustAppend(t, l, Records(0, 5)...)
	first := mustRead(t, l)[0]
	if s := l.Stats(); s.Records != 5 || !s.Oldest.Equal(first.AppendTime) || s.Bytes <= 0 {
		t.Fatalf("after 5 records: %+v", s)
	}
}
