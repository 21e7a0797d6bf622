package bundler

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// buildVersion counts changes of this package that alter the output for the
// same sources: raise it with each change of the entry, the configuration's
// shape or the options.
const buildVersion = "1"

// esbuildVersion is the version in go.mod; a test holds the two together. (A
// binary's build information would do, but test binaries have none.)
const esbuildVersion = "v0.28.2"

var slugPattern = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

// BuildID is the id that Build(in) would give, without building. It is cheap:
// publishing compares it to know whether anything changed. Errors: *Invalid,
// or that of reading the sources.
func (b *Bundler) BuildID(in Input) (string, error) {
	in, err := b.normalize(in)
	if err != nil {
		return "", err
	}
	return b.identify(in), nil
}

// normalize checks an input and gives the one form that all equal inputs have:
// destinations sorted, settings with sorted keys. It copies what it changes.
func (b *Bundler) normalize(in Input) (Input, error) {
	if b.err != nil {
		return Input{}, b.err
	}
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }

	if in.WriteKey == "" {
		bad("the write key is empty")
	}
	if u, err := url.Parse(in.Collector); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" ||
		strings.HasSuffix(in.Collector, "/") || u.RawQuery != "" || u.Fragment != "" {
		bad("the collector %q is not an http(s) URL without a trailing slash, such as https://c.example.com/v1", in.Collector)
	}
	if _, ok := b.src.runtime["start.ts"]; !ok {
		bad("the runtime has no start.ts")
	}
	in.Destinations = slices.Clone(in.Destinations)
	ids := map[string]bool{}
	for i := range in.Destinations {
		d := &in.Destinations[i]
		switch {
		case !slugPattern.MatchString(d.Slug):
			bad("destination %q: integration %q is not a slug (lower-case letters and digits)", d.ID, d.Slug)
		case b.src.integrations[d.Slug].files[d.Slug+"/browser.ts"] == nil:
			bad("destination %q: there is no browser code for integration %q (%s/%s/browser.ts)", d.ID, d.Slug, integrationSpace, d.Slug)
		}
		if d.ID == "" {
			bad("a destination of integration %q has no id", d.Slug)
		} else if ids[d.ID] {
			bad("two destinations have the id %q", d.ID)
		}
		ids[d.ID] = true
		if d.Names == nil {
			d.Names = []string{d.Slug} // what a page may always call it
		}
		settings, err := canonicalObject(d.Settings)
		if err != nil {
			bad("destination %q: the settings of %q are %v", d.ID, d.Slug, err)
		}
		d.Settings = settings
	}
	if wrong != nil {
		return Input{}, &Invalid{Problems: wrong}
	}
	slices.SortFunc(in.Destinations, func(x, y Destination) int {
		return cmp.Or(strings.Compare(x.Slug, y.Slug), strings.Compare(x.ID, y.ID))
	})
	return in, nil
}

// canonicalObject is a JSON object with its keys sorted at every depth and
// its numbers as they were written. Empty stands for {}.
func canonicalObject(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return json.RawMessage("{}"), nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if v == nil {
		return nil, errors.New("null, not a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("followed by more text after the JSON object")
	}
	return json.Marshal(v)
}

// identify hashes a normalized input with everything else that can change a
// byte of the bundle.
func (b *Bundler) identify(in Input) string {
	h := sha256.New()
	writePart(h, "tagmill bundle")
	writePart(h, buildVersion)
	writePart(h, esbuildVersion)
	writePart(h, string(b.src.runtimeSum[:]))
	// The input as JSON: a field added to Input or Destination is hashed
	// without anybody remembering to.
	input, err := json.Marshal(in)
	if err != nil {
		panic("normalized input: " + err.Error()) // strings, bools and checked JSON only
	}
	writePart(h, string(input))
	for _, slug := range slugs(in) {
		writePart(h, slug)
		sum := b.src.integrations[slug].sum
		writePart(h, string(sum[:]))
	}
	return hex.EncodeToString(h.Sum(nil)[:10])
}

// slugs lists the integrations of a normalized input, each once, sorted.
func slugs(in Input) []string {
	list := make([]string, 0, len(in.Destinations))
	for _, d := range in.Destinations {
		list = append(list, d.Slug)
	}
	return slices.Compact(list)
}
