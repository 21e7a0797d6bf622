package sqlitestore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tagmill/tagmill/settings"
	"github.com/tagmill/tagmill/settings/storetest"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Path: t.TempDir() + "/settings.db", Catalog: storetest.TestCatalog()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	_, err = s.Do(t.Context(), "test", settings.CreateWorkspace{Slug: "default"}, settings.CreateSource{Workspace: "default", Slug: "website"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func setApp(value string) settings.Change {
	return settings.PutDestination{Workspace: "default", Source: "website", Integration: "intercom", Enabled: true, Settings: map[string]any{"appId": value}}
}

func exec(t *testing.T, s *Store, statement string) {
	t.Helper()
	if _, err := s.db.ExecContext(context.Background(), statement); err != nil {
		t.Fatal(err)
	}
}

// A database that may not grow answers as a full disk does.
func TestDiskFull(t *testing.T) {
	s := newStore(t)
	exec(t, s, `PRAGMA max_page_count = 1`) // SQLite takes the present size
	before := s.Snapshot()
	_, err := s.Do(t.Context(), "test", setApp(strings.Repeat("x", 50_000)))
	if !errors.Is(err, settings.ErrUnavailable) || !strings.Contains(err.Error(), "disk is full: free some space") {
		t.Errorf("got %v", err)
	}
	if got := s.Snapshot(); got.Seq != before.Seq || got.Sources[0].Revision != 1 {
		t.Errorf("a change that did not reach the disk is seen: %+v", got.Sources[0])
	}
	exec(t, s, `PRAGMA max_page_count = 1000000`)
	if snap, err := s.Do(t.Context(), "test", setApp("a")); err != nil || snap.Sources[0].Revision != 2 {
		t.Errorf("after space was made: %v", err)
	}
}

// A row that SQLite refuses in the middle of the transaction takes the rest with it.
func TestFailureInTheMiddleLeavesNothing(t *testing.T) {
	s := newStore(t)
	exec(t, s, `CREATE TRIGGER fault BEFORE INSERT ON revisions BEGIN SELECT RAISE(ABORT, 'injected'); END`)
	if _, err := s.Do(t.Context(), "test", setApp("a")); !errors.Is(err, settings.ErrUnavailable) || !strings.Contains(err.Error(), "injected") {
		t.Errorf("got %v", err)
	}
	exec(t, s, `DROP TRIGGER fault`)
	if len(s.Snapshot().Sources[0].Destinations) != 0 {
		t.Error("half a change is seen")
	}
	if _, err := s.Do(t.Context(), "test", setApp("b")); err != nil {
		t.Fatal(err)
	}
	if got := s.Snapshot().Sources[0]; got.Revision != 2 || got.Destinations[0].Settings["appId"] != "b" {
		t.Errorf("after the fault: %+v", got)
	}
}

// While nobody can say what is on disk, nothing is built on top of it.
func TestDoubtIsCleared(t *testing.T) {
	s := newStore(t)
	exec(t, s, `CREATE TRIGGER fault BEFORE INSERT ON revisions BEGIN SELECT RAISE(ABORT, 'injected'); END`)
	exec(t, s, `ALTER TABLE state RENAME TO hidden`) // reading back fails too
	if _, err := s.Do(t.Context(), "test", setApp("a")); !errors.Is(err, settings.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Do(t.Context(), "test", setApp("a")); !errors.Is(err, settings.ErrUnavailable) || !s.doubt {
		t.Errorf("in doubt: %v", err)
	}
	exec(t, s, `DROP TRIGGER fault`)
	exec(t, s, `ALTER TABLE hidden RENAME TO state`)
	if _, err := s.Do(t.Context(), "test", setApp("a")); err != nil || s.doubt {
		t.Errorf("doubt was not cleared: %v", err)
	}
}

func TestMigrationIsAllOrNothing(t *testing.T) {
	s := newStore(t)
	path := s.path
	s.Close()
	old := migrations
	t.Cleanup(func() { migrations = old })
	migrations = append(old[:1:1], `ALTER TABLE sources ADD COLUMN extra TEXT; CREATE TABLE more (x)`, `THIS IS NOT SQL`)
	if _, err := Open(t.Context(), Options{Path: path}); err == nil || !strings.Contains(err.Error(), "migrate to schema version 3") {
		t.Fatalf("got %v", err)
	}
	migrations[2] = `DROP TABLE more`
	s, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if s.Snapshot().Source("default", "website") == nil {
		t.Error("settings lost in the migration")
	}
	s.Close()
	migrations = old
	if _, err := Open(t.Context(), Options{Path: path}); err == nil || !strings.Contains(err.Error(), "schema version 3, this program knows up to 1") {
		t.Errorf("an older program: %v", err)
	}
}
