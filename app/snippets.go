package app

import (
	"github.com/tagmill/tagmill/bundler/publish"
	"github.com/tagmill/tagmill/cdn"
	"github.com/tagmill/tagmill/snippets"
)

// snippetFile is where the page is told to find the snippet as a file.
const snippetFile = "/tagmill-snippet.js"

// pasting writes what customers paste; for console and API.
type pasting struct{ publicURL string }

func (p pasting) Inline(writeKey string) (string, error) {
	return snippets.Render(snippets.Options{WriteKey: writeKey, PublicURL: p.publicURL})
}

func (p pasting) External(writeKey string) (html, js, cspHash string, err error) {
	e, err := snippets.External(snippets.Options{WriteKey: writeKey, PublicURL: p.publicURL}, snippetFile)
	return e.HTML, string(e.JS), e.CSPHash, err
}

// scripts is the publisher in the words of the API.
type scripts struct{ *publish.Publisher }

func (s scripts) Script(writeKey string) (js []byte, etag string, ok bool) {
	b, err := s.Bundle(writeKey)
	if err != nil {
		return nil, "", false
	}
	return b.Encodings.Identity, cdn.BrotliETag(b.Encodings.Brotli), true
}
