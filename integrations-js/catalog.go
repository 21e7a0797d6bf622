package integrations

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// FS holds SLUG/manifest.json, SLUG/browser.ts and SLUG/README.md of every
// integration, and manifest.schema.json. Folders that do not start with a
// letter (_template) are left out.
//
//go:embed manifest.schema.json [a-z]*/manifest.json [a-z]*/browser.ts [a-z]*/README.md
var FS embed.FS

// Catalog is every integration this build has. It is immutable and safe for
// concurrent use; what its methods return is shared and must not be changed
// unless they say otherwise. It satisfies settings.Catalog.
type Catalog struct {
	sorted []*entry          // by slug
	bySlug map[string]*entry // exact
	byName map[string]*entry // every name, lower-cased
}

// Open reads the embedded integrations.
func Open() (*Catalog, error) { return Load(FS) }

// Load reads SLUG/manifest.json of every folder of fsys that has one. The
// error lists every mistake of every manifest, one a line, each with the
// manifest's file and field.
func Load(fsys fs.FS) (*Catalog, error) {
	files, err := fs.Glob(fsys, "[a-z]*/manifest.json")
	if err != nil {
		return nil, fmt.Errorf("list manifests: %w", err)
	}
	c := &Catalog{bySlug: map[string]*entry{}, byName: map[string]*entry{}}
	var problems []error
	for _, file := range files { // sorted by Glob
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		e, errs := parse(path.Dir(file), data)
		if len(errs) == 0 {
			if _, err := fs.Stat(fsys, path.Dir(file)+"/browser.ts"); err != nil {
				errs = append(errs, errors.New("modes: there is no browser.ts beside the manifest"))
			}
			errs = append(errs, c.add(e)...)
		}
		for _, err := range errs {
			problems = append(problems, fmt.Errorf("%s: %w", file, err))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return c, nil
}

// add indexes e under all its names. A name belongs to one integration,
// whatever its case: people who type "mixpanel" and "Mixpanel" mean the same.
func (c *Catalog) add(e *entry) []error {
	var problems []error
	for i, name := range e.names {
		field := "slug"
		switch {
		case i == 1:
			field = "name"
		case i > 1:
			field = fmt.Sprintf("aliases[%d]", i-2)
		}
		key := strings.ToLower(name)
		if other := c.byName[key]; other != nil && other != e {
			problems = append(problems, fmt.Errorf("%s: %q is taken by %s", field, name, other.Slug))
			continue
		}
		c.byName[key] = e
	}
	c.bySlug[e.Slug] = e
	c.sorted = append(c.sorted, e)
	return problems
}

// Manifests lists all manifests, sorted by slug. The slice is the caller's.
func (c *Catalog) Manifests() []*Manifest {
	out := make([]*Manifest, len(c.sorted))
	for i, e := range c.sorted {
		out[i] = &e.Manifest
	}
	return out
}

// Manifest finds one by slug, or nil.
func (c *Catalog) Manifest(slug string) *Manifest {
	if e := c.bySlug[slug]; e != nil {
		return &e.Manifest
	}
	return nil
}

// Slug resolves a slug, name or alias, in any case, to the slug.
func (c *Catalog) Slug(name string) (slug string, ok bool) {
	e := c.byName[strings.ToLower(name)]
	if e == nil {
		return "", false
	}
	return e.Slug, true
}

// Names lists every name a page may use for an integration: slug, display
// name, aliases. Nil for an unknown slug. The slice is the caller's.
func (c *Catalog) Names(slug string) []string {
	if e := c.bySlug[slug]; e != nil {
		return slices.Clone(e.names)
	}
	return nil
}

// Field reports where a settings key belongs: scope is "browser", "server" or
// "both"; ok is false for a key the manifest does not have.
func (c *Catalog) Field(slug, key string) (scope string, secret, ok bool) {
	e := c.bySlug[slug]
	if e == nil {
		return "", false, false
	}
	f := e.field(key)
	if f == nil {
		return "", false, false
	}
	return f.Scope, f.Secret, true
}
