// Package logtest is what every engine of the event log must pass: Run is the
// contract of eventlog.Log, PowerCuts and Kills are its durability.
package logtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tagmill/tagmill/events/eventlog"
)

// Run checks the contract on logs given by open: each empty, of its own, and
// closed by the test.
func Run(t *testing.T, open func(t *testing.T) eventlog.Log) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, l eventlog.Log)
	}{
		{"ReadsWhatWasAppended", readsWhatWasAppended},
		{"KeepsOrderOfEachAppender", keepsOrder},
		{"RefusesOnlyTheBadRecords", refusesBadRecords},
		{"TakesMoreThanOneBlock", takesMuch},
		{"KeepsNothingOfItsArguments", keepsNothing},
		{"GivesRecordsAway", givesAway},
		{"ReadWaits", readWaits},
		{"ReadEndsWithItsContext", readEnds},
		{"CloseEndsReaders", closeEndsReaders},
		{"ClosedLogSaysSo", closedSaysSo},
		{"NamedCursors", namedCursors},
		{"RefusesBadCursors", refusesBadCursors},
		{"TrimKeepsWhatACursorNeeds", trimKeeps},
		{"TrimWithoutCursorsDoesNothing", trimWithoutCursors},
		{"ReaderLeftBehind", readerLeftBehind},
		{"Tail", tail},
		{"Stats", stats},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t)
			defer func() {
				if err := l.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			c.test(t, l)
		})
	}
}

// Record returns a record that can be told from any other by n.
func Record(n int) eventlog.Record {
	kinds := []eventlog.Kind{eventlog.Event, eventlog.Event, eventlog.Discard, eventlog.Unresolved}
	return eventlog.Record{
		Kind:       kinds[n%len(kinds)],
		Key:        uint64(n) * 0x9e3779b97f4a7c15,
		WriteKey:   fmt.Sprintf("wk%d", n%3),
		MessageID:  fmt.Sprintf("m-%d", n),
		ReceivedAt: time.UnixMicro(1_700_000_000_000_000 + int64(n)).UTC(),
		Value:      fmt.Appendf(nil, `{"n":%d,"pad":%q}`, n, strings.Repeat("x", n%97)),
	}
}

// Records returns n records, the first numbered from.
func Records(from, n int) []eventlog.Record {
	out := make([]eventlog.Record, n)
	for i := range out {
		out[i] = Record(from + i)
	}
	return out
}

// Same returns an error when got is not want as read back.
func Same(got, want eventlog.Record) error {
	if got.Kind != want.Kind || got.Key != want.Key || got.WriteKey != want.WriteKey || got.MessageID != want.MessageID ||
		!got.ReceivedAt.Equal(want.ReceivedAt) || string(got.Value) != string(want.Value) {
		return fmt.Errorf("got %+v, want %+v", got, want)
	}
	return nil
}

// All reads every record that the log has now, from its oldest.
func All(ctx context.Context, l eventlog.Log) ([]eventlog.Record, error) {
	from, end, err := l.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	var out []eventlog.Record
	for from != end {
		b, err := l.Read(ctx, from, 1000)
		if err != nil {
			return out, err
		}
		out = append(out, b.Records...)
		from = b.Next
	}
	return out, nil
}

func mustAppend(t *testing.T, l eventlog.Log, records ...eventlog.Record) {
	t.Helper()
	if err := l.Append(t.Context(), records); err != nil {
		t.Fatalf("append: %v", err)
	}
}

func mustRead(t *testing.T, l eventlog.Log) []eventlog.Record {
	t.Helper()
	got, err := All(t.Context(), l)
	if err != nil {
		t.Fatalf("read all: %v", err)
	}
	return got
}

func bounds(t *testing.T, l eventlog.Log) (oldest, end eventlog.Cursor) {
	t.Helper()
	oldest, end, err := l.Bounds(t.Context())
	if err != nil {
		t.Fatalf("bounds: %v", err)
	}
	return oldest, end
}

func wantRecords(t *testing.T, got, want []eventlog.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("read %d records, want %d", len(got), len(want))
	}
	for i := range got {
		if err := Same(got[i], want[i]); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		if got[i].AppendTime.IsZero() {
			t.Fatalf("record %d has no append time", i)
		}
		if i > 0 && got[i].Partition == got[i-1].Partition {
			if got[i].Offset <= got[i-1].Offset {
				t.Fatalf("offset %d after %d", got[i].Offset, got[i-1].Offset)
			}
			if got[i].AppendTime.Before(got[i-1].AppendTime) {
				t.Fatalf("append time falls at offset %d", got[i].Offset)
			}
		}
	}
}

func readsWhatWasAppended(t *testing.T, l eventlog.Log) {
	mustAppend(t, l) // nothing at all is fine
	want := Records(0, 300)
	want[7].Value = []byte{}
	want[8].Key = ^uint64(0)
	want[9].MessageID, want[9].WriteKey = "", ""
	want[10].Value = []byte("\x00\xff not JSON \xf0")
	want[11].ReceivedAt = time.UnixMicro(-1).UTC()
	want[12].ReceivedAt = time.Time{}
	for i := 0; i < len(want); i += 50 {
		mustAppend(t, l, want[i:i+50]...)
	}
	wantRecords(t, mustRead(t, l), want)

	// The same again in steps of any size.
	var got []eventlog.Record
	from := eventlog.Cursor("")
	for step := 1; len(got) < len(want); step = step%7 + 1 {
		b, err := l.Read(t.Context(), from, step)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Records) < 1 || len(b.Records) > step {
			t.Fatalf("%d records for max %d", len(b.Records), step)
		}
		got, from = append(got, b.Records...), b.Next
	}
	wantRecords(t, got, want)
	if _, end := bounds(t, l); from != end {
		t.Fatalf("read to the end: at %q, end is %q", from, end)
	}
	if _, err := l.Read(t.Context(), "", 0); err == nil {
		t.Fatal("max 0 was accepted")
	}
}

func keepsOrder(t *testing.T, l eventlog.Log) {
	const appenders, each, batch = 16, 60, 3
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for i := 0; i < each; i += batch {
				records := Records(a*each+i, batch)
				for j := range records {
					records[j].Key = uint64(a) // one partition
				}
				if err := l.Append(t.Context(), records); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	next := make([]int, appenders)
	got := mustRead(t, l)
	for _, r := range got {
		a := int(r.Key)
		want := Record(a*each + next[a])
		want.Key = r.Key
		if err := Same(r, want); err != nil {
			t.Fatalf("appender %d: %v", a, err)
		}
		next[a]++
	}
	if len(got) != appenders*each {
		t.Fatalf("%d records, want %d", len(got), appenders*each)
	}
}

func refusesBadRecords(t *testing.T, l eventlog.Log) {
	records := Records(0, 6)
	records[1].Value = make([]byte, eventlog.MaxValueBytes+1)
	records[3].Kind = 77
	records[4].WriteKey = strings.Repeat("k", eventlog.MaxKeyBytes+1)
	err := l.Append(t.Context(), records)
	var partial *eventlog.PartialError
	if !errors.As(err, &partial) {
		t.Fatalf("got %v, want a *PartialError", err)
	}
	if len(partial.Errs) != len(records) {
		t.Fatalf("%d results for %d records", len(partial.Errs), len(records))
	}
	for i, err := range partial.Errs {
		if bad := i == 1 || i == 3 || i == 4; bad != (err != nil) {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	wantRecords(t, mustRead(t, l), []eventlog.Record{records[0], records[2], records[5]})

	if err := l.Append(t.Context(), records[3:4]); !errors.As(err, &partial) {
		t.Fatalf("all bad: got %v, want a *PartialError", err)
	}
}

func takesMuch(t *testing.T, l eventlog.Log) {
	want := Records(0, 40)
	for i := range want {
		want[i].Value = []byte(strings.Repeat(fmt.Sprintf("%d ", i*i), 20_000))
	}
	want[17].Value = make([]byte, eventlog.MaxValueBytes)
	mustAppend(t, l, want...)
	wantRecords(t, mustRead(t, l), want)
}

func keepsNothing(t *testing.T, l eventlog.Log) {
	records := Records(0, 3)
	mustAppend(t, l, records...)
	for i := range records {
		clear(records[i].Value)
		records[i] = eventlog.Record{}
	}
	wantRecords(t, mustRead(t, l), Records(0, 3))
}

func givesAway(t *testing.T, l eventlog.Log) {
	mustAppend(t, l, Records(0, 5)...)
	for _, r := range mustRead(t, l) {
		_ = append(r.Value, "over the neighbour"...)
		clear(r.Value)
	}
	wantRecords(t, mustRead(t, l), Records(0, 5))
}

func readWaits(t *testing.T, l eventlog.Log) {
	mustAppend(t, l, Record(0))
	_, end := bounds(t, l)
	type result struct {
		b   eventlog.Batch
		err error
	}
	const readers = 3
	got := make(chan result, readers)
	for range readers {
		go func() {
			b, err := l.Read(t.Context(), end, 10)
			got <- result{b, err}
		}()
	}
	mustAppend(t, l, Record(1))
	for range readers {
		r := <-got
		if r.err != nil {
			t.Fatal(r.err)
		}
		wantRecords(t, r.b.Records, Records(1, 1))
	}
}

func readEnds(t *testing.T, l eventlog.Log) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := l.Read(ctx, "", 1)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	if err := l.Append(ctx, Records(0, 1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("append: got %v, want context.Canceled", err)
	}
}

func closeEndsReaders(t *testing.T, l eventlog.Log) {
	done := make(chan error)
	go func() {
		_, err := l.Read(t.Context(), "", 1)
		done <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, eventlog.ErrClosed) {
		t.Fatalf("got %v, want ErrClosed", err)
	}
}

func closedSaysSo(t *testing.T, l eventlog.Log) {
	mustAppend(t, l, Record(0))
	for range 2 { // closing twice is fine
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	for what, call := range map[string]func() error{
		"Append":     func() error { return l.Append(ctx, Records(0, 1)) },
		"Read":       func() error { _, err := l.Read(ctx, "", 1); return err },
		"Bounds":     func() error { _, _, err := l.Bounds(ctx); return err },
		"Tail":       func() error { _, err := l.Tail(ctx, 1); return err },
		"Cursor":     func() error { _, err := l.Cursor(ctx, "a"); return err },
		"SetCursor":  func() error { return l.SetCursor(ctx, "a", "") },
		"DropCursor": func() error { return l.DropCursor(ctx, "a") },
		"Trim":       func() error { return l.Trim(ctx) },
	} {
		if err := call(); !errors.Is(err, eventlog.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", what, err)
		}
	}
	l.Stats() // must not panic
}
