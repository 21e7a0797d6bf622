package api

import (
	"time"

	"github.com/tagmill/tagmill/settings"
)

// The shapes that leave the API. Nothing in them is secret.

type workspaceView struct {
	ID        string           `json:"id"`
	Slug      string           `json:"slug"`
	Name      string           `json:"name"`
	CreatedAt time.Time        `json:"createdAt"`
	Options   settings.Options `json:"options" doc:"the defaults of every source in it"`
}

type sourceView struct {
	ID        string    `json:"id"`
	Workspace string    `json:"workspace" doc:"slug"`
	Slug      string    `json:"slug"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
	Revision  int64     `json:"revision"`
	// WriteKey is the one to show: the first that is not retired.
	WriteKey     string              `json:"writeKey" doc:"the first key that is not retired"`
	Keys         []settings.WriteKey `json:"keys" doc:"all write keys, oldest first, retired ones included" nullable:"false"`
	Options      settings.Options    `json:"options" doc:"set here; what is absent comes from the workspace, then from the product's defaults"`
	Integrations []Destination       `json:"integrations" nullable:"false"`
}

// Destination is one integration of a source as the API shows it.
type Destination struct {
	ID          string         `json:"id"`
	Integration string         `json:"integration" doc:"slug"`
	Name        string         `json:"name,omitempty" doc:"tells a second one of the same kind apart"`
	Enabled     bool           `json:"enabled"`
	Mode        settings.Mode  `json:"mode" enum:"browser,server,both"`
	Settings    map[string]any `json:"settings" doc:"secrets are masked"`
}

type revisionView struct {
	Number       int64             `json:"number"`
	Live         bool              `json:"live" doc:"the source's present revision"`
	At           time.Time         `json:"at"`
	Author       string            `json:"author"`
	Summary      string            `json:"summary"`
	Options      *settings.Options `json:"options,omitempty"`
	Integrations []Destination     `json:"integrations,omitempty" doc:"as of this revision; secrets are masked"`
}

func viewWorkspace(w *settings.Workspace) workspaceView {
	return workspaceView{ID: w.ID, Slug: w.Slug, Name: w.Name, CreatedAt: w.CreatedAt, Options: w.Options}
}

func (a *API) viewSource(snap *settings.Snapshot, s *settings.Source) sourceView {
	v := sourceView{
		ID: s.ID, Slug: s.Slug, Name: s.Name, CreatedAt: s.CreatedAt, Revision: s.Revision,
		WriteKey: activeKey(s), Keys: s.Keys, Options: s.Options,
		Integrations: a.viewDestinations(s.Destinations),
	}
	if w := snap.WorkspaceByID(s.WorkspaceID); w != nil {
		v.Workspace = w.Slug
	}
	return v
}

func (a *API) viewDestinations(ds []settings.Destination) []Destination {
	views := make([]Destination, 0, len(ds))
	for _, d := range ds {
		views = append(views, a.viewDestination(d))
	}
	return views
}

func (a *API) viewDestination(d settings.Destination) Destination {
	d = settings.Masked(d, a.Catalog)
	return Destination{ID: d.ID, Integration: d.Integration, Name: d.Name, Enabled: d.Enabled, Mode: d.Mode, Settings: d.Settings}
}

// activeKey is the key to show: the oldest that is not retired, or "".
func activeKey(s *settings.Source) string {
	for _, k := range s.Keys {
		if k.RetiredAt == nil {
			return k.Key
		}
	}
	return ""
}
