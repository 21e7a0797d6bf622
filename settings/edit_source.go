package settings

import (
	"fmt"
	"slices"
)

// apply does one change. What breaks a rule becomes a problem and the edit
// goes on, to find all mistakes; an error ends it.
func (tx *edit) apply(ch Change) error {
	switch c := ch.(type) {
	case CreateWorkspace:
		return tx.createWorkspace(c)
	case UpdateWorkspace:
		return tx.updateWorkspace(c)
	case CreateSource:
		return tx.createSource(c)
	case UpdateSource:
		return tx.updateSource(c)
	case DeleteSource:
		return tx.deleteSource(c)
	case RestoreSource:
		return tx.restoreSource(c)
	case AddKey:
		return tx.addKey(c)
	case RetireKey:
		return tx.retireKey(c)
	case PutDestination:
		return tx.putDestination(c)
	case DeleteDestination:
		return tx.deleteDestination(c)
	case Rollback:
		return tx.rollback(c)
	case ExpectRevision:
		return tx.expectRevision(c)
	}
	return fmt.Errorf("settings: %T is not a change", ch)
}

func (tx *edit) createWorkspace(c CreateWorkspace) error {
	if _, err := tx.workspace(c.Slug); err == nil {
		return fmt.Errorf("workspace %s exists already: %w", quote(c.Slug), ErrConflict)
	}
	tx.check("slug", checkSlug(c.Slug))
	if c.Name == "" {
		c.Name = c.Slug
	} else {
		tx.check("name", checkName(c.Name))
	}
	w := &Workspace{ID: newID("ws"), Slug: c.Slug, Name: c.Name, CreatedAt: tx.now}
	tx.mine[w] = true
	tx.workspaces = append(tx.workspaces, w)
	return nil
}

func (tx *edit) updateWorkspace(c UpdateWorkspace) error {
	w, err := tx.workspace(c.Workspace)
	if err != nil {
		return err
	}
	if c.Name != nil && tx.check("name", checkName(*c.Name)) {
		w = tx.ownWorkspace(w)
		w.Name = *c.Name
	}
	if c.Options != nil {
		w = tx.ownWorkspace(w)
		w.Options = tx.options(*c.Options)
	}
	return nil
}

func (tx *edit) options(o Options) Options {
	return o.normal(tx.Rules, func(path, message string) { tx.problem("options."+path, message) })
}

func (tx *edit) createSource(c CreateSource) error {
	w, err := tx.workspace(c.Workspace)
	if err != nil {
		return err
	}
	if _, _, err := tx.find(c.Workspace, c.Slug); err == nil {
		return fmt.Errorf("source %s exists already in workspace %s: %w", quote(c.Slug), quote(w.Slug), ErrConflict)
	}
	tx.check("slug", checkSlug(c.Slug))
	if c.Name == "" {
		c.Name = c.Slug
	} else {
		tx.check("name", checkName(c.Name))
	}
	if c.WriteKey == "" {
		c.WriteKey = newKey()
	} else if tx.check("writeKey", checkKey(c.WriteKey)) {
		if by := tx.holder(c.WriteKey); by != nil {
			return tx.keyTaken(c.WriteKey, by)
		}
	}
	src := &Source{
		ID: newID("src"), WorkspaceID: w.ID, Slug: c.Slug, Name: c.Name, CreatedAt: tx.now,
		Keys:         []WriteKey{{Key: c.WriteKey, Environment: production, CreatedAt: tx.now}},
		Destinations: []Destination{},
	}
	tx.mine[src] = true
	tx.live = append(tx.live, src)
	return nil
}

func (tx *edit) updateSource(c UpdateSource) error {
	_, src, err := tx.find(c.Workspace, c.Source)
	if err != nil {
		return err
	}
	if c.Name != nil && tx.check("name", checkName(*c.Name)) {
		src = tx.own(src)
		src.Name = *c.Name
	}
	if c.Options != nil {
		src = tx.own(src)
		src.Options = tx.options(*c.Options)
	}
	return nil
}

func (tx *edit) deleteSource(c DeleteSource) error {
	_, src, err := tx.find(c.Workspace, c.Source)
	if err != nil {
		return err
	}
	src = tx.own(src)
	src.DeletedAt = new(tx.now)
	tx.live = slices.DeleteFunc(tx.live, func(s *Source) bool { return s == src })
	tx.deleted = append(tx.deleted, src)
	return nil
}

func (tx *edit) restoreSource(c RestoreSource) error {
	w, err := tx.workspace(c.Workspace)
	if err != nil {
		return err
	}
	if _, _, err := tx.find(c.Workspace, c.Source); err == nil {
		return fmt.Errorf("another source %s exists in workspace %s: %w", quote(c.Source), quote(w.Slug), ErrConflict)
	}
	for i := len(tx.deleted) - 1; i >= 0; i-- {
		src := tx.deleted[i]
		if src.WorkspaceID != w.ID || src.Slug != c.Source {
			continue
		}
		for _, k := range src.Keys {
			if by := tx.holder(k.Key); by != nil {
				return tx.keyTaken(k.Key, by)
			}
		}
		src = tx.own(src)
		src.DeletedAt = nil
		tx.deleted = slices.Delete(tx.deleted, i, i+1)
		tx.live = append(tx.live, src)
		return nil
	}
	return fmt.Errorf("deleted source %s in workspace %s: %w", quote(c.Source), quote(w.Slug), ErrNotFound)
}

// production is the environment of a key that nobody named one for.
const production = "production"

func (tx *edit) addKey(c AddKey) error {
	_, src, err := tx.find(c.Workspace, c.Source)
	if err != nil {
		return err
	}
	if c.Environment == "" {
		c.Environment = production
	}
	tx.check("environment", checkEnvironment(c.Environment))
	if c.Key == "" {
		c.Key = newKey()
	} else if !tx.check("key", checkKey(c.Key)) {
		return nil
	} else if by := tx.holder(c.Key); by != nil && by != src {
		return tx.keyTaken(c.Key, by)
	}
	src = tx.own(src)
	for i, k := range src.Keys {
		if k.Key == c.Key {
			src.Keys[i].Environment, src.Keys[i].RetiredAt = c.Environment, nil
			return nil
		}
	}
	src.Keys = append(src.Keys, WriteKey{Key: c.Key, Environment: c.Environment, CreatedAt: tx.now})
	return nil
}

func (tx *edit) retireKey(c RetireKey) error {
	_, src, err := tx.find(c.Workspace, c.Source)
	if err != nil {
		return err
	}
	for i, k := range src.Keys {
		if k.Key == c.Key && k.RetiredAt == nil {
			src = tx.own(src)
			src.Keys[i].RetiredAt = new(tx.now)
			return nil
		}
	}
	return fmt.Errorf("active write key %s of source %q: %w", quote(c.Key), src.Slug, ErrNotFound)
}

func (tx *edit) rollback(c Rollback) error {
	w, src, err := tx.find(c.Workspace, c.Source)
	if err != nil {
		return err
	}
	if c.Revision == src.Revision && !tx.mine[src] {
		return nil
	}
	old, err := tx.past(src.ID, c.Revision)
	if err != nil {
		return fmt.Errorf("roll back source %q to revision %d: %w", src.Slug, c.Revision, err)
	}
	dests := slices.Clone(old.Source.Destinations)
	for _, d := range dests {
		if d.Enabled {
			tx.checkDestination(&d, d.Settings, fmt.Sprintf("revision %d: %s.", c.Revision, d.Label()))
		}
	}
	src = tx.own(src)
	src.Destinations = dests
	src.Options = pin(w.Options, tx.options(old.Source.Options), old.Effective)
	tx.note(src, fmt.Sprintf("rolled back to revision %d", c.Revision))
	return nil
}

func (tx *edit) expectRevision(c ExpectRevision) error {
	_, src, err := tx.find(c.Workspace, c.Source)
	if err != nil {
		return err
	}
	if src.Revision != c.Revision {
		return fmt.Errorf("source %q is at revision %d, not %d: look at what changed, then try again: %w", src.Slug, src.Revision, c.Revision, ErrConflict)
	}
	return nil
}
