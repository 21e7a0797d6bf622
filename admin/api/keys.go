package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tagmill/tagmill/settings"
)

func (a *API) routeKeys(h huma.API) {
	add := op("add-key", http.MethodPost, "/keys", "Give a source one more write key")
	add.DefaultStatus = http.StatusCreated
	huma.Register(h, add, func(ctx context.Context, in *struct {
		SourcePath
		Body *struct {
			Environment string `json:"environment,omitempty" doc:"what the key is for; production when absent" example:"staging"`
			Key         string `json:"key,omitempty" doc:"a key to keep; else one is made"`
		}
	}) (*body[settings.WriteKey], error) {
		_, before, err := a.source(in.SourcePath)
		if err != nil {
			return nil, a.problem("add-key", err)
		}
		add := settings.AddKey{Workspace: in.Workspace, Source: in.Source, Environment: "production"}
		if in.Body != nil {
			add.Key = in.Body.Key
			add.Environment = cmp.Or(in.Body.Environment, add.Environment)
		}
		snap, err := a.do(ctx, add)
		if err != nil {
			return nil, a.problem("add-key", err)
		}
		known := map[string]bool{}
		for _, k := range before.Keys {
			known[k.Key] = true
		}
		for _, k := range snap.Source(in.Workspace, in.Source).Keys {
			if !known[k.Key] && (add.Key == "" || add.Key == k.Key) {
				return &body[settings.WriteKey]{k}, nil
			}
		}
		return nil, a.problem("add-key", notFound("write key just added"))
	})

	retire := func(ctx context.Context, op string, p SourcePath, key string) (*struct{}, error) {
		if key == "" {
			return nil, a.problem(op, invalid("key", "say which write key to retire"))
		}
		if _, _, err := a.source(p); err != nil {
			return nil, a.problem(op, err)
		}
		if _, err := a.do(ctx, settings.RetireKey{Workspace: p.Workspace, Source: p.Source, Key: key}); err != nil {
			return nil, a.problem(op, err)
		}
		return nil, nil
	}

	byQuery := op("retire-key", http.MethodDelete, "/keys", "Retire a write key: from now on it is unknown")
	byQuery.DefaultStatus = http.StatusNoContent
	huma.Register(h, byQuery, func(ctx context.Context, in *struct {
		SourcePath
		Key  string `query:"key" doc:"the key, here or in the body"`
		Body *struct {
			Key string `json:"key,omitempty"`
		}
	}) (*struct{}, error) {
		key := in.Key
		if key == "" && in.Body != nil {
			key = in.Body.Key
		}
		return retire(ctx, "retire-key", in.SourcePath, key)
	})

	byPath := op("retire-key-by-path", http.MethodDelete, "/keys/{key}", "Retire a write key named in the path")
	byPath.DefaultStatus = http.StatusNoContent
	huma.Register(h, byPath, func(ctx context.Context, in *struct {
		SourcePath
		Key string `path:"key"`
	}) (*struct{}, error) {
		return retire(ctx, "retire-key-by-path", in.SourcePath, in.Key)
	})
}
