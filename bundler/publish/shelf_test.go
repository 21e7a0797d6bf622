package publish

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/cdn"
)

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s, err := openShelf(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sampleBuild(i int, source string) *Build {
	return &Build{
		BuildID: fmt.Sprintf("%020x", i), WriteKey: "key", SourceID: source, Revision: int64(i), Runtime: "r",
		BuiltAt:   time.Unix(1000, 0).UTC(),
		Report:    bundler.Report{Raw: 3, Integrations: map[string]bundler.Share{"alpha": {Raw: 1}}},
		Encodings: bundler.Encodings{Identity: []byte("identity\n"), Gzip: []byte("gz"), Brotli: []byte{0, 10, 255}, Final: true},
	}
}

func TestShelfGivesBackWhatItWasGiven(t *testing.T) {
	s := newShelf(t)
	want := sampleBuild(1, "shop")
	if err := s.put(want); err != nil {
		t.Fatal(err)
	}
	got, err := s.get(want.BuildID)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if p, ok := s.pointed("key"); ok {
		t.Errorf("a pointer that nobody wrote: %+v", p)
	}
	ptr := pointer{WriteKey: "../key", SourceID: "shop", BuildID: want.BuildID, Revision: 7, LiveSince: time.Unix(5, 0).UTC()}
	if err := s.point(ptr); err != nil {
		t.Fatal(err)
	}
	if p, ok := s.pointed("../key"); !ok || p != ptr {
		t.Errorf("got %+v, %v; want %+v", p, ok, ptr)
	}
}

// A file cut or changed anywhere is never taken for a build.
func TestDamagedBuildsAreNeverServed(t *testing.T) {
	s := newShelf(t)
	b := sampleBuild(1, "shop")
	if err := s.put(b); err != nil {
		t.Fatal(err)
	}
	path := s.buildPath(b.BuildID)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := s.get(b.BuildID); !errors.Is(err, cdn.ErrUnknownBuild) {
			t.Errorf("%s: got %+v, %v", what, got, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the file is still there", what)
		}
	}
	for i := range whole {
		try(fmt.Sprintf("cut at %d", i), whole[:i])
		changed := bytes.Clone(whole)
		changed[i] ^= 1
		try(fmt.Sprintf("changed at %d", i), changed)
	}
	try("longer", append(bytes.Clone(whole), '\n'))

	// Another build's file under this name is damage too.
	if err := s.put(sampleBuild(2, "shop")); err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(s.buildPath(sampleBuild(2, "shop").BuildID))
	if err != nil {
		t.Fatal(err)
	}
	try("another build", other)
}

func TestPruneKeepsWhatSomebodyMayNeed(t *testing.T) {
	s := newShelf(t)
	now := time.Unix(1_800_000_000, 0)
	put := func(i int, source string, age time.Duration) string {
		b := sampleBuild(i, source)
		if err := s.put(b); err != nil {
			t.Fatal(err)
		}
		s.touch(b.BuildID, now.Add(-age))
		return b.BuildID
	}
	const day = 24 * time.Hour
	kept := map[string]bool{}
	gone := map[string]bool{}
	for i := range 30 { // shop flips a lot: 5 builds younger than 30 days, 25 older
		age := time.Duration(i) * 6 * day
		id := put(100+i, "shop", age)
		if i < keepAtLeast {
			kept[id] = true
		} else {
			gone[id] = true
		}
	}
	for i := range 40 { // all young
		kept[put(200+i, "blog", time.Duration(i)*time.Hour)] = true
	}
	kept[put(300, "seldom", 900*day)] = true // the only one of its source
	live := fmt.Sprintf("%020x", 129)        // shop's oldest is live under a key
	if err := s.point(pointer{WriteKey: "key", BuildID: live}); err != nil {
		t.Fatal(err)
	}
	delete(gone, live)
	kept[live] = true

	tmp := func(name string, age time.Duration) string {
		path := filepath.Join(s.dir, "builds", name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	stale, writing := tmp(".x.1.tmp", 2*time.Hour), tmp(".x.2.tmp", time.Minute)

	n, err := s.prune(now)
	if err != nil || n != len(gone) {
		t.Errorf("removed %d, want %d; %v", n, len(gone), err)
	}
	for id := range kept {
		if _, err := s.get(id); err != nil {
			t.Errorf("%s was needed: %v", id, err)
		}
	}
	for id := range gone {
		if _, err := s.get(id); err == nil {
			t.Errorf("%s is still there", id)
		}
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("what a write cut short left behind is still there")
	}
	if _, err := os.Stat(writing); err != nil {
		t.Error("a write under way was disturbed")
	}
}
