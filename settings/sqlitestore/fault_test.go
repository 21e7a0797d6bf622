package sqlitestore_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tagmill/tagmill/settings"
	"github.com/tagmill/tagmill/settings/sqlitestore"
	"github.com/tagmill/tagmill/settings/storetest"
)

// childEnv holds the folder for a process that flips until it is killed.
const childEnv = "SQLITESTORE_TEST_FLIP_IN"

func TestMain(m *testing.M) {
	if place := os.Getenv(childEnv); place != "" {
		flipForever(place)
	}
	os.Exit(m.Run())
}

func flip(i int) settings.Change {
	return settings.PutDestination{Workspace: "default", Source: "website", Integration: "mixpanel", Enabled: i%2 == 0,
		Settings: map[string]any{"token": fmt.Sprint(i), "apiSecret": fmt.Sprint("secret ", i)[7:]}}
}

// flipForever prints each revision once Do has answered.
func flipForever(place string) {
	fail := func(err error) {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	s, err := open(context.Background(), place, config())
	if err != nil {
		fail(err)
	}
	for i := 0; ; i++ {
		snap, err := s.Do(context.Background(), "child", flip(i), settings.UpdateSource{
			Workspace: "default", Source: "website", Name: new(fmt.Sprint("flip ", i)),
		})
		if err != nil {
			fail(err)
		}
		fmt.Println(snap.Source("default", "website").Revision)
	}
}

func config() storetest.Config {
	return storetest.Config{Catalog: storetest.TestCatalog(), SecretKey: storetest.Key}
}

func mustOpen(t *testing.T, place string) storetest.Store {
	t.Helper()
	s, err := open(t.Context(), place, config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func populate(t *testing.T, s storetest.Store) {
	t.Helper()
	_, err := s.Do(t.Context(), "test", settings.CreateWorkspace{Slug: "default"}, settings.CreateSource{Workspace: "default", Slug: "website"})
	if err != nil {
		t.Fatal(err)
	}
}

// checkWhole verifies that a store is in a state it once was in: revisions
// without a gap, the last one the present state, its secret readable.
func checkWhole(t *testing.T, s storetest.Store) (revision int64) {
	t.Helper()
	src := s.Snapshot().Source("default", "website")
	if src == nil {
		if n := len(s.Snapshot().Sources); n > 0 {
			t.Fatalf("%d sources, none of them the website", n)
		}
		return 0
	}
	for before := src.Revision + 1; before > 1; {
		page, err := s.History(t.Context(), src.ID, before, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			t.Fatalf("revisions below %d are missing", before)
		}
		for _, r := range page {
			if before--; r.Number != before {
				t.Fatalf("revision %d stands where %d should", r.Number, before)
			}
		}
	}
	for _, d := range src.Destinations {
		values, err := settings.Resolved(t.Context(), s, d)
		if err != nil {
			t.Fatal(err)
		}
		if values["token"] != values["apiSecret"] || src.Name != "flip "+values["token"].(string) {
			t.Fatalf("half a change: %q, %v", src.Name, values)
		}
	}
	return src.Revision
}

func TestKilledInTheMiddle(t *testing.T) {
	place := t.TempDir()
	s := mustOpen(t, place)
	populate(t, s)
	s.Close()
	for range 15 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+place)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		var last int64
		for stop := 1 + rand.IntN(40); lines.Scan(); stop-- {
			if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
				t.Fatalf("child says %q", lines.Text())
			}
			if stop == 0 {
				// The child is somewhere in its next change.
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		s := mustOpen(t, place)
		// What was printed was answered; one more may have been on its way.
		if got := checkWhole(t, s); got < last {
			t.Fatalf("revision %d was answered, %d is there", last, got)
		}
		s.Close()
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A power cut leaves a journal that ends anywhere.
func TestJournalCutAnywhere(t *testing.T) {
	place := t.TempDir()
	s := mustOpen(t, place)
	populate(t, s)
	for i := range 12 {
		_, err := s.Do(t.Context(), "test", flip(i), settings.UpdateSource{Workspace: "default", Source: "website", Name: new(fmt.Sprint("flip ", i))})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := s.Snapshot().Source("default", "website").Revision
	journal, err := os.ReadFile(file(place) + "-wal")
	if err != nil || len(journal) == 0 {
		t.Fatalf("journal of %d bytes: %v", len(journal), err)
	}
	seen := map[int64]bool{}
	for i := range 60 {
		cut := len(journal)
		if i > 0 {
			cut = rand.IntN(len(journal))
		}
		other := t.TempDir()
		copyFile(t, file(place), file(other))
		torn := bytes.Clone(journal[:cut])
		if i%2 == 1 && cut > 0 {
			torn = append(torn, make([]byte, 4096)...) // grown, but the content never arrived
		}
		if err := os.WriteFile(file(other)+"-wal", torn, 0o600); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, other)
		got := checkWhole(t, s)
		if i == 0 && got != want {
			t.Fatalf("whole journal gives revision %d, want %d", got, want)
		}
		seen[got] = true
		// It goes on from there.
		if got > 0 {
			if _, err := s.Do(t.Context(), "test", flip(99), settings.UpdateSource{Workspace: "default", Source: "website", Name: new("flip 99")}); err != nil {
				t.Fatal(err)
			}
			if next := checkWhole(t, s); next != got+1 {
				t.Fatalf("revision %d follows %d", next, got)
			}
		}
		s.Close()
	}
	if len(seen) < 5 {
		t.Errorf("only %d different states met: the cuts do not cut", len(seen))
	}
}

// spoil changes a store's file with plain SQL, as another program would.
func spoil(t *testing.T, place, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", file(place))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestRefusalsNameFileAndRemedy(t *testing.T) {
	write := func(content string) func(*testing.T, string) {
		return func(t *testing.T, place string) {
			if err := os.WriteFile(file(place), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	made := func(then string) func(*testing.T, string) {
		return func(t *testing.T, place string) {
			s := mustOpen(t, place)
			populate(t, s)
			s.Close()
			spoil(t, place, then)
		}
	}
	for name, c := range map[string]struct {
		prepare func(*testing.T, string)
		want    []string
	}{
		"not a database":  {write(strings.Repeat("these are not settings\n", 500)), []string{"not a settings database", "restore a backup"}},
		"another's":       {func(t *testing.T, p string) { spoil(t, p, "CREATE TABLE t (x)") }, []string{"not of tagmill", "another path"}},
		"newer":           {made("PRAGMA user_version = 99"), []string{"schema version 99", "knows up to 1", "at least as new"}},
		"row of nonsense": {made("UPDATE sources SET body = '{]'"), []string{"damaged", "restore a backup"}},
		"folder missing": {func(t *testing.T, p string) {
			if err := os.Remove(p); err != nil {
				t.Fatal(err)
			}
		}, []string{"folder does not exist", "create it"}},
		"folder in its place": {func(t *testing.T, p string) {
			if err := os.Mkdir(file(p), 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"is a directory"}},
		"overwritten pages": {func(t *testing.T, p string) {
			s := mustOpen(t, p)
			populate(t, s)
			for i := range 30 {
				if _, err := s.Do(t.Context(), "test", flip(i)); err != nil {
					t.Fatal(err)
				}
			}
			s.Close()
			b, err := os.ReadFile(file(p))
			if err != nil {
				t.Fatal(err)
			}
			for i := 4096; i < len(b); i++ {
				b[i] = 0x5a
			}
			if err := os.WriteFile(file(p), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{"damaged", "restore a backup"}},
	} {
		t.Run(name, func(t *testing.T) {
			place := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(place, 0o700); err != nil {
				t.Fatal(err)
			}
			c.prepare(t, place)
			s, err := open(t.Context(), place, config())
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			for _, words := range append(c.want, file(place)) {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%v\ndoes not say %q", err, words)
				}
			}
		})
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	place := t.TempDir()
	s := mustOpen(t, place)
	_, err := open(t.Context(), place, config())
	// Not a store that is away: a second process must stop, not go on from a copy.
	if errors.Is(err, settings.ErrUnavailable) || err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("got %v", err)
	}
	s.Close()
	mustOpen(t, place)
}

func TestFileIsPrivate(t *testing.T) {
	place := t.TempDir()
	populate(t, mustOpen(t, place))
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(file(place) + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", info.Name(), info.Mode())
		}
	}
}

func TestOddPath(t *testing.T) {
	place := filepath.Join(t.TempDir(), "a?b%41#c d&_pragma=x")
	if err := os.Mkdir(place, 0o700); err != nil {
		t.Fatal(err)
	}
	populate(t, mustOpen(t, place))
	if _, err := os.Stat(file(place)); err != nil {
		t.Error(err)
	}
}

func TestNoSecretInTheFile(t *testing.T) {
	const plain = "canary-in-the-settings-file"
	place := t.TempDir()
	s := mustOpen(t, place)
	populate(t, s)
	put := settings.PutDestination{Workspace: "default", Source: "website", Integration: "mixpanel", Enabled: true,
		Settings: map[string]any{"token": "visible-token", "apiSecret": plain, "trap": plain}}
	if _, err := s.Do(t.Context(), "test", put); err != nil {
		t.Fatal(err)
	}
	s.Close()
	b, err := os.ReadFile(file(place))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte("visible-token")) {
		t.Error("the search finds nothing at all")
	}
	if bytes.Contains(b, []byte(plain)) {
		t.Error("a secret stands in the file in the open")
	}
}

func TestBadKey(t *testing.T) {
	_, err := sqlitestore.Open(t.Context(), sqlitestore.Options{Path: file(t.TempDir()), SecretKey: []byte("short")})
	if err == nil || !strings.Contains(err.Error(), "5 bytes, must have 32") {
		t.Errorf("got %v", err)
	}
}

// A damaged file leaves a process that has a copy of the settings running, and
// is taken up again once it is mended.
func TestDamagedFileFallsBackOnTheCopy(t *testing.T) {
	place := t.TempDir()
	openCached := func() (*settings.Cached, error) {
		return settings.OpenCached(t.Context(), settings.CachedOptions{
			Path: filepath.Join(place, "snapshot"), Log: slog.New(slog.DiscardHandler),
			Open: func(ctx context.Context) (settings.Store, error) { return open(ctx, place, config()) },
		})
	}
	s := mustOpen(t, place)
	populate(t, s)
	if err := settings.SaveSnapshot(filepath.Join(place, "snapshot"), s.Snapshot()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	spoil(t, place, "UPDATE sources SET body = '{]' || body")
	c, err := openCached()
	if err != nil {
		t.Fatal(err)
	}
	if !c.Stale() || c.Snapshot().Source("default", "website") == nil {
		t.Error("the copy is not used")
	}
	if _, err := c.Do(t.Context(), "test", flip(1)); !errors.Is(err, settings.ErrUnavailable) {
		t.Errorf("change while damaged: %v", err)
	}
	spoil(t, place, "UPDATE sources SET body = substr(body, 3)")
	if c, err = openCached(); err != nil || c.Stale() {
		t.Fatalf("mended: %v", err)
	}
	defer c.Close()
	after, err := c.Do(t.Context(), "test", flip(1))
	if err != nil || after.Sources[0].Revision != 2 {
		t.Errorf("change when mended: %v", err)
	}
	// Newer: a copy must not hide that this program is too old.
	c.Close()
	spoil(t, place, "PRAGMA user_version = 99")
	if _, err := openCached(); err == nil || !strings.Contains(err.Error(), "schema version 99") {
		t.Errorf("newer file: %v", err)
	}
}
