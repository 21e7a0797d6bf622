package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tagmill/tagmill/admin"
	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/settings"
)

// Weigher is a Bundles that can say what a source's bundle would weigh in a
// snapshot that is not live: a dry run tells bytes only where there is one.
type Weigher interface {
	Weigh(ctx context.Context, snap *settings.Snapshot, src *settings.Source) (bundler.Report, error)
}

type applied struct {
	DryRun  bool     `json:"dryRun" doc:"nothing was changed"`
	Changes []string `json:"changes" nullable:"false" doc:"in words, one for each thing"`
	// Bundles are those of sources that the document changes, on a dry run.
	Bundles []bundleChange `json:"bundles,omitempty" doc:"of a dry run: each changed source's bundle before and after"`
}

type bundleChange struct {
	Source string      `json:"source" doc:"workspace/source"`
	Before bundleState `json:"before"`
	After  bundleState `json:"after"`
}

type bundleState struct {
	Brotli int      `json:"brotli" doc:"bytes"`
	Hosts  []string `json:"hosts" nullable:"false" doc:"that its integrations load from and talk to"`
	Error  string   `json:"error,omitempty" doc:"why it could not go live"`
}

func (a *API) routeDocument(h huma.API) {
	apply := op("apply", http.MethodPost, "/api/v1/apply", "Make the settings what a document says")
	apply.Description = "The document is YAML, or the JSON that is also YAML, as GET /api/v1/export writes it. All of it is applied, or nothing."
	apply.MaxBodyBytes = admin.MaxBody
	huma.Register(h, apply, func(ctx context.Context, in *struct {
		DryRun  bool   `query:"dryRun" doc:"only say what would change"`
		Prune   bool   `query:"prune" doc:"delete what the document's workspaces have and it does not mention"`
		RawBody []byte `contentType:"application/yaml"`
	}) (*body[applied], error) {
		out, err := a.apply(ctx, in.RawBody, in.DryRun, in.Prune)
		if err != nil {
			return nil, a.problem("apply", err)
		}
		return &body[applied]{*out}, nil
	})

	export := op("export", http.MethodGet, "/api/v1/export", "All settings as a document")
	export.Description = "YAML for Git: write keys are in it, secrets only as ${env:NAME}. Applied to this server it changes nothing."
	export.Responses = textResponse("application/yaml", "the document")
	huma.Register(h, export, func(context.Context, *struct{}) (*text, error) {
		doc, err := settings.Export(a.Store.Snapshot(), a.Catalog).YAML()
		if err != nil {
			return nil, a.problem("export", err)
		}
		return &text{ContentType: "application/yaml; charset=utf-8", Body: doc}, nil
	})
}

func (a *API) apply(ctx context.Context, data []byte, dryRun, prune bool) (*applied, error) {
	doc, err := settings.ParseDocument(data)
	if err != nil {
		return nil, err
	}
	before := a.Store.Snapshot()
	changes, err := doc.Plan(before, a.Catalog, prune)
	if err != nil {
		return nil, doc.Locate(err)
	}
	do := a.Store.Do
	if dryRun {
		dry, ok := a.Store.(settings.DryRunner)
		if !ok {
			return nil, errors.New("this settings store cannot do a dry run")
		}
		do = dry.DryRun
	}
	after, err := do(ctx, admin.Author(ctx), changes...)
	if err != nil {
		return nil, doc.Locate(err)
	}
	out := &applied{DryRun: dryRun, Changes: settings.Compare(before, after)}
	if dryRun {
		out.Bundles, err = a.weigh(ctx, before, after)
	}
	return out, err
}

// weigh compares the bundles of the sources that differ.
func (a *API) weigh(ctx context.Context, before, after *settings.Snapshot) ([]bundleChange, error) {
	scales, ok := a.Bundles.(Weigher)
	if !ok {
		return nil, nil
	}
	var out []bundleChange
	for _, src := range after.Sources {
		old := before.SourceByID(src.ID)
		if old != nil && old.Revision == src.Revision {
			continue
		}
		c := bundleChange{
			Source: fmt.Sprintf("%s/%s", after.WorkspaceByID(src.WorkspaceID).Slug, src.Slug),
			Before: a.state(ctx, scales, before, old), After: a.state(ctx, scales, after, src),
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (a *API) state(ctx context.Context, scales Weigher, snap *settings.Snapshot, src *settings.Source) bundleState {
	st := bundleState{Hosts: []string{}}
	if src == nil {
		return st
	}
	report, err := scales.Weigh(ctx, snap, src)
	if err != nil {
		st.Error = err.Error() // what a dry run is for
	}
	st.Brotli = report.Brotli
	hosts := map[string]bool{}
	for _, d := range src.Destinations {
		if !d.Enabled || d.Mode == settings.Server {
			continue
		}
		for _, of := range a.Catalog.Hosts(d.Integration, d.Settings) {
			for _, host := range of {
				hosts[host] = true
			}
		}
	}
	st.Hosts = slices.AppendSeq(st.Hosts, maps.Keys(hosts))
	slices.Sort(st.Hosts)
	return st
}
