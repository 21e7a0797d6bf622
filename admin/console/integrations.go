package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/settings"
)

// row is one line of the list of integrations: a destination, or a manifest
// that has none yet.
type row struct {
	ID       string // mixpanel or mixpanel:eu
	Manifest *integrations.Manifest
	Name     string
	Dest     *settings.Destination // nil: not set up
	// Direct rows can be switched on as they are; the others need their
	// required settings first.
	Direct bool
	Brotli int // what it adds to the live bundle
}

type integrationsView struct {
	On, Ready, More []row
	Total           int
}

func (c *Console) integrationsPage(w http.ResponseWriter, r *http.Request, v view) {
	st := c.status(v)
	size := map[string]int{}
	for _, l := range st.Lines {
		size[l.Slug] = l.Brotli
	}
	var body integrationsView
	used := map[string]bool{}
	for i := range v.Source.Destinations {
		d := &v.Source.Destinations[i]
		used[d.Integration] = true
		m := c.Catalog.Manifest(d.Integration)
		if m == nil { // a newer version's; it can be switched off and removed
			m = &integrations.Manifest{Slug: d.Integration, Name: d.Integration, Description: "This version of tagmill does not know it."}
		}
		rw := row{ID: label(d.Integration, d.Name), Manifest: m, Name: c.nameOf(*d), Dest: d, Direct: true}
		if d.Enabled {
			rw.Brotli = size[d.Integration]
			size[d.Integration] = 0 // a second one of the kind shares the code
			body.On = append(body.On, rw)
		} else {
			body.Ready = append(body.Ready, rw)
		}
	}
	manifests := c.Catalog.Manifests()
	body.Total = len(manifests)
	for _, m := range manifests {
		if !used[m.Slug] {
			direct := c.Catalog.Check(m.Slug, m.Modes[0], map[string]any{}) == nil
			body.More = append(body.More, row{ID: m.Slug, Manifest: m, Name: m.Name, Direct: direct})
		}
	}
	for _, rows := range [][]row{body.On, body.Ready, body.More} {
		slices.SortFunc(rows, func(a, b row) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	}
	c.render(w, r, http.StatusOK, "integrations", page{Title: v.Source.Name, Tab: "integrations", View: &v, Status: st, Body: body})
}

// find resolves the {id} of a path: mixpanel, mixpanel:eu, or an alias.
func (c *Console) find(v view, id string) (slug, name string, d *settings.Destination, err error) {
	kind, name, _ := strings.Cut(id, ":")
	slug, known := c.Catalog.Slug(kind)
	if !known {
		slug = kind
	}
	for i := range v.Source.Destinations {
		if x := &v.Source.Destinations[i]; x.Integration == slug && x.Name == name {
			return slug, name, x, nil
		}
	}
	if !known {
		return "", "", nil, fmt.Errorf("integration %q: %w", kind, settings.ErrNotFound)
	}
	return slug, name, nil, nil
}

func (c *Console) flipIntegration(w http.ResponseWriter, r *http.Request, v view) {
	slug, name, d, err := c.find(v, r.PathValue("id"))
	if err != nil {
		c.problem(w, r, err)
		return
	}
	on := r.PostFormValue("enabled") == "true"
	put := settings.PutDestination{Workspace: v.Workspace.Slug, Source: v.Source.Slug, Integration: slug, Name: name, Enabled: on}
	_, err = c.do(r, put)
	var wrong *settings.Invalid
	if errors.As(err, &wrong) && d == nil {
		// It cannot run without its settings: ask for them.
		http.Redirect(w, r, v.Base()+"/integrations/"+label(slug, name), http.StatusSeeOther)
		return
	}
	if err != nil {
		c.problem(w, r, err)
		return
	}
	http.Redirect(w, r, v.Base()+"?note="+onOff(on), http.StatusSeeOther)
}

func (c *Console) removeIntegration(w http.ResponseWriter, r *http.Request, v view) {
	slug, name, _, err := c.find(v, r.PathValue("id"))
	if err == nil {
		_, err = c.do(r, settings.DeleteDestination{Workspace: v.Workspace.Slug, Source: v.Source.Slug, Integration: slug, Name: name})
	}
	if err != nil {
		c.problem(w, r, err)
		return
	}
	http.Redirect(w, r, v.Base()+"?note=removed", http.StatusSeeOther)
}

func label(slug, name string) string {
	if name == "" {
		return slug
	}
	return slug + ":" + name
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
