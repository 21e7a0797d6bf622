package settings

import (
	"maps"
	"slices"
)

// Snapshot is all settings at one moment: immutable, shared, safe for
// concurrent use, read without a lock.
type Snapshot struct {
	// Seq grows with every committed change.
	Seq        int64
	Workspaces []*Workspace
	Sources    []*Source // deleted ones left out

	deleted []*Source         // not purged yet, in the order of their deletion
	sealed  map[string]Sealed // by ref; every one a kept revision may name

	byKey  map[string]*Source // active write keys only
	byID   map[string]*Source
	wsByID map[string]*Workspace
}

// NewSnapshot indexes the given state. It keeps the slices.
func NewSnapshot(seq int64, workspaces []*Workspace, sources []*Source) *Snapshot {
	return newSnapshot(seq, workspaces, sources, nil, nil)
}

// RestoreSnapshot makes a snapshot of everything that a Store keeps: sources
// with the deleted ones among them, and the sealed secrets.
func RestoreSnapshot(seq int64, workspaces []*Workspace, sources []*Source, sealed []Sealed) *Snapshot {
	var live, deleted []*Source
	for _, src := range sources {
		if src.DeletedAt == nil {
			live = append(live, src)
		} else {
			deleted = append(deleted, src)
		}
	}
	slices.SortStableFunc(deleted, func(a, b *Source) int { return a.DeletedAt.Compare(*b.DeletedAt) })
	byRef := make(map[string]Sealed, len(sealed))
	for _, s := range sealed {
		byRef[s.Ref] = s
	}
	return newSnapshot(seq, workspaces, live, deleted, byRef)
}

func newSnapshot(seq int64, workspaces []*Workspace, live, deleted []*Source, sealed map[string]Sealed) *Snapshot {
	s := &Snapshot{
		Seq: seq, Workspaces: workspaces, Sources: live, deleted: deleted, sealed: sealed,
		byKey:  make(map[string]*Source, len(live)),
		byID:   make(map[string]*Source, len(live)),
		wsByID: make(map[string]*Workspace, len(workspaces)),
	}
	for _, w := range workspaces {
		s.wsByID[w.ID] = w
	}
	for _, src := range live {
		s.byID[src.ID] = src
		for _, k := range src.Keys {
			if k.RetiredAt == nil {
				s.byKey[k.Key] = src
			}
		}
	}
	return s
}

// SourceByKey finds the source of an active write key, or nil.
func (s *Snapshot) SourceByKey(writeKey string) *Source { return s.byKey[writeKey] }

// SourceByID finds a source, or nil.
func (s *Snapshot) SourceByID(id string) *Source { return s.byID[id] }

// WorkspaceByID finds a workspace, or nil.
func (s *Snapshot) WorkspaceByID(id string) *Workspace { return s.wsByID[id] }

// Workspace finds a workspace by slug, or nil.
func (s *Snapshot) Workspace(slug string) *Workspace {
	for _, w := range s.Workspaces {
		if w.Slug == slug {
			return w
		}
	}
	return nil
}

// Source finds a source by workspace slug and source slug, or nil.
func (s *Snapshot) Source(workspace, source string) *Source {
	w := s.Workspace(workspace)
	if w == nil {
		return nil
	}
	for _, src := range s.Sources {
		if src.WorkspaceID == w.ID && src.Slug == source {
			return src
		}
	}
	return nil
}

// Deleted lists the sources deleted and not purged yet, longest ago first.
func (s *Snapshot) Deleted() []*Source { return s.deleted }

// Effective returns the options in force for a source of this snapshot; every
// pointer in them is set.
func (s *Snapshot) Effective(src *Source) Options {
	var ws Options
	if w := s.wsByID[src.WorkspaceID]; w != nil {
		ws = w.Options
	}
	return Effective(ws, src.Options)
}

// Without is the next snapshot, after the given sources were purged, by id.
func (s *Snapshot) Without(sourceIDs ...string) *Snapshot {
	gone := func(id string) bool { return slices.Contains(sourceIDs, id) }
	sealed := maps.Clone(s.sealed)
	maps.DeleteFunc(sealed, func(_ string, v Sealed) bool { return gone(v.SourceID) })
	drop := func(list []*Source) []*Source {
		return slices.DeleteFunc(slices.Clone(list), func(src *Source) bool { return gone(src.ID) })
	}
	return newSnapshot(s.Seq+1, s.Workspaces, drop(s.Sources), drop(s.deleted), sealed)
}
