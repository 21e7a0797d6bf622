package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/tagmill/tagmill/bundler/publish"
	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/settings"
)

// statusView is what a source's header says of its bundle.
type statusView struct {
	State    publish.State
	Error    string
	Revision int64 // live
	Wanted   int64
	Live     publish.Status
	Caching  settings.Caching
	Stale    int // seconds, worst case
	Lines    []priceLine
}

// priceLine is one line of the bundle's price tag.
type priceLine struct {
	Slug, Name        string
	Raw, Gzip, Brotli int
	Exact             bool // else the price is not known yet
}

func (c *Console) status(v view) *statusView {
	caching := *settings.Effective(v.Workspace.Options, v.Source.Options).Caching
	out := &statusView{State: publish.StateBuilding, Wanted: v.Source.Revision, Caching: caching, Stale: caching.WorstCase()}
	st, ok := c.Bundles.Status(v.Source.ID)
	if !ok {
		return out
	}
	out.Live, out.State, out.Error, out.Revision = st, st.State, st.Error, st.Revision
	if st.Wanted < v.Source.Revision && st.State == publish.StateLive {
		out.State = publish.StateBuilding // the publisher has not heard of it yet
	}
	for slug, share := range st.Report.Integrations {
		line := priceLine{Slug: slug, Name: slug, Raw: share.Raw, Gzip: share.Gzip, Brotli: share.Brotli, Exact: share.Exact}
		if m := c.Catalog.Manifest(slug); m != nil {
			line.Name = m.Name
		} else if slug == "runtime" {
			line.Name = "tagmill runtime"
		}
		out.Lines = append(out.Lines, line)
	}
	slices.SortFunc(out.Lines, func(a, b priceLine) int {
		if (a.Slug == "runtime") != (b.Slug == "runtime") {
			if a.Slug == "runtime" {
				return -1
			}
			return 1
		}
		return cmp.Or(b.Brotli-a.Brotli, strings.Compare(a.Slug, b.Slug))
	})
	return out
}

type homeView struct {
	Workspaces []homeWorkspace
	Log        logView
	// Form holds what was sent when it could not be used.
	Form     map[string]string
	Problems map[string]string
}

type homeWorkspace struct {
	*settings.Workspace
	Sources []homeSource
}

type homeSource struct {
	view
	Status *statusView
	On     []string // names of what is switched on
}

type logView struct {
	eventlog.Stats
	Days    float64 // until full; negative when not known
	Percent int
}

func viewLog(s eventlog.Stats) logView {
	v := logView{Stats: s, Days: -1}
	if s.Budget > 0 {
		v.Percent = int(min(100, 100*s.Bytes/s.Budget))
		if s.BytesPerHour > 0 {
			v.Days = float64(max(s.Budget-s.Bytes, 0)) / float64(s.BytesPerHour) / 24
		}
	}
	return v
}

func (c *Console) home(w http.ResponseWriter, r *http.Request) {
	c.showHome(w, r, http.StatusOK, nil, nil)
}

func (c *Console) showHome(w http.ResponseWriter, r *http.Request, status int, form, problems map[string]string) {
	snap := c.Store.Snapshot()
	body := homeView{Log: viewLog(c.LogStats()), Form: form, Problems: problems}
	for _, ws := range snap.Workspaces {
		hw := homeWorkspace{Workspace: ws}
		for _, s := range snap.Sources {
			if s.WorkspaceID != ws.ID {
				continue
			}
			hs := homeSource{view: view{snap, ws, s}}
			hs.Status = c.status(hs.view)
			for _, d := range s.Destinations {
				if d.Enabled {
					hs.On = append(hs.On, c.nameOf(d))
				}
			}
			slices.Sort(hs.On)
			hw.Sources = append(hw.Sources, hs)
		}
		body.Workspaces = append(body.Workspaces, hw)
	}
	c.render(w, r, status, "home", page{Title: "Sources", Body: body})
}

// nameOf is what people call a destination.
func (c *Console) nameOf(d settings.Destination) string {
	name := d.Integration
	if m := c.Catalog.Manifest(d.Integration); m != nil {
		name = m.Name
	}
	if d.Name != "" {
		name += " · " + d.Name
	}
	return name
}

func (c *Console) createSource(w http.ResponseWriter, r *http.Request) {
	ws, name, slug := r.PostFormValue("workspace"), strings.TrimSpace(r.PostFormValue("name")), strings.TrimSpace(r.PostFormValue("slug"))
	if slug == "" {
		slug = slugOf(name)
	}
	if _, err := c.do(r, settings.CreateSource{Workspace: ws, Slug: slug, Name: name}); err != nil {
		c.badForm(w, r, err, func(problems map[string]string) {
			c.showHome(w, r, http.StatusUnprocessableEntity, map[string]string{"workspace": ws, "name": name, "slug": slug}, problems)
		})
		return
	}
	http.Redirect(w, r, "/"+ws+"/"+slug+"/install?note=created", http.StatusSeeOther)
}

func (c *Console) createWorkspace(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSpace(r.PostFormValue("name"))
	if _, err := c.do(r, settings.CreateWorkspace{Slug: slugOf(name), Name: name}); err != nil {
		c.problem(w, r, err)
		return
	}
	http.Redirect(w, r, "/?note=created", http.StatusSeeOther)
}

// slugOf makes a slug of a name: "My Shop (EU)" gives my-shop-eu. It may be
// empty or refused; the settings say so.
func slugOf(name string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9' && b.Len() > 0:
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.TrimSuffix(b.String(), "-")
}
