package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

// mustFail opens a log and returns the error, which must name the directory.
func mustFail(t *testing.T, dir string, wants ...string) {
	t.Helper()
	l, err := Open(t.Context(), Options{Dir: dir})
	if err == nil {
		l.Close()
		t.Fatal("opened")
	}
	for _, want := range append(wants, dir) {
		if !strings.Contains(err.Error(), want) {
			t.Fatalf("error does not say %q: %v", want, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(dir string) error
		says    string
	}{
		"a newer format": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, identityFile), []byte(`{"format":2,"log":"0011223344556677"}`), 0o600)
		}, "run the newer tagmill"},
		"a format file that is no JSON": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, identityFile), []byte("1\n"), 0o600)
		}, "restore it from a backup"},
		"an id that is none": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, identityFile), []byte(`{"format":1,"log":"x"}`), 0o600)
		}, "not 16 hex digits"},
		"a lost format file": {func(dir string) error {
			l, err := Open(context.Background(), Options{Dir: dir})
			if err != nil {
				return err
			}
			return errors.Join(l.Close(), os.Remove(filepath.Join(dir, identityFile)))
		}, "restore it from a backup"},
		"a file in its place": {func(dir string) error {
			return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600))
		}, "there is a file of that name"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			if err := errors.Join(os.Mkdir(dir, 0o700), c.prepare(dir)); err != nil {
				t.Fatal(err)
			}
			mustFail(t, dir, c.says)
		})
	}
	if _, err := Open(t.Context(), Options{}); err == nil {
		t.Fatal("no directory was accepted")
	}
	if _, err := Open(t.Context(), Options{Dir: t.TempDir(), Budget: 100 << 20}); err == nil || !strings.Contains(err.Error(), "1024 MB") {
		t.Fatalf("a budget below its headroom: %v", err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	mustFail(t, dir, "in use", "stop that one")
	if _, err := Verify(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("verify of a running log: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Options{Dir: dir})

	// And by another process.
	cmd := exec.Command(os.Args[0], "-test.run=^TestOpenInAnotherProcess$")
	cmd.Env = append(os.Environ(), "EVENTLOG_TEST_DIR="+dir)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use by another process") || !strings.Contains(string(out), dir) {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestOpenInAnotherProcess is that other process; alone it opens a log of its own.
func TestOpenInAnotherProcess(t *testing.T) {
	dir := os.Getenv("EVENTLOG_TEST_DIR")
	if dir == "" {
		dir = t.TempDir()
	}
	open(t, Options{Dir: dir})
}

func TestReopenKeepsRecordsOffsetsAndCursors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	var end eventlog.Cursor
	for round := range 5 {
		l := open(t, Options{Dir: dir, memTableBytes: 64 << 10})
		got, err := logtest.All(t.Context(), l)
		if err != nil || len(got) != round*300 {
			t.Fatalf("round %d: %d records, %v", round, len(got), err)
		}
		for i, r := range got {
			if err := logtest.Same(r, logtest.Record(i)); err != nil || r.Offset != int64(i) {
				t.Fatalf("round %d, offset %d: %v", round, r.Offset, err)
			}
		}
		if c, err := l.Cursor(t.Context(), "a"); err != nil || c != end {
			t.Fatalf("round %d: cursor %q, %v, want %q", round, c, err, end)
		}
		for i := 0; i < 300; i += 10 {
			if err := l.Append(t.Context(), logtest.Records(round*300+i, 10)); err != nil {
				t.Fatal(err)
			}
		}
		_, end, _ = l.Bounds(t.Context())
		if err := l.SetCursor(t.Context(), "a", end); err != nil {
			t.Fatal(err)
		}
		if round%2 == 0 { // the cursors' last block before and after records
			end = l.place(int64(round))
			if err := l.SetCursor(t.Context(), "a", end); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerifyAndDump(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Options{Dir: dir})
	for i := range 10 {
		if err := l.Append(t.Context(), logtest.Records(i*10, 10)); err != nil {
			t.Fatal(err)
		}
	}
	noJSON := logtest.Record(100)
	noJSON.Value = []byte("\xff")
	if err := l.Append(t.Context(), []eventlog.Record{noJSON}); err != nil {
		t.Fatal(err)
	}
	if err := l.SetCursor(t.Context(), "archive", l.place(40)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	r, err := Verify(t.Context(), Options{Dir: dir})
	if err != nil || !r.OK() || r.Records != 101 || r.Next != 101 || r.Cursors["archive"] != 40 || r.OldestTime.IsZero() {
		t.Fatalf("%+v, %v", r, err)
	}
	var out bytes.Buffer
	if err := Dump(t.Context(), Options{Dir: dir}, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 101 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		var got struct {
			Offset          int64
			Kind, MessageID string
			Value           struct{ N int }
			ValueBase64     []byte
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		want := logtest.Record(i)
		if got.Offset != int64(i) || got.Kind != want.Kind.String() || got.MessageID != want.MessageID || (i < 100 && got.Value.N != i) {
			t.Fatalf("line %d: %s", i, line)
		}
		if i == 100 && string(got.ValueBase64) != "\xff" {
			t.Fatalf("line %d: %s", i, line)
		}
	}
	if after := contents(t, dir); after != before {
		t.Fatalf("reading a stopped log changed it:\n%s\n%s", before, after)
	}
	if _, err := Verify(t.Context(), Options{Dir: filepath.Join(dir, "nowhere")}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("nothing there: %v", err)
	}
	if err := Dump(t.Context(), Options{Dir: t.TempDir()}, &out); err == nil || !strings.Contains(err.Error(), "there is no log") {
		t.Fatalf("empty directory: %v", err)
	}
}

// contents names every file in a directory with the hash of its content.
func contents(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %x\n", e.Name(), sha256.Sum256(b))
	}
	return out.String()
}
