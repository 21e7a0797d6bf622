package settings

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestLiveEndsWithTheNewest(t *testing.T) {
	defer goleak.VerifyNone(t)
	l := NewLive(NewSnapshot(0, nil, nil))
	ctx, cancel := context.WithCancel(t.Context())
	const last = 2000
	var wg sync.WaitGroup
	for range 4 {
		ch := l.Watch(ctx)
		// Watchers of the test; wg.Wait below ends with the last.
		wg.Go(func() {
			seen := int64(-1)
			for s := range ch {
				if s.Seq < seen {
					t.Errorf("seq %d after %d", s.Seq, seen)
				}
				if seen = s.Seq; seen == last {
					return
				}
			}
			t.Error("ended before the newest came")
		})
	}
	for w := range 2 {
		// Publishers that overtake each other.
		wg.Go(func() {
			for i := int64(w); i <= last; i += 2 {
				l.Publish(NewSnapshot(i, nil, nil))
			}
		})
	}
	wg.Wait()
	if got := l.Snapshot().Seq; got != last {
		t.Errorf("newest is %d", got)
	}
	cancel()
	l.Close()
	l.Close()
	if _, open := <-l.Watch(t.Context()); open {
		t.Error("a closed Live gave a snapshot")
	}
	l.Publish(NewSnapshot(last+1, nil, nil))
}

func testSnapshot(t *testing.T) *Snapshot {
	t.Helper()
	sealer, err := NewSealer(make([]byte, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	secret := sealer.Seal("src_a", "s3cret")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return RestoreSnapshot(41, []*Workspace{{ID: "ws_a", Slug: "default", Options: Options{Bots: "drop"}}}, []*Source{
		{ID: "src_a", WorkspaceID: "ws_a", Slug: "website", Keys: []WriteKey{{Key: "k", CreatedAt: at}, {Key: "old", RetiredAt: &at}},
			Destinations: []Destination{{ID: "dst_a", Integration: "mixpanel", Settings: map[string]any{"apiSecret": map[string]any{refKey: secret.Ref}}}}},
		{ID: "src_b", WorkspaceID: "ws_a", Slug: "gone", DeletedAt: &at, Keys: []WriteKey{{Key: "gone"}}},
	}, []Sealed{secret})
}

func TestSnapshotFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	if _, err := LoadSnapshot(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	want := testSnapshot(t)
	if err := SaveSnapshot(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := LoadSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Seq != 41 || !same(got.Sources, want.Sources) || !same(got.Deleted(), want.Deleted()) || !same(got.Workspaces, want.Workspaces) || !same(got.Sealed(), want.Sealed()) {
		t.Errorf("got %+v", got)
	}
	if got.SourceByKey("k") == nil || got.SourceByKey("old") != nil || got.SourceByKey("gone") != nil {
		t.Error("keys of the loaded snapshot")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "s3cret") {
		t.Error("the file has a secret in the open")
	}
	for cut := range data {
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadSnapshot(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "remove the file") {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
	for at := range data {
		data[at] ^= 0x10
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadSnapshot(path); err == nil {
			t.Fatalf("byte %d changed: it was taken", at)
		}
		data[at] ^= 0x10
	}
	if err := SaveSnapshot(filepath.Join(path, "below"), want); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("where no file can be: %v", err)
	}
}

// awayStore is a Store that can be opened from the third attempt on.
type awayStore struct {
	*Live
	attempts int
}

func (s *awayStore) open(context.Context) (Store, error) {
	if s.attempts++; s.attempts < 3 {
		return nil, ErrUnavailable
	}
	return s, nil
}

func (s *awayStore) Do(context.Context, string, ...Change) (*Snapshot, error) {
	s.Publish(NewSnapshot(s.Snapshot().Seq+1, nil, nil))
	return s.Snapshot(), nil
}

func (s *awayStore) History(context.Context, string, int64, int) ([]Revision, error) { return nil, nil }

func (s *awayStore) Secret(context.Context, string) (string, error) { return "from the store", nil }

func TestCachedStartsWithoutItsStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	copied := testSnapshot(t)
	if err := SaveSnapshot(path, copied); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sealer, err := NewSealer(make([]byte, KeySize))
		if err != nil {
			t.Fatal(err)
		}
		// Older than the copy, as after restoring a backup.
		away := &awayStore{Live: NewLive(NewSnapshot(7, nil, nil))}
		c, err := OpenCached(ctx, CachedOptions{Path: path, Open: away.open, Sealer: sealer, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ran := make(chan error)
		// Ends with cancel below, which is waited for.
		go func() { ran <- c.Run(ctx) }()

		ref := copied.Sealed()[0].Ref
		if got, err := c.Secret(ctx, ref); got != "s3cret" || err != nil {
			t.Errorf("secret while away: %q, %v", got, err)
		}
		if _, err := c.Do(ctx, "x"); !errors.Is(err, ErrUnavailable) || !c.Stale() {
			t.Errorf("change while away: %v", err)
		}
		if _, err := c.History(ctx, "x", 0, 0); !errors.Is(err, ErrUnavailable) {
			t.Errorf("history while away: %v", err)
		}
		news := c.Watch(ctx)
		if s := <-news; s.Seq != 41 || c.Snapshot().Seq != 41 {
			t.Errorf("while away seq %d", s.Seq)
		}
		synctest.Wait()
		if s := <-news; s.Seq != 7 || c.Stale() { // the second attempt succeeds
			t.Errorf("when back seq %d", s.Seq)
		}
		if s, err := c.Do(ctx, "x"); err != nil || s.Seq != 8 || c.Snapshot().Seq != 8 {
			t.Errorf("change when back: %v", err)
		}
		synctest.Wait()
		if s := <-news; s.Seq != 8 {
			t.Errorf("after the change seq %d", s.Seq)
		}
		if saved, err := LoadSnapshot(path); err != nil || saved.Seq != 8 {
			t.Errorf("the copy: %v", err)
		}
		cancel()
		if err := <-ran; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCachedRefusesWhatWaitingDoesNotMend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	newer := errors.New("it has schema version 99")
	open := func(err error) error {
		_, got := OpenCached(t.Context(), CachedOptions{Path: path, Log: slog.New(slog.DiscardHandler),
			Open: func(context.Context) (Store, error) { return nil, err }})
		return got
	}
	if err := open(ErrUnavailable); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a copy: %v", err)
	}
	if err := SaveSnapshot(path, testSnapshot(t)); err != nil {
		t.Fatal(err)
	}
	if err := open(newer); !errors.Is(err, newer) {
		t.Errorf("a newer store: %v", err)
	}
	if err := open(ErrUnavailable); err == nil || !strings.Contains(err.Error(), "nor from the copy") {
		t.Errorf("a copy that needs a key: %v", err)
	}
}

func TestDumpRefusals(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "cut short",
		"hello\n":               "not a tagmill settings dump",
		`{"format":"x"}` + "\n": "not a tagmill settings dump",
		`{"format":"tagmill-settings","version":2}` + "\n":                                 "format 2, this program reads 1",
		`{"format":"tagmill-settings","version":1}` + "\n":                                 "cut short",
		`{"format":"tagmill-settings","version":1}` + "\n{]\n":                             "record 1",
		`{"format":"tagmill-settings","version":1}` + "\n" + `{"records":0,"sha256":"00"}`: "checksum",
	} {
		_, err := ReadDump(strings.NewReader(text), func(DumpRecord) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
