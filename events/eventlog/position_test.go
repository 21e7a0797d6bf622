package eventlog

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCursorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Position{LogID: rapid.StringMatching(`[0-9a-f]{16}`).Draw(t, "id")}
		for partition := range rapid.Int32Range(0, 8).Draw(t, "partitions") {
			p.Next = append(p.Next, PartitionOffset{partition * 3, rapid.Int64Min(0).Draw(t, "offset")})
		}
		got, err := ParseCursor(p.Cursor(), p.LogID)
		if err != nil || got.LogID != p.LogID || !slices.Equal(got.Next, p.Next) {
			t.Fatalf("%q: %+v, %v", p.Cursor(), got, err)
		}
		for _, n := range p.Next {
			if got.Offset(n.Partition) != n.Offset {
				t.Fatalf("%q: partition %d at %d", p.Cursor(), n.Partition, got.Offset(n.Partition))
			}
		}
		if got.Offset(1000) != 0 {
			t.Fatal("a partition that is not named has an offset")
		}
	})
}

func TestParseCursorNamesTheMistake(t *testing.T) {
	for cursor, says := range map[Cursor]string{
		"x":                       "not of the form",
		":0-1":                    "not of the form",
		"other:0-1":               "another log",
		"log:a-1":                 `partition "a"`,
		"log:-1-1":                `partition ""`,
		"log:4294967296-1":        "partition",
		"log:0-x":                 `offset "x"`,
		"log:0":                   `offset ""`,
		"log:0-1,":                "",
		"log:1-1,0-1":             "do not rise",
		"log:0-1,0-2":             "do not rise",
		"log:0-18446744073709551": "",
	} {
		_, err := ParseCursor(cursor, "log")
		if says == "" {
			if err != nil {
				t.Errorf("%q: %v", cursor, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), string(cursor)) {
			t.Errorf("%q: %v", cursor, err)
		}
	}
}

func TestPartialErrorIsItsRecordsErrors(t *testing.T) {
	err := error(&PartialError{Errs: []error{nil, ErrFull, nil}})
	if !errors.Is(err, ErrFull) || errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), ErrFull.Error()) {
		t.Fatal(err)
	}
}

func TestKindNames(t *testing.T) {
	for kind, name := range map[Kind]string{Event: "event", Discard: "discard", Unresolved: "unresolved", 9: "kind 9"} {
		if kind.String() != name {
			t.Errorf("%d is %q, want %q", kind, kind.String(), name)
		}
	}
}
