package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tagmill/tagmill/settings"
)

// Store is what an engine offers to the suite: the contract and the upkeep.
type Store interface {
	settings.Store
	settings.DryRunner
	Purge(context.Context) (int, error)
	Backup(context.Context, io.Writer) error
	Close() error
}

// Config is what a store is opened with.
type Config struct {
	Catalog   settings.Catalog
	Rules     settings.Rules
	SecretKey []byte
	Env       func(string) (string, bool)
	Now       func() time.Time
}

// Engine is one implementation under test.
type Engine struct {
	// Open opens the store at a place, a folder made for the test; opening
	// the same place again finds what was there.
	Open func(ctx context.Context, place string, c Config) (Store, error)
	// Restore fills the empty store at a place from a backup.
	Restore func(ctx context.Context, place string, r io.Reader) error
}

// Key is a secret key for tests.
var Key = bytes.Repeat([]byte{7}, settings.KeySize)

// fixture is a store with a clock that stands still until it is moved.
type fixture struct {
	*testing.T
	Store
	engine Engine
	place  string
	config Config
	now    time.Time
}

func start(t *testing.T, e Engine) *fixture {
	f := &fixture{T: t, engine: e, place: t.TempDir(), now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	f.config = Config{
		Catalog: TestCatalog(), SecretKey: Key, Now: func() time.Time { return f.now },
		Env: func(name string) (string, bool) {
			return map[string]string{"HOOK_SECRET": "from-the-environment"}[name], name == "HOOK_SECRET"
		},
	}
	f.open()
	t.Cleanup(func() { f.Store.Close() })
	f.do(settings.CreateWorkspace{Slug: "default"}, settings.CreateSource{Workspace: "default", Slug: "website", WriteKey: "web-key"})
	return f
}

func (f *fixture) open() {
	f.Helper()
	s, err := f.engine.Open(f.Context(), f.place, f.config)
	if err != nil {
		f.Fatal(err)
	}
	f.Store = s
}

func (f *fixture) reopen() {
	f.Helper()
	if err := f.Store.Close(); err != nil {
		f.Fatal(err)
	}
	f.open()
}

func (f *fixture) do(changes ...settings.Change) *settings.Snapshot {
	f.Helper()
	snap, err := f.Do(f.Context(), "tester", changes...)
	if err != nil {
		f.Fatal(err)
	}
	return snap
}

func (f *fixture) refused(want error, changes ...settings.Change) error {
	f.Helper()
	before := f.Snapshot()
	_, err := f.Do(f.Context(), "tester", changes...)
	if !errors.Is(err, want) {
		f.Fatalf("got error %v, want %v", err, want)
	}
	if f.Snapshot() != before {
		f.Error("a refused change altered the snapshot")
	}
	return err
}

// problems are the paths of an *Invalid.
func (f *fixture) problems(changes ...settings.Change) []string {
	f.Helper()
	_, err := f.Do(f.Context(), "tester", changes...)
	var invalid *settings.Invalid
	if !errors.As(err, &invalid) {
		f.Fatalf("got error %v, want *Invalid", err)
	}
	var paths []string
	for _, p := range invalid.Problems {
		paths = append(paths, p.Path)
	}
	return paths
}

func (f *fixture) site() *settings.Source {
	f.Helper()
	src := f.Snapshot().Source("default", "website")
	if src == nil {
		f.Fatal("no source default/website")
	}
	return src
}

func (f *fixture) history() []settings.Revision {
	f.Helper()
	list, err := f.History(f.Context(), f.site().ID, 0, 0)
	if err != nil {
		f.Fatal(err)
	}
	return list
}

func flip(on bool, values map[string]any) settings.PutDestination {
	return settings.PutDestination{Workspace: "default", Source: "website", Integration: "mixpanel", Enabled: on, Settings: values}
}

// Run runs the whole contract against an engine.
func Run(t *testing.T, e Engine) {
	for name, test := range map[string]func(*fixture){
		"flip and undo":           flipAndUndo,
		"one transaction":         oneTransaction,
		"nothing changes nothing": nothingChangesNothing,
		"workspace options":       workspaceOptions,
		"write keys":              writeKeys,
		"delete, restore, purge":  deleteRestorePurge,
		"expected revision":       expectedRevision,
		"secrets":                 secrets,
		"another secret key":      anotherKey,
		"dry run":                 dryRun,
		"watch":                   watch,
		"200 flips at once":       manyFlips,
		"backup and restore":      backupAndRestore,
		"history in pages":        historyInPages,
		"closed":                  closed,
		"cancelled":               cancelled,
	} {
		t.Run(name, func(t *testing.T) { test(start(t, e)) })
	}
	t.Run("model", func(t *testing.T) { model(t, e) })
}

func flipAndUndo(f *fixture) {
	f.do(flip(true, map[string]any{"token": "one"}))
	id := f.site().Destinations[0].ID
	f.now = f.now.Add(time.Minute)
	f.do(flip(true, map[string]any{"token": "two", "people": true}))
	f.do(flip(false, nil))
	d := f.site().Destinations[0]
	if d.Enabled || d.Settings["token"] != "two" || d.ID != id {
		f.Errorf("switched off: %+v", d)
	}
	f.do(settings.Rollback{Workspace: "default", Source: "website", Revision: 2})
	f.reopen()
	d = f.site().Destinations[0]
	if !d.Enabled || d.Settings["token"] != "one" || d.ID != id {
		f.Errorf("rolled back: %+v", d)
	}
	var got []string
	for _, r := range f.history() {
		got = append(got, fmt.Sprintf("%d %s %s %s", r.Number, r.Author, r.At.Format("15:04"), r.Summary))
	}
	want := []string{
		"5 tester 12:01 rolled back to revision 2; mixpanel switched on; mixpanel: people removed; mixpanel: token changed",
		"4 tester 12:01 mixpanel switched off",
		"3 tester 12:01 mixpanel: people set; mixpanel: token changed",
		"2 tester 12:00 mixpanel switched on",
		"1 tester 12:00 source created",
	}
	if !slices.Equal(got, want) {
		f.Errorf("history:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	err := f.refused(settings.ErrNotFound, settings.Rollback{Workspace: "default", Source: "website", Revision: 99})
	if !strings.Contains(err.Error(), "99") {
		f.Errorf("error does not name the revision: %v", err)
	}
}

func oneTransaction(f *fixture) {
	f.do(
		flip(true, map[string]any{"token": "a"}),
		settings.PutDestination{Workspace: "default", Source: "website", Integration: "MP", Name: "eu", Enabled: true, Settings: map[string]any{"token": "b"}},
		settings.UpdateSource{Workspace: "default", Source: "website", Name: new("Shop")},
	)
	if n := len(f.history()); n != 2 || f.site().Revision != 2 {
		f.Errorf("%d revisions, number %d; one transaction makes one", n, f.site().Revision)
	}
	if len(f.site().Destinations) != 2 {
		f.Errorf("destinations: %+v", f.site().Destinations)
	}
	// All or none, and all mistakes at once.
	got := f.problems(
		settings.UpdateSource{Workspace: "default", Source: "website", Name: new("Kept?")},
		settings.CreateSource{Workspace: "default", Slug: "Not A Slug"},
		flip(true, map[string]any{"people": "yes", "nonsense": 1}),
		settings.PutDestination{Workspace: "default", Source: "website", Integration: "nosuch", Enabled: true},
	)
	at := "workspaces.default.sources.website.destinations."
	want := []string{
		"workspaces.default.sources.Not A Slug.slug",
		at + "mixpanel.settings.nonsense", at + "mixpanel.settings.people", at + "mixpanel.settings.token",
		at + "nosuch",
	}
	if !slices.Equal(got, want) {
		f.Errorf("problems at\n%q, want\n%q", got, want)
	}
	if f.site().Name != "Shop" || f.site().Revision != 2 {
		f.Errorf("part of a refused transaction was kept: %+v", f.site())
	}
}

func nothingChangesNothing(f *fixture) {
	f.do(flip(true, map[string]any{"token": "a", "apiSecret": "s3cret", "sample": 1}))
	before := f.Snapshot()
	got := f.do(
		flip(true, map[string]any{"token": "a", "apiSecret": "s3cret", "sample": 1.0}),
		settings.UpdateSource{Workspace: "default", Source: "website", Name: new("website"), Options: &settings.Options{}},
		settings.UpdateWorkspace{Workspace: "default", Name: new("default")},
		settings.AddKey{Workspace: "default", Source: "website", Key: "web-key"},
		settings.Rollback{Workspace: "default", Source: "website", Revision: f.site().Revision},
	)
	if got.Seq != before.Seq || f.Snapshot() != before {
		f.Errorf("seq went from %d to %d", before.Seq, got.Seq)
	}
	if n := len(f.history()); n != 2 {
		f.Errorf("%d revisions, want 2", n)
	}
}

func workspaceOptions(f *fixture) {
	f.do(
		settings.CreateSource{Workspace: "default", Slug: "own-mind", WriteKey: "own"},
		settings.UpdateSource{Workspace: "default", Source: "own-mind", Options: &settings.Options{Bots: "mark"}},
	)
	f.do(settings.UpdateWorkspace{Workspace: "default", Options: &settings.Options{Bots: "drop"}})
	if got := f.site().Revision; got != 2 {
		f.Errorf("touched source is at revision %d, want 2", got)
	}
	if got := f.history()[0].Summary; got != "workspace: bots changed" {
		f.Errorf("summary %q", got)
	}
	if got := f.Snapshot().Source("default", "own-mind").Revision; got != 1 {
		f.Errorf("source with an option of its own is at revision %d, want 1", got)
	}
	if got := f.Snapshot().Effective(f.site()).Bots; got != "drop" {
		f.Errorf("effective bots %q", got)
	}
	// Undo brings back what was live, though it was written in the workspace.
	f.do(settings.Rollback{Workspace: "default", Source: "website", Revision: 1})
	if got := f.Snapshot().Effective(f.site()).Bots; got != "mark" || f.site().Revision != 3 {
		f.Errorf("after the rollback: bots %q, revision %d", got, f.site().Revision)
	}
}

func writeKeys(f *fixture) {
	f.do(settings.AddKey{Workspace: "default", Source: "website", Environment: "staging"})
	f.do(settings.CreateSource{Workspace: "default", Slug: "other"})
	made := f.site().Keys[1]
	if len(made.Key) != 32 || made.Environment != "staging" {
		f.Errorf("made key: %+v", made)
	}
	for _, key := range []string{"web-key", made.Key} {
		if f.Snapshot().SourceByKey(key) != f.site() {
			f.Errorf("key %s does not find its source", key)
		}
	}
	f.do(settings.RetireKey{Workspace: "default", Source: "website", Key: "web-key"})
	f.reopen()
	if f.Snapshot().SourceByKey("web-key") != nil || f.Snapshot().SourceByKey(made.Key) == nil {
		f.Error("a retired key must be unknown at once, the other must work on")
	}
	// Old pages still send under a retired key: it must not become another source's.
	f.refused(settings.ErrConflict, settings.AddKey{Workspace: "default", Source: "other", Key: "web-key"})
	f.refused(settings.ErrConflict, settings.CreateSource{Workspace: "default", Slug: "third", WriteKey: made.Key})
	f.refused(settings.ErrNotFound, settings.RetireKey{Workspace: "default", Source: "website", Key: "web-key"})
	f.do(settings.AddKey{Workspace: "default", Source: "website", Key: "web-key"})
	if f.Snapshot().SourceByKey("web-key") == nil || len(f.site().Keys) != 2 {
		f.Errorf("a key taken up again: %+v", f.site().Keys)
	}
}

func deleteRestorePurge(f *fixture) {
	f.do(flip(true, map[string]any{"token": "a", "apiSecret": "s3cret"}))
	id := f.site().ID
	f.do(settings.DeleteSource{Workspace: "default", Source: "website"})
	if f.Snapshot().SourceByKey("web-key") != nil || f.Snapshot().SourceByID(id) != nil {
		f.Error("a deleted source still answers")
	}
	// Slug and key are free again, and taken they block the way back.
	f.do(settings.CreateSource{Workspace: "default", Slug: "website", WriteKey: "web-key"})
	f.refused(settings.ErrConflict, settings.RestoreSource{Workspace: "default", Source: "website"})
	f.do(settings.DeleteSource{Workspace: "default", Source: "website"})
	f.do(settings.CreateSource{Workspace: "default", Slug: "thief", WriteKey: "web-key"})
	f.refused(settings.ErrConflict, settings.RestoreSource{Workspace: "default", Source: "website"})
	f.do(settings.DeleteSource{Workspace: "default", Source: "thief"})

	f.reopen()
	f.now = f.now.Add(settings.DeletedKept)
	if n, err := f.Purge(f.Context()); n != 0 || err != nil {
		f.Fatalf("purged %d, %v at the very end of the time", n, err)
	}
	// The one deleted last under the slug is the one that comes back; it is new.
	f.do(settings.RestoreSource{Workspace: "default", Source: "website"})
	if f.site().ID == id {
		f.Error("restored the older of two")
	}
	f.now = f.now.Add(time.Second)
	if n, err := f.Purge(f.Context()); n != 2 || err != nil {
		f.Fatalf("purged %d, %v; want the two deleted", n, err)
	}
	f.reopen()
	if list, err := f.History(f.Context(), id, 0, 0); len(list) != 0 || err != nil {
		f.Errorf("history of a purged source: %d revisions, %v", len(list), err)
	}
	if n := len(f.Snapshot().Sealed()); n != 0 {
		f.Errorf("%d secrets of purged sources are left", n)
	}
	f.refused(settings.ErrNotFound, settings.RestoreSource{Workspace: "default", Source: "thief"})
}

func expectedRevision(f *fixture) {
	expect := settings.ExpectRevision{Workspace: "default", Source: "website", Revision: 1}
	f.do(expect, flip(true, map[string]any{"token": "a"}))
	err := f.refused(settings.ErrConflict, expect, flip(false, nil))
	if !strings.Contains(err.Error(), "revision 2, not 1") {
		f.Errorf("conflict does not tell the revisions: %v", err)
	}
	if got := f.problems(settings.ExpectRevision{Workspace: "default", Source: "website", Revision: 2}, flip(true, map[string]any{})); !slices.Equal(got, []string{"settings.token"}) {
		f.Errorf("a guard changed the paths of problems: %q", got)
	}
}

func dryRun(f *fixture) {
	before := f.Snapshot()
	got, err := f.DryRun(f.Context(), "tester", flip(true, map[string]any{"token": "a"}))
	if err != nil {
		f.Fatal(err)
	}
	if lines := settings.Compare(before, got); !slices.Equal(lines, []string{"default/website: mixpanel switched on"}) {
		f.Errorf("would change %q", lines)
	}
	f.reopen()
	if f.site().Revision != 1 || len(f.site().Destinations) != 0 {
		f.Error("a dry run was kept")
	}
}

func watch(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	ch := f.Watch(ctx)
	slow := f.Watch(ctx)
	if s := <-ch; s != f.Snapshot() {
		f.Error("the first is not the newest")
	}
	for i := range 10 {
		f.do(flip(true, map[string]any{"token": fmt.Sprint(i)}))
		if s := <-ch; s != f.Snapshot() {
			f.Errorf("change %d was not sent", i)
		}
	}
	if s := <-slow; s != f.Snapshot() {
		f.Errorf("a slow watcher got seq %d, the newest is %d", s.Seq, f.Snapshot().Seq)
	}
	cancel()
	for range ch {
		f.Error("news after the end")
	}
	for range slow {
		f.Error("news after the end")
	}
	last := f.Watch(f.Context())
	<-last
	f.Store.Close()
	if _, open := <-last; open {
		f.Error("closing the store did not end the watch")
	}
	f.open()
}

func manyFlips(f *fixture) {
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for w := range writers {
		// Writers of the test; wg.Wait below ends with the last.
		wg.Go(func() {
			for i := range each {
				_, err := f.Do(f.Context(), fmt.Sprintf("writer %d", w), flip(true, map[string]any{"token": fmt.Sprintf("%d-%d", w, i)}))
				if err != nil {
					f.Error(err)
				}
			}
		})
	}
	wg.Wait()
	f.reopen()
	list := f.history()
	if len(list) != writers*each+1 {
		f.Fatalf("%d revisions, want %d", len(list), writers*each+1)
	}
	for i, r := range list {
		if want := int64(len(list) - i); r.Number != want || r.Source.Revision != want {
			f.Fatalf("revision %d of %d stands where %d should", r.Number, r.Source.Revision, want)
		}
	}
}

func historyInPages(f *fixture) {
	for i := range 9 {
		f.do(flip(true, map[string]any{"token": fmt.Sprint(i)}))
	}
	var got []int64
	for before := int64(0); ; {
		page, err := f.History(f.Context(), f.site().ID, before, 4)
		if err != nil {
			f.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			got = append(got, r.Number)
		}
		before = got[len(got)-1]
	}
	if !slices.Equal(got, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}) {
		f.Errorf("pages give %v", got)
	}
}

func closed(f *fixture) {
	f.Store.Close()
	f.refused(settings.ErrUnavailable, flip(true, map[string]any{"token": "a"}))
	if _, err := f.History(f.Context(), f.site().ID, 0, 1); !errors.Is(err, settings.ErrUnavailable) {
		f.Errorf("history of a closed store: %v", err)
	}
	f.open()
}

func cancelled(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	if _, err := f.Do(ctx, "tester", flip(true, map[string]any{"token": "a"})); !errors.Is(err, context.Canceled) {
		f.Errorf("got %v", err)
	}
	f.do(flip(true, map[string]any{"token": "a"}))
}
