package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Document is settings as a file for Git: YAML, or the JSON that is also
// YAML. It says how things shall be; what it does not mention stays as it is,
// or goes when the plan is to prune. Secrets in it are "${env:NAME}".
type Document struct {
	// Version of the format: 1, also when it is left out.
	Version    int                           `yaml:"version"`
	Workspaces map[string]*DocumentWorkspace `yaml:"workspaces"` // by slug

	lines map[string]int // of each path, when parsed
}

// DocumentWorkspace is one workspace of a Document.
type DocumentWorkspace struct {
	Name    string                     `yaml:"name,omitempty"`
	Options *Options                   `yaml:"options,omitempty"` // all of them, or nil for no change
	Sources map[string]*DocumentSource `yaml:"sources,omitempty"` // by slug
}

// DocumentSource is one source of a Document.
type DocumentSource struct {
	Name string `yaml:"name,omitempty"`
	// WriteKeys are the active ones; none leaves them as they are.
	WriteKeys    []DocumentKey                   `yaml:"writeKeys,omitempty"`
	Options      *Options                        `yaml:"options,omitempty"`      // all of them, or nil for no change
	Destinations map[string]*DocumentDestination `yaml:"destinations,omitempty"` // by "slug" or "slug:name"
}

// DocumentKey is one write key.
type DocumentKey struct {
	Key         string `yaml:"key"`
	Environment string `yaml:"environment,omitempty"` // production when left out
}

// DocumentDestination is one destination.
type DocumentDestination struct {
	Enabled *bool `yaml:"enabled,omitempty"` // true when left out
	Mode    Mode  `yaml:"mode,omitempty"`
	// Settings are all but the secrets that are kept; nil for no change.
	Settings map[string]any `yaml:"settings,omitempty"`
}

const (
	documentVersion  = 1
	maxDocumentBytes = 8 << 20
)

// ParseDocument reads a Document. Every mistake of form is in the *Invalid it
// returns, with its line: syntax, unknown fields, wrong types, keys given twice.
func ParseDocument(data []byte) (*Document, error) {
	one := func(line int, message string) error {
		return &Invalid{Problems: []Problem{{Line: line, Message: message}}}
	}
	if len(data) > maxDocumentBytes {
		return nil, one(0, fmt.Sprintf("the document has %d bytes, at most %d are read", len(data), maxDocumentBytes))
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	doc := &Document{}
	if err := dec.Decode(doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, one(0, "the document is empty: it needs at least workspaces:")
		}
		return nil, documentError(err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, one(0, "there is more than one YAML document in the file: keep the first, without ---")
	}
	if doc.Version != 0 && doc.Version != documentVersion {
		return nil, one(0, fmt.Sprintf("version is %d, this program reads version %d", doc.Version, documentVersion))
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, documentError(err)
	}
	doc.lines = map[string]int{}
	indexLines(&root, "", doc.lines, 0)
	return doc, nil
}

// YAML writes the document; the same document gives the same bytes.
func (d *Document) YAML() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(d); err != nil {
		return nil, fmt.Errorf("write settings document: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write settings document: %w", err)
	}
	return b.Bytes(), nil
}

// Locate gives the problems of an *Invalid the lines of this document they
// are about, where they have one. Other errors come back as they are.
func (d *Document) Locate(err error) error {
	var invalid *Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	out := &Invalid{}
	for _, p := range invalid.Problems {
		for path := p.Path; p.Line == 0 && path != ""; {
			p.Line = d.lines[path]
			path = path[:max(0, strings.LastIndexAny(path, ".["))]
		}
		out.Problems = append(out.Problems, p)
	}
	return out
}

// indexLines notes the line of every key, by the path that problems use.
func indexLines(n *yaml.Node, path string, lines map[string]int, depth int) {
	const deepest = 20 // deeper than any path of ours; aliases may go in circles
	if depth > deepest {
		return
	}
	join := func(key string) string {
		if path == "" {
			return key
		}
		return path + "." + key
	}
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			indexLines(c, path, lines, depth+1)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := join(n.Content[i].Value)
			lines[key] = n.Content[i].Line
			indexLines(n.Content[i+1], key, lines, depth+1)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			key := path + "[" + strconv.Itoa(i) + "]"
			lines[key] = c.Line
			indexLines(c, key, lines, depth+1)
		}
	}
}

var (
	yamlLine    = regexp.MustCompile(`^(?:yaml: )?line (\d+): (?s:(.*))$`)
	yamlUnknown = regexp.MustCompile(`^field (.+) not found in type settings\.(\w+)$`)
	yamlType    = regexp.MustCompile("^cannot unmarshal !!(\\w+)(?: `(?s:.*)`)? into (.+)$")
)

// documentError turns what the YAML library says into problems of ours.
func documentError(err error) error {
	texts := []string{err.Error()}
	var types *yaml.TypeError
	if errors.As(err, &types) {
		texts = types.Errors
	}
	out := &Invalid{}
	for _, text := range texts {
		p := Problem{Message: strings.TrimPrefix(text, "yaml: ")}
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			p.Message = m[2]
		}
		if m := yamlUnknown.FindStringSubmatch(p.Message); m != nil {
			p.Message = fmt.Sprintf("%s is not known here: there is %s", quote(m[1]), fieldsOf(m[2]))
		} else if m := yamlType.FindStringSubmatch(p.Message); m != nil {
			p.Message = fmt.Sprintf("is a %s here, must be a %s", yamlKind(m[1]), goKind(m[2]))
		}
		out.Problems = append(out.Problems, p)
	}
	return out
}

// fieldsOf lists the keys of one of the document's types.
func fieldsOf(typeName string) string {
	for _, v := range []any{Document{}, DocumentWorkspace{}, DocumentSource{}, DocumentKey{}, DocumentDestination{}, Options{}, Caching{}} {
		t := reflect.TypeOf(v)
		if t.Name() != typeName && !(typeName == "cachingFields" && t == reflect.TypeFor[Caching]()) {
			continue
		}
		var keys []string
		for i := range t.NumField() {
			if key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); key != "" {
				keys = append(keys, key)
			}
		}
		return strings.Join(keys, ", ")
	}
	return "nothing of that name"
}

func yamlKind(tag string) string {
	switch tag {
	case "str":
		return "text"
	case "seq":
		return "list"
	case "int", "float":
		return "number"
	}
	return tag
}

func goKind(t string) string {
	switch {
	case t == "bool":
		return "bool (true or false)"
	case t == "string" || t == "settings.Mode":
		return "text"
	case strings.HasPrefix(t, "int"):
		return "whole number"
	case strings.HasPrefix(t, "[]"):
		return "list"
	}
	return "map"
}
