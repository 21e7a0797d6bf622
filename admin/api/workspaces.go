package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/settings"
)

// body is an answer that is nothing but its JSON.
type body[T any] struct{ Body T }

func (a *API) routeCatalog(h huma.API) {
	huma.Register(h, op("list-catalog", http.MethodGet, "/api/v1/catalog", "Every integration's manifest"),
		func(context.Context, *struct{}) (*body[[]*integrations.Manifest], error) {
			return &body[[]*integrations.Manifest]{a.Catalog.Manifests()}, nil
		})
}

// WorkspacePath names a workspace in a path.
type WorkspacePath struct {
	Workspace string `path:"ws" doc:"slug of the workspace" example:"default"`
}

// NewThing is what a workspace or a source is made from.
type NewThing struct {
	Slug string `json:"slug" doc:"a-z, 0-9 and -, beginning with a letter; it never changes" example:"website"`
	Name string `json:"name,omitempty" doc:"what people call it; the slug when absent" example:"Website"`
}

func (a *API) routeWorkspaces(h huma.API) {
	huma.Register(h, op("list-workspaces", http.MethodGet, "/api/v1/workspaces", "All workspaces"),
		func(context.Context, *struct{}) (*body[[]workspaceView], error) {
			out := []workspaceView{}
			for _, w := range a.Store.Snapshot().Workspaces {
				out = append(out, viewWorkspace(w))
			}
			return &body[[]workspaceView]{out}, nil
		})

	create := op("create-workspace", http.MethodPost, "/api/v1/workspaces", "Create a workspace")
	create.DefaultStatus = http.StatusCreated
	huma.Register(h, create, func(ctx context.Context, in *struct{ Body NewThing }) (*body[workspaceView], error) {
		snap, err := a.do(ctx, settings.CreateWorkspace{Slug: in.Body.Slug, Name: in.Body.Name})
		if err != nil {
			return nil, a.problem("create-workspace", err)
		}
		w := snap.Workspace(in.Body.Slug)
		return &body[workspaceView]{viewWorkspace(w)}, nil
	})

	huma.Register(h, op("get-workspace", http.MethodGet, "/api/v1/workspaces/{ws}", "One workspace"),
		func(_ context.Context, in *WorkspacePath) (*body[workspaceView], error) {
			w, err := a.workspace(a.Store.Snapshot(), in.Workspace)
			if err != nil {
				return nil, a.problem("get-workspace", err)
			}
			return &body[workspaceView]{viewWorkspace(w)}, nil
		})

	huma.Register(h, op("update-workspace", http.MethodPatch, "/api/v1/workspaces/{ws}", "Rename a workspace or set its sources' defaults"),
		func(ctx context.Context, in *struct {
			WorkspacePath
			Body patch
		}) (*body[workspaceView], error) {
			w, err := a.workspace(a.Store.Snapshot(), in.Workspace)
			if err != nil {
				return nil, a.problem("update-workspace", err)
			}
			options, err := in.Body.Options.onto(w.Options)
			if err != nil {
				return nil, a.problem("update-workspace", err)
			}
			snap, err := a.do(ctx, settings.UpdateWorkspace{Workspace: in.Workspace, Name: in.Body.Name, Options: options})
			if err != nil {
				return nil, a.problem("update-workspace", err)
			}
			return &body[workspaceView]{viewWorkspace(snap.Workspace(in.Workspace))}, nil
		})
}

func (a *API) workspace(snap *settings.Snapshot, slug string) (*settings.Workspace, error) {
	if w := snap.Workspace(slug); w != nil {
		return w, nil
	}
	return nil, notFound("workspace %q", slug)
}
