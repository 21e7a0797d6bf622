package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tagmill/tagmill/settings"
)

// IntegrationPath names an integration of a source in a path.
type IntegrationPath struct {
	SourcePath
	Integration string `path:"integration" doc:"slug or alias, then :name for a second one of the same kind" example:"mixpanel"`
}

// split tells mixpanel:eu into its parts and resolves the alias.
func (a *API) split(p IntegrationPath) (slug, name string, err error) {
	kind, name, _ := strings.Cut(p.Integration, ":")
	slug, ok := a.Catalog.Slug(kind)
	if !ok {
		return "", "", notFound("integration %q: GET /api/v1/catalog lists all", kind)
	}
	return slug, name, nil
}

type flip struct {
	Enabled  *bool          `json:"enabled,omitempty" doc:"absent: as it is; a new one is switched on"`
	Mode     settings.Mode  `json:"mode,omitempty" enum:"browser,server,both" doc:"absent: as it is; a new one runs in the browser"`
	Settings map[string]any `json:"settings,omitempty" doc:"absent: as they are; else they replace the present ones. A secret that is left out or still masked stays"`
}

type flipped struct {
	ETag string `header:"ETag" doc:"the revision, quoted: for If-Match"`
	Body struct {
		Revision int64 `json:"revision" doc:"the source's new revision"`
		Destination
	}
}

func (a *API) routeIntegrations(h huma.API) {
	huma.Register(h, op("get-integration", http.MethodGet, "/integrations/{integration}", "One integration of a source"),
		func(_ context.Context, in *IntegrationPath) (*flipped, error) {
			_, s, err := a.source(in.SourcePath)
			if err != nil {
				return nil, a.problem("get-integration", err)
			}
			slug, name, err := a.split(*in)
			if err != nil {
				return nil, a.problem("get-integration", err)
			}
			return a.answerFlip("get-integration", s, slug, name)
		})

	huma.Register(h, op("put-integration", http.MethodPut, "/integrations/{integration}", "Flip or configure an integration"),
		func(ctx context.Context, in *struct {
			IntegrationPath
			Precondition
			Body flip
		}) (*flipped, error) {
			_, s, err := a.source(in.SourcePath)
			if err != nil {
				return nil, a.problem("put-integration", err)
			}
			slug, name, err := a.split(in.IntegrationPath)
			if err != nil {
				return nil, a.problem("put-integration", err)
			}
			enabled := true
			if d := destination(s, slug, name); d != nil {
				enabled = d.Enabled
			}
			if in.Body.Enabled != nil {
				enabled = *in.Body.Enabled
			}
			snap, err := a.change(ctx, in.SourcePath, in.Precondition, settings.PutDestination{
				Workspace: in.Workspace, Source: in.Source, Integration: slug, Name: name,
				Enabled: enabled, Mode: in.Body.Mode, Settings: in.Body.Settings,
			})
			if err != nil {
				return nil, a.problem("put-integration", err)
			}
			return a.answerFlip("put-integration", snap.Source(in.Workspace, in.Source), slug, name)
		})

	huma.Register(h, op("delete-integration", http.MethodDelete, "/integrations/{integration}", "Remove an integration and its settings from a source"),
		func(ctx context.Context, in *struct {
			IntegrationPath
			Precondition
		}) (*struct {
			Body struct {
				Revision int64 `json:"revision" doc:"the source's new revision"`
			}
		}, error) {
			slug, name, err := a.split(in.IntegrationPath)
			if err != nil {
				return nil, a.problem("delete-integration", err)
			}
			snap, err := a.change(ctx, in.SourcePath, in.Precondition, settings.DeleteDestination{Workspace: in.Workspace, Source: in.Source, Integration: slug, Name: name})
			if err != nil {
				return nil, a.problem("delete-integration", err)
			}
			var out struct {
				Body struct {
					Revision int64 `json:"revision" doc:"the source's new revision"`
				}
			}
			out.Body.Revision = snap.Source(in.Workspace, in.Source).Revision
			return &out, nil
		})
}

func (a *API) answerFlip(op string, s *settings.Source, slug, name string) (*flipped, error) {
	d := destination(s, slug, name)
	if d == nil {
		return nil, a.problem(op, notFound("integration %q of source %q", label(slug, name), s.Slug))
	}
	out := &flipped{ETag: etag(s)}
	out.Body.Revision, out.Body.Destination = s.Revision, a.viewDestination(*d)
	return out, nil
}

func destination(s *settings.Source, slug, name string) *settings.Destination {
	for i := range s.Destinations {
		if d := &s.Destinations[i]; d.Integration == slug && d.Name == name {
			return d
		}
	}
	return nil
}

func label(slug, name string) string {
	if name == "" {
		return slug
	}
	return slug + ":" + name
}
