package settings

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// DeletedKept is how long a deleted source can be restored before Purge.
const DeletedKept = 30 * 24 * time.Hour

// Editor is all that is true of a change whatever engine keeps it: it decides
// what is valid and what the next state is. Engines read a snapshot, call
// Edit, write what it returns in one transaction and publish Edit.Next.
// An Editor is a plain value without state; safe for concurrent use.
type Editor struct {
	Catalog Catalog
	Rules   Rules
	// Sealer encrypts new secrets; nil refuses them.
	Sealer *Sealer
	// Env finds an environment variable that a secret names; nil: none is set.
	Env func(name string) (string, bool)
	Now func() time.Time
}

// Edit is the outcome of changes: what is new or different in the store.
// Empty but for Next when the changes alter nothing.
type Edit struct {
	Next       *Snapshot
	Workspaces []*Workspace
	Sources    []*Source
	Revisions  []Revision // one for each of Sources
	Sealed     []Sealed
}

// Empty reports that there is nothing to write.
func (e *Edit) Empty() bool { return len(e.Workspaces) == 0 && len(e.Sources) == 0 }

// Past finds an old revision of a source, for Rollback; ErrNotFound when
// there is none.
type Past func(sourceID string, number int64) (*Revision, error)

// Edit applies changes in order to prev, which it leaves as it is. All
// mistakes are reported at once in an *Invalid; ErrNotFound and ErrConflict,
// with the thing named, end it where they are met.
func (ed *Editor) Edit(prev *Snapshot, author string, past Past, changes ...Change) (*Edit, error) {
	tx := &edit{
		Editor: ed, prev: prev, past: past,
		now:        ed.Now().UTC().Truncate(time.Millisecond),
		workspaces: slices.Clone(prev.Workspaces),
		live:       slices.Clone(prev.Sources),
		deleted:    slices.Clone(prev.deleted),
		mine:       map[any]bool{},
	}
	several := 0
	for _, ch := range changes {
		if _, isGuard := ch.(ExpectRevision); !isGuard {
			several++
		}
	}
	for _, ch := range changes {
		tx.path = ""
		if several > 1 {
			tx.path = address(ch)
		}
		if err := tx.apply(ch); err != nil {
			if len(tx.problems) > 0 {
				break // what is wrong is told before what is missing because of it
			}
			return nil, err
		}
	}
	if len(tx.problems) > 0 {
		return nil, &Invalid{Problems: tx.problems}
	}
	return tx.finish(cleanAuthor(author)), nil
}

// edit is one transaction in the making. Values of prev are shared with the
// world; own and ownWorkspace give copies that may be written to.
type edit struct {
	*Editor
	prev     *Snapshot
	past     Past
	now      time.Time
	path     string // of the change at hand, in front of each problem's
	problems []Problem

	workspaces    []*Workspace
	live, deleted []*Source
	sealed        []Sealed
	mine          map[any]bool // *Workspace and *Source that are copies
	notes         map[string][]string
}

func (tx *edit) problem(path, message string) {
	if tx.path != "" && path != "" {
		path = tx.path + "." + path
	} else if path == "" {
		path = tx.path
	}
	tx.problems = append(tx.problems, Problem{Path: path, Message: message})
}

// check records a problem when there is one, and reports that all is well.
func (tx *edit) check(path, wrong string) bool {
	if wrong != "" {
		tx.problem(path, wrong)
	}
	return wrong == ""
}

// note puts words into the summary of a source's revision that a comparison
// of before and after would not find.
func (tx *edit) note(src *Source, words string) {
	if tx.notes == nil {
		tx.notes = map[string][]string{}
	}
	tx.notes[src.ID] = append(tx.notes[src.ID], words)
}

func (tx *edit) workspace(slug string) (*Workspace, error) {
	for _, w := range tx.workspaces {
		if w.Slug == slug {
			return w, nil
		}
	}
	return nil, fmt.Errorf("workspace %s: %w", quote(slug), ErrNotFound)
}

func (tx *edit) find(workspace, source string) (*Workspace, *Source, error) {
	w, err := tx.workspace(workspace)
	if err != nil {
		return nil, nil, err
	}
	for _, src := range tx.live {
		if src.WorkspaceID == w.ID && src.Slug == source {
			return w, src, nil
		}
	}
	return nil, nil, fmt.Errorf("source %s in workspace %s: %w", quote(source), quote(workspace), ErrNotFound)
}

// own makes src writable: its first change in a transaction copies it.
func (tx *edit) own(src *Source) *Source {
	if tx.mine[src] {
		return src
	}
	c := *src
	c.Keys = slices.Clone(src.Keys)
	c.Destinations = slices.Clone(src.Destinations)
	tx.mine[&c] = true
	for _, list := range [][]*Source{tx.live, tx.deleted} {
		if i := slices.Index(list, src); i >= 0 {
			list[i] = &c
		}
	}
	return &c
}

func (tx *edit) ownWorkspace(w *Workspace) *Workspace {
	if tx.mine[w] {
		return w
	}
	c := *w
	tx.mine[&c] = true
	tx.workspaces[slices.Index(tx.workspaces, w)] = &c
	return &c
}

// holder finds the source that has a key, active or retired. Keys of deleted
// sources are free: nothing would answer to them.
func (tx *edit) holder(key string) *Source {
	for _, src := range tx.live {
		if slices.ContainsFunc(src.Keys, func(k WriteKey) bool { return k.Key == key }) {
			return src
		}
	}
	return nil
}

func (tx *edit) keyTaken(key string, by *Source) error {
	return fmt.Errorf("write key %s belongs to source %q already: %w", quote(key), by.Slug, ErrConflict)
}

// finish compares what there is with what there was, so that only true
// differences become revisions.
func (tx *edit) finish(author string) *Edit {
	out := &Edit{}
	oldWorkspaces := map[string]*Workspace{}
	for _, w := range tx.prev.Workspaces {
		oldWorkspaces[w.ID] = w
	}
	byID := map[string]*Workspace{}
	for _, w := range tx.workspaces {
		byID[w.ID] = w
		if old := oldWorkspaces[w.ID]; old == nil || old != w && !same(old, w) {
			out.Workspaces = append(out.Workspaces, w)
		}
	}
	before := map[string]*Source{}
	for _, src := range slices.Concat(tx.prev.Sources, tx.prev.deleted) {
		before[src.ID] = src
	}
	for _, src := range slices.Concat(tx.live, tx.deleted) {
		old := before[src.ID]
		eff := Effective(byID[src.WorkspaceID].Options, src.Options)
		var words []string
		switch {
		case old == nil:
			words = []string{"source created"}
			words = append(words, destinationChanges(&Source{}, src)...)
		case old == src && oldWorkspaces[src.WorkspaceID] == byID[src.WorkspaceID]:
			continue
		default:
			oldEff := Effective(oldWorkspaces[src.WorkspaceID].Options, old.Options)
			words = Diff(old, src)
			if src.DeletedAt == nil && len(words) == 0 {
				for _, w := range optionChanges(oldEff, eff) {
					words = append(words, "workspace: "+w)
				}
			}
			if len(words) == 0 && same(old, src) {
				continue
			}
		}
		src = tx.own(src)
		src.Revision++
		words = slices.Concat(tx.notes[src.ID], words)
		out.Sources = append(out.Sources, src)
		out.Revisions = append(out.Revisions, Revision{
			SourceID: src.ID, Number: src.Revision, At: tx.now, Author: author,
			Summary: summary(words), Source: src, Effective: eff,
		})
	}
	if out.Empty() {
		return &Edit{Next: tx.prev}
	}
	// A secret set and replaced again in the same transaction is not kept.
	for _, s := range tx.sealed {
		if slices.ContainsFunc(out.Sources, func(src *Source) bool { return src.ID == s.SourceID && src.names(s.Ref) }) {
			out.Sealed = append(out.Sealed, s)
		}
	}
	sealed := maps.Clone(tx.prev.sealed)
	if sealed == nil {
		sealed = map[string]Sealed{}
	}
	for _, s := range out.Sealed {
		sealed[s.Ref] = s
	}
	out.Next = newSnapshot(tx.prev.Seq+1, tx.workspaces, tx.live, tx.deleted, sealed)
	return out
}

// address is where a change's thing stands in a Document.
func address(ch Change) string {
	ws := func(w string) string { return "workspaces." + w }
	src := func(w, s string) string { return ws(w) + ".sources." + s }
	dst := func(w, s, i, n string) string { return src(w, s) + ".destinations." + label(i, n) }
	switch c := ch.(type) {
	case CreateWorkspace:
		return ws(c.Slug)
	case UpdateWorkspace:
		return ws(c.Workspace)
	case CreateSource:
		return src(c.Workspace, c.Slug)
	case UpdateSource:
		return src(c.Workspace, c.Source)
	case DeleteSource:
		return src(c.Workspace, c.Source)
	case RestoreSource:
		return src(c.Workspace, c.Source)
	case AddKey:
		return src(c.Workspace, c.Source)
	case RetireKey:
		return src(c.Workspace, c.Source)
	case PutDestination:
		return dst(c.Workspace, c.Source, c.Integration, c.Name)
	case DeleteDestination:
		return dst(c.Workspace, c.Source, c.Integration, c.Name)
	case Rollback:
		return src(c.Workspace, c.Source)
	}
	return ""
}

// newID makes a name that is never used twice, here or anywhere.
func newID(prefix string) string { return prefix + "_" + strings.ToLower(rand.Text()) }

const keyLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newKey makes a write key in Segment's form: 32 letters and digits.
func newKey() string {
	key := make([]byte, 0, 32)
	var b [64]byte
	for len(key) < cap(key) {
		rand.Read(b[:])
		for _, x := range b {
			// 6 bits give 64 values for 62 letters: the other two are skipped, so that all are as likely.
			if i := int(x & 63); i < len(keyLetters) && len(key) < cap(key) {
				key = append(key, keyLetters[i])
			}
		}
	}
	return string(key)
}

func cleanAuthor(author string) string {
	author = strings.ToValidUTF8(author, "\uFFFD")
	author = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, author)
	if r := []rune(author); len(r) > maxName {
		author = string(r[:maxName])
	}
	if author == "" {
		return "unknown"
	}
	return author
}
