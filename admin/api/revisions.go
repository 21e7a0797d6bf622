package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tagmill/tagmill/settings"
)

func (a *API) routeRevisions(h huma.API) {
	huma.Register(h, op("list-revisions", http.MethodGet, "/revisions", "A source's history, newest first"),
		func(ctx context.Context, in *struct {
			SourcePath
			Before int64 `query:"before" minimum:"0" doc:"only revisions below this one; the Link header has the next page"`
			Limit  int   `query:"limit" minimum:"1" maximum:"100" default:"25"`
			Full   bool  `query:"full" doc:"with options and integrations as of each revision"`
		}) (*struct {
			Link string `header:"Link" doc:"rel=next: the next page, absent on the last"`
			Body []revisionView
		}, error) {
			_, s, err := a.source(in.SourcePath)
			if err != nil {
				return nil, a.problem("list-revisions", err)
			}
			history, err := a.Store.History(ctx, s.ID, in.Before, in.Limit+1)
			if err != nil {
				return nil, a.problem("list-revisions", err)
			}
			var out struct {
				Link string `header:"Link" doc:"rel=next: the next page, absent on the last"`
				Body []revisionView
			}
			if len(history) > in.Limit {
				history = history[:in.Limit]
				out.Link = fmt.Sprintf(`</api/v1/workspaces/%s/sources/%s/revisions?before=%d&limit=%d&full=%s>; rel="next"`,
					in.Workspace, in.Source, history[in.Limit-1].Number, in.Limit, strconv.FormatBool(in.Full))
			}
			out.Body = []revisionView{}
			for _, r := range history {
				v := revisionView{Number: r.Number, Live: r.Number == s.Revision, At: r.At, Author: r.Author, Summary: r.Summary}
				if in.Full && r.Source != nil {
					v.Options, v.Integrations = &r.Source.Options, a.viewDestinations(r.Source.Destinations)
				}
				out.Body = append(out.Body, v)
			}
			return &out, nil
		})

	huma.Register(h, op("rollback", http.MethodPost, "/rollback", "Make an older revision live again, as a new revision"),
		func(ctx context.Context, in *struct {
			SourcePath
			Precondition
			Body struct {
				Revision int64 `json:"revision" minimum:"1" doc:"the revision to go back to"`
			}
		}) (*revisionAnswer, error) {
			snap, err := a.change(ctx, in.SourcePath, in.Precondition, settings.Rollback{Workspace: in.Workspace, Source: in.Source, Revision: in.Body.Revision})
			return a.answerSource("rollback", snap, in.Workspace, in.Source, err)
		})
}
