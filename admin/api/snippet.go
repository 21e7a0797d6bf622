package api

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Snippets writes what customers paste.
type Snippets interface {
	// Inline is the script element with the loader in it.
	Inline(writeKey string) (html string, err error)
	// External is the loader as a file of the customer's own, for pages whose
	// policy allows no inline script: the elements that load it, the file, and
	// what allows it in a script-src ('sha256-...').
	External(writeKey string) (html, js, cspHash string, err error)
}

type snippetAnswer struct {
	WriteKey string `json:"writeKey"`
	HTML     string `json:"html" doc:"what to paste into each page, as early in its head as possible"`
	JS       string `json:"js,omitempty" doc:"form=external: the file to serve beside the page"`
	CSPHash  string `json:"cspHash,omitempty" doc:"form=external: allows the file in a script-src"`
}

func (a *API) routeSnippet(h huma.API) {
	o := op("get-snippet", http.MethodGet, "/snippet", "The HTML to paste")
	o.Description = "With \"Accept: text/html\" the answer is the HTML alone."
	huma.Register(h, o, func(_ context.Context, in *struct {
		SourcePath
		Form   string `query:"form" enum:"inline,external" default:"inline"`
		Key    string `query:"key" doc:"the write key; the source's first when absent"`
		Accept string `header:"Accept" hidden:"true"`
	}) (*huma.StreamResponse, error) {
		_, s, err := a.source(in.SourcePath)
		if err != nil {
			return nil, a.problem("get-snippet", err)
		}
		out := snippetAnswer{}
		if out.WriteKey, err = keyOf(s, in.Key); err != nil {
			return nil, a.problem("get-snippet", err)
		}
		if in.Form == "external" {
			out.HTML, out.JS, out.CSPHash, err = a.Snippet.External(out.WriteKey)
		} else {
			out.HTML, err = a.Snippet.Inline(out.WriteKey)
		}
		if err != nil {
			return nil, a.problem("get-snippet", err)
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			if strings.HasPrefix(in.Accept, "text/html") {
				// A browser must not run it here: this is text to copy.
				ctx.SetHeader("Content-Type", "text/plain; charset=utf-8")
				_, _ = ctx.BodyWriter().Write([]byte(out.HTML + "\n"))
				return
			}
			ctx.SetHeader("Content-Type", "application/json")
			_ = strictJSON.Marshal(ctx.BodyWriter(), out)
		}}, nil
	})
	// huma cannot see the shape of a streamed answer.
	h.OpenAPI().Paths[o.Path].Get.Responses["200"] = &huma.Response{
		Description: "OK",
		Content: map[string]*huma.MediaType{"application/json": {
			Schema: h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[snippetAnswer](), true, "SnippetAnswer"),
		}},
	}
}
