package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/bundler/publish"
	"github.com/tagmill/tagmill/settings"
)

// Bundles is what became of revisions. *publish.Publisher is one, but for Script.
type Bundles interface {
	Status(sourceID string) (publish.Status, bool)
	// Script is the live bundle of a write key, uncompressed, with its ETag
	// as browsers get it (brotli).
	Script(writeKey string) (js []byte, etag string, ok bool)
}

type sizes struct {
	Raw    int `json:"raw"`
	Gzip   int `json:"gzip"`
	Brotli int `json:"brotli"`
}

type bundleReport struct {
	Revision     int64                    `json:"revision" doc:"what browsers get; 0 when nothing ever went live"`
	Wanted       int64                    `json:"wanted" doc:"the newest revision"`
	State        publish.State            `json:"state" enum:"live,building,failed"`
	Error        string                   `json:"error,omitempty" doc:"why the newest revision is not live"`
	LiveSince    *time.Time               `json:"liveSince,omitempty"`
	FlipToLiveMs float64                  `json:"flipToLiveMs" doc:"from the change to the swap; 0 when it was live before this process began"`
	BuildID      string                   `json:"buildId,omitempty"`
	Runtime      string                   `json:"runtime,omitempty"`
	ETag         string                   `json:"etag,omitempty" doc:"of the live bundle, brotli"`
	Final        bool                     `json:"final" doc:"false while the bytes are provisionally compressed"`
	Bytes        sizes                    `json:"bytes" doc:"the whole bundle"`
	Integrations map[string]bundler.Share `json:"integrations" doc:"what each adds to it, by slug; \"runtime\" is the rest"`
	Caching      settings.Caching         `json:"caching"`
	StaleSeconds int                      `json:"worstCaseStalenessSeconds" doc:"max-age + s-maxage + stale-while-revalidate: the longest a page can go on getting the old bundle"`
	Keys         map[string]string        `json:"keys,omitempty" doc:"the build of each write key"`
}

func (a *API) routeBundle(h huma.API) {
	huma.Register(h, op("get-bundle", http.MethodGet, "/bundle", "What is live, since when, and what it costs a page"),
		func(_ context.Context, in *SourcePath) (*body[bundleReport], error) {
			snap, s, err := a.source(*in)
			if err != nil {
				return nil, a.problem("get-bundle", err)
			}
			return &body[bundleReport]{a.report(snap, s)}, nil
		})

	script := op("get-bundle-script", http.MethodGet, "/bundle.js", "The live bundle itself, uncompressed")
	script.Responses = textResponse("text/javascript", "the script")
	huma.Register(h, script, func(_ context.Context, in *struct {
		SourcePath
		Key string `query:"key" doc:"the write key; the source's first when absent"`
	}) (*text, error) {
		_, s, err := a.source(in.SourcePath)
		if err != nil {
			return nil, a.problem("get-bundle-script", err)
		}
		key, err := keyOf(s, in.Key)
		if err != nil {
			return nil, a.problem("get-bundle-script", err)
		}
		js, _, ok := a.Bundles.Script(key)
		if !ok {
			return nil, a.problem("get-bundle-script", notFound("live bundle of source %q: GET .../bundle says why", in.Source))
		}
		return &text{ContentType: "text/javascript; charset=utf-8", Body: js}, nil
	})
}

func (a *API) report(snap *settings.Snapshot, s *settings.Source) bundleReport {
	var defaults settings.Options
	if w := snap.WorkspaceByID(s.WorkspaceID); w != nil {
		defaults = w.Options
	}
	caching := *settings.Effective(defaults, s.Options).Caching
	out := bundleReport{
		Wanted: s.Revision, State: publish.StateBuilding, Integrations: map[string]bundler.Share{},
		Caching: caching, StaleSeconds: caching.WorstCase(),
	}
	st, ok := a.Bundles.Status(s.ID)
	if !ok {
		return out
	}
	out.Revision, out.State, out.Error = st.Revision, st.State, st.Error
	if st.Wanted < s.Revision && st.State == publish.StateLive {
		out.State = publish.StateBuilding // the publisher has not heard of it yet
	}
	if !st.LiveSince.IsZero() {
		out.LiveSince = &st.LiveSince
	}
	out.FlipToLiveMs, out.BuildID, out.Runtime, out.Final, out.Keys = st.FlipToLive, st.BuildID, st.Runtime, st.Final, st.Keys
	out.Bytes = sizes{st.Report.Raw, st.Report.Gzip, st.Report.Brotli}
	if st.Report.Integrations != nil {
		out.Integrations = st.Report.Integrations
	}
	if _, etag, ok := a.Bundles.Script(activeKey(s)); ok {
		out.ETag = etag
	}
	return out
}

// keyOf is the write key asked for, which must be the source's and active, or
// the source's first.
func keyOf(s *settings.Source, key string) (string, error) {
	if key == "" {
		if key = activeKey(s); key == "" {
			return "", notFound("source %q has no active write key: POST .../keys makes one", s.Slug)
		}
		return key, nil
	}
	for _, k := range s.Keys {
		if k.Key == key && k.RetiredAt == nil {
			return key, nil
		}
	}
	return "", notFound("active write key %q of source %q", key, s.Slug)
}

// text is an answer that is not JSON.
type text struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func textResponse(contentType, what string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: what,
		Content:     map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
}
