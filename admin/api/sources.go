package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tagmill/tagmill/settings"
)

// SourcePath names a source in a path. It and its like are exported because
// huma looks past embedded types that are not.
type SourcePath struct {
	WorkspacePath
	Source string `path:"source" doc:"slug of the source" example:"website"`
}

// Precondition lets a client refuse to change what somebody else changed meanwhile.
type Precondition struct {
	IfMatch string `header:"If-Match" doc:"the revision this change was made from; 409 when the source has moved on" example:"\"12\""`
}

type revisionAnswer struct {
	ETag string `header:"ETag" doc:"the revision, quoted: for If-Match"`
	Body sourceView
}

func (a *API) routeSources(h huma.API) {
	const list = "/api/v1/workspaces/{ws}/sources"
	huma.Register(h, op("list-sources", http.MethodGet, list, "All sources of a workspace"),
		func(_ context.Context, in *WorkspacePath) (*body[[]sourceView], error) {
			snap := a.Store.Snapshot()
			w, err := a.workspace(snap, in.Workspace)
			if err != nil {
				return nil, a.problem("list-sources", err)
			}
			out := []sourceView{}
			for _, s := range snap.Sources {
				if s.WorkspaceID == w.ID {
					out = append(out, a.viewSource(snap, s))
				}
			}
			return &body[[]sourceView]{out}, nil
		})

	create := op("create-source", http.MethodPost, list, "Create a source, with its first write key")
	create.DefaultStatus = http.StatusCreated
	huma.Register(h, create, func(ctx context.Context, in *struct {
		WorkspacePath
		Body struct {
			NewThing
			WriteKey string `json:"writeKey,omitempty" doc:"a key to keep, from before a migration; else one is made"`
		}
	}) (*revisionAnswer, error) {
		snap, err := a.do(ctx, settings.CreateSource{
			Workspace: in.Workspace, Slug: in.Body.Slug, Name: in.Body.Name, WriteKey: in.Body.WriteKey,
		})
		return a.answerSource("create-source", snap, in.Workspace, in.Body.Slug, err)
	})

	huma.Register(h, op("get-source", http.MethodGet, "", "A source: settings, revision, write keys"),
		func(_ context.Context, in *SourcePath) (*revisionAnswer, error) {
			return a.answerSource("get-source", a.Store.Snapshot(), in.Workspace, in.Source, nil)
		})

	huma.Register(h, op("update-source", http.MethodPatch, "", "Rename a source or set its options"),
		func(ctx context.Context, in *struct {
			SourcePath
			Precondition
			Body patch
		}) (*revisionAnswer, error) {
			_, s, err := a.source(in.SourcePath)
			if err != nil {
				return nil, a.problem("update-source", err)
			}
			if in.IfMatch == "" { // a patch is made from what is there now
				in.IfMatch = etag(s)
			}
			options, err := in.Body.Options.onto(s.Options)
			if err != nil {
				return nil, a.problem("update-source", err)
			}
			snap, err := a.change(ctx, in.SourcePath, in.Precondition, settings.UpdateSource{
				Workspace: in.Workspace, Source: in.Source, Name: in.Body.Name, Options: options,
			})
			return a.answerSource("update-source", snap, in.Workspace, in.Source, err)
		})

	remove := op("delete-source", http.MethodDelete, "", "Stop a source; its record is kept 30 days")
	remove.DefaultStatus = http.StatusNoContent
	huma.Register(h, remove, func(ctx context.Context, in *struct {
		SourcePath
		Precondition
	}) (*struct{}, error) {
		if _, err := a.change(ctx, in.SourcePath, in.Precondition, settings.DeleteSource{Workspace: in.Workspace, Source: in.Source}); err != nil {
			return nil, a.problem("delete-source", err)
		}
		return nil, nil
	})
}

func (a *API) source(p SourcePath) (*settings.Snapshot, *settings.Source, error) {
	snap := a.Store.Snapshot()
	if _, err := a.workspace(snap, p.Workspace); err != nil {
		return nil, nil, err
	}
	if s := snap.Source(p.Workspace, p.Source); s != nil {
		return snap, s, nil
	}
	return nil, nil, notFound("source %q in workspace %q", p.Source, p.Workspace)
}

// change applies a change to a source in the name of the request's author, if
// the source still is at the revision that the client knows, when it said one.
func (a *API) change(ctx context.Context, p SourcePath, m Precondition, change settings.Change) (*settings.Snapshot, error) {
	tag := strings.TrimSpace(m.IfMatch)
	if tag == "" || tag == "*" {
		return a.do(ctx, change)
	}
	revision, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(tag, "W/"), `"`), 10, 64)
	if err != nil {
		return nil, huma.Error400BadRequest(`If-Match must be a revision in quotes, such as "12"`)
	}
	return a.do(ctx, settings.ExpectRevision{Workspace: p.Workspace, Source: p.Source, Revision: revision}, change)
}

// answerSource answers with a source as it is in a snapshot, or with err.
func (a *API) answerSource(op string, snap *settings.Snapshot, workspace, source string, err error) (*revisionAnswer, error) {
	if err != nil {
		return nil, a.problem(op, err)
	}
	s := snap.Source(workspace, source)
	if s == nil {
		return nil, a.problem(op, notFound("source %q in workspace %q", source, workspace))
	}
	return &revisionAnswer{ETag: etag(s), Body: a.viewSource(snap, s)}, nil
}

func etag(s *settings.Source) string { return fmt.Sprintf(`"%d"`, s.Revision) }
