package settings

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Export writes a snapshot as a Document that, applied to the same store,
// changes nothing, and applied to an empty one makes the same settings with
// the same write keys. A stored secret becomes a variable with a stable name,
// TAGMILL_SECRET_WORKSPACE_SOURCE_INTEGRATION_KEY; a plan knows these names
// and keeps what is stored.
func Export(s *Snapshot, c Catalog) *Document {
	doc := &Document{Version: documentVersion, Workspaces: map[string]*DocumentWorkspace{}}
	names := secretNames(s)
	for _, w := range s.Workspaces {
		doc.Workspaces[w.Slug] = &DocumentWorkspace{Name: w.Name, Options: optionsOrNil(w.Options), Sources: map[string]*DocumentSource{}}
	}
	for _, src := range s.Sources {
		out := &DocumentSource{Name: src.Name, Options: optionsOrNil(src.Options), Destinations: map[string]*DocumentDestination{}}
		for _, k := range src.Keys {
			if k.RetiredAt == nil {
				out.WriteKeys = append(out.WriteKeys, DocumentKey{Key: k.Key, Environment: k.Environment})
			}
		}
		for _, d := range src.Destinations {
			out.Destinations[d.Label()] = exportDestination(d, c, names)
		}
		doc.Workspaces[s.wsByID[src.WorkspaceID].Slug].Sources[src.Slug] = out
	}
	return doc
}

func exportDestination(d Destination, c Catalog, names map[string]string) *DocumentDestination {
	out := &DocumentDestination{Enabled: new(d.Enabled), Mode: d.Mode, Settings: map[string]any{}}
	for key, v := range d.Settings {
		_, secret, ok := c.Field(d.Integration, key)
		ref, isRef := Ref(v)
		name, isEnv := cutEnv(ref)
		switch {
		case isEnv:
			out.Settings[key] = envText(name)
		case isRef:
			out.Settings[key] = envText(names[ref])
		case ok && !secret:
			out.Settings[key] = wholeNumbers(v)
		}
	}
	return out
}

func optionsOrNil(o Options) *Options {
	if same(o, Options{}) {
		return nil
	}
	return &o
}

// wholeNumbers writes 12 and not 12.0 or 1.2e+01.
func wholeNumbers(v any) any {
	switch x := v.(type) {
	case float64:
		if x == math.Trunc(x) && math.Abs(x) <= 1<<53 {
			return int64(x)
		}
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = wholeNumbers(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for key, e := range x {
			out[key] = wholeNumbers(e)
		}
		return out
	}
	return v
}

// secretNames gives every stored secret that is in use the name of a
// variable, by ref. Two that would share one are numbered in the order of
// their labels.
func secretNames(s *Snapshot) map[string]string {
	type place struct{ label, ref, name string }
	var places []place
	for _, src := range s.Sources {
		ws := s.wsByID[src.WorkspaceID].Slug
		for _, d := range src.Destinations {
			for key, v := range d.Settings {
				ref, isRef := Ref(v)
				if _, isEnv := cutEnv(ref); !isRef || isEnv {
					continue
				}
				parts := []string{"TAGMILL_SECRET", ws, src.Slug, d.Integration, d.Name, snake(key)}
				parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
				name := strings.ToUpper(strings.ReplaceAll(strings.Join(parts, "_"), "-", "_"))
				places = append(places, place{strings.Join([]string{ws, src.Slug, d.Label(), key}, "/"), ref, name})
			}
		}
	}
	slices.SortFunc(places, func(a, b place) int { return strings.Compare(a.label, b.label) })
	names, taken := map[string]string{}, map[string]bool{}
	for _, p := range places {
		name := p.name
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", p.name, n)
		}
		taken[name], names[p.ref] = true, name
	}
	return names
}

// snake turns apiSecret into api_Secret, and what no variable may have into _.
func snake(key string) string {
	var b strings.Builder
	for i, r := range key {
		switch {
		case r >= 'A' && r <= 'Z' && i > 0 && key[i-1] >= 'a' && key[i-1] <= 'z':
			b.WriteByte('_')
			b.WriteRune(r)
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}

// Plan lists the changes that make s what the document says, for one Do;
// those that alter nothing do no harm. With prune, what the workspaces of the
// document have and it does not mention goes: sources, destinations, options,
// and write keys where it lists any. Problems of the result are Do's to find;
// give its error to Locate.
func (d *Document) Plan(s *Snapshot, c Catalog, prune bool) ([]Change, error) {
	p := &plan{snapshot: s, catalog: c, prune: prune, names: secretNames(s)}
	for _, slug := range slices.Sorted(maps.Keys(d.Workspaces)) {
		w := d.Workspaces[slug]
		if w == nil {
			w = &DocumentWorkspace{}
		}
		p.workspace(slug, w)
	}
	if len(p.problems) > 0 {
		return nil, d.Locate(&Invalid{Problems: p.problems})
	}
	// What goes makes room first: a renamed source may take its old key along.
	return slices.Concat(p.removals, p.changes), nil
}

type plan struct {
	snapshot          *Snapshot
	catalog           Catalog
	prune             bool
	names             map[string]string // of stored secrets, by ref
	removals, changes []Change
	problems          []Problem
}

func (p *plan) workspace(slug string, w *DocumentWorkspace) {
	old := p.snapshot.Workspace(slug)
	if old == nil {
		p.changes = append(p.changes, CreateWorkspace{Slug: slug, Name: w.Name})
	} else if w.Name != "" {
		p.changes = append(p.changes, UpdateWorkspace{Workspace: slug, Name: &w.Name})
	}
	if o := p.options(w.Options); o != nil {
		p.changes = append(p.changes, UpdateWorkspace{Workspace: slug, Options: o})
	}
	for _, source := range slices.Sorted(maps.Keys(w.Sources)) {
		src := w.Sources[source]
		if src == nil {
			src = &DocumentSource{}
		}
		p.source(slug, source, src)
	}
	if !p.prune || old == nil {
		return
	}
	for _, src := range p.snapshot.Sources {
		if _, stays := w.Sources[src.Slug]; src.WorkspaceID == old.ID && !stays {
			p.removals = append(p.removals, DeleteSource{Workspace: slug, Source: src.Slug})
		}
	}
}

// options are those to set, or nil for no change.
func (p *plan) options(o *Options) *Options {
	if o == nil && p.prune {
		return &Options{}
	}
	return o
}

func (p *plan) source(ws, slug string, src *DocumentSource) {
	old := p.snapshot.Source(ws, slug)
	if old == nil {
		create := CreateSource{Workspace: ws, Slug: slug, Name: src.Name}
		if len(src.WriteKeys) > 0 {
			create.WriteKey = src.WriteKeys[0].Key
		}
		p.changes = append(p.changes, create)
	} else if src.Name != "" {
		p.changes = append(p.changes, UpdateSource{Workspace: ws, Source: slug, Name: &src.Name})
	}
	if o := p.options(src.Options); o != nil {
		p.changes = append(p.changes, UpdateSource{Workspace: ws, Source: slug, Options: o})
	}
	p.keys(ws, slug, src, old)
	p.destinations(ws, slug, src, old)
}

func (p *plan) keys(ws, slug string, src *DocumentSource, old *Source) {
	listed := map[string]bool{}
	for i, k := range src.WriteKeys {
		path := fmt.Sprintf("%s.writeKeys[%d]", address(UpdateSource{Workspace: ws, Source: slug}), i)
		switch {
		case k.Key == "":
			p.problems = append(p.problems, Problem{Path: path, Message: "has no key: give one, or leave writeKeys out to have one made"})
		case listed[k.Key]:
			p.problems = append(p.problems, Problem{Path: path, Message: fmt.Sprintf("key %s is listed twice", quote(k.Key))})
		default:
			p.changes = append(p.changes, AddKey{Workspace: ws, Source: slug, Key: k.Key, Environment: k.Environment})
		}
		listed[k.Key] = true
	}
	if !p.prune || old == nil || len(src.WriteKeys) == 0 {
		return
	}
	for _, k := range old.Keys {
		if k.RetiredAt == nil && !listed[k.Key] {
			p.removals = append(p.removals, RetireKey{Workspace: ws, Source: slug, Key: k.Key})
		}
	}
}

func (p *plan) destinations(ws, slug string, src *DocumentSource, old *Source) {
	listed := map[string]string{}
	for _, words := range slices.Sorted(maps.Keys(src.Destinations)) {
		integration, name, _ := strings.Cut(words, ":")
		canonical, known := p.catalog.Slug(integration)
		if !known {
			canonical = integration
		}
		if other, twice := listed[label(canonical, name)]; twice {
			path := address(PutDestination{Workspace: ws, Source: slug, Integration: words})
			p.problems = append(p.problems, Problem{Path: path, Message: fmt.Sprintf("is the same destination as %q", other)})
			continue
		}
		listed[label(canonical, name)] = words
		d := src.Destinations[words]
		if d == nil {
			d = &DocumentDestination{}
		}
		// Integration as it was written, so that a problem finds its line.
		p.changes = append(p.changes, PutDestination{
			Workspace: ws, Source: slug, Integration: integration, Name: name,
			Enabled: d.Enabled == nil || *d.Enabled, Mode: d.Mode,
			Settings: p.settings(d.Settings, old, canonical, name),
		})
	}
	if !p.prune || old == nil {
		return
	}
	for _, d := range old.Destinations {
		if _, stays := listed[d.Label()]; !stays {
			p.removals = append(p.removals, DeleteDestination{Workspace: ws, Source: slug, Integration: d.Integration, Name: d.Name})
		}
	}
}

// settings leaves out the secrets that Export wrote by name, so that what is
// stored is kept.
func (p *plan) settings(given map[string]any, old *Source, integration, name string) map[string]any {
	if given == nil || old == nil {
		return given
	}
	i := slices.IndexFunc(old.Destinations, func(d Destination) bool { return d.Integration == integration && d.Name == name })
	if i < 0 {
		return given
	}
	given = maps.Clone(given)
	for key, v := range old.Destinations[i].Settings {
		ref, isRef := Ref(v)
		if generated, stored := p.names[ref]; isRef && stored && given[key] == any(envText(generated)) {
			delete(given, key)
		}
	}
	return given
}

// Compare says in words what is different between two snapshots, one line for
// each thing: "default/website: mixpanel switched on". Values are never told.
func Compare(before, after *Snapshot) []string {
	lines := []string{}
	add := func(where string, words ...string) {
		if len(words) > 0 {
			lines = append(lines, where+": "+strings.Join(words, "; "))
		}
	}
	for _, w := range after.Workspaces {
		old := before.wsByID[w.ID]
		if old == nil {
			add(w.Slug, "workspace created")
			continue
		}
		var words []string
		if old.Name != w.Name {
			words = append(words, fmt.Sprintf("renamed to %q", w.Name))
		}
		add(w.Slug, append(words, optionChanges(old.Options, w.Options)...)...)
	}
	where := func(s *Snapshot, src *Source) string { return s.wsByID[src.WorkspaceID].Slug + "/" + src.Slug }
	for _, src := range before.Sources {
		if after.byID[src.ID] == nil {
			add(where(before, src), "source deleted")
		}
	}
	for _, src := range after.Sources {
		if old := before.byID[src.ID]; old != nil {
			add(where(after, src), Diff(old, src)...)
		} else {
			add(where(after, src), append([]string{"source created"}, destinationChanges(&Source{}, src)...)...)
		}
	}
	return lines
}
