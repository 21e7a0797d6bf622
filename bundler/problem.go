package bundler

import (
	"fmt"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Invalid is an input that cannot be built, with every mistake found.
type Invalid struct{ Problems []string }

func (e *Invalid) Error() string { return "bundle input: " + strings.Join(e.Problems, "; ") }

// BuildError is what the compiler found wrong with the sources: at least one
// problem.
type BuildError struct{ Problems []Problem }

func (e *BuildError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "compile: " + strings.Join(lines, "; ")
}

// Problem is one message of the compiler about a source file.
type Problem struct {
	// Integration is the slug whose code it is about; empty for the runtime.
	Integration string `json:"integration,omitempty"`
	// File is a path of the repository, Line and Column count from 1; empty
	// and zero when the message is about no place.
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Text   string `json:"text"`
	// Code is the line of source.
	Code string `json:"code,omitempty"`
}

// String is "file:line:column: text".
func (p Problem) String() string {
	if p.File == "" {
		return p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// asPath turns esbuild's names of virtual files, namespace:path, wherever they
// stand in a message, into paths of the repository.
var asPath = strings.NewReplacer(runtimeSpace+":", runtimeSpace+"/", integrationSpace+":", integrationSpace+"/")

func problems(messages []api.Message) []Problem {
	list := make([]Problem, 0, len(messages))
	for _, m := range messages {
		p := Problem{Text: asPath.Replace(m.Text)}
		if at := m.Location; at != nil {
			p.File, p.Line, p.Column, p.Code = asPath.Replace(at.File), at.Line, at.Column+1, at.LineText
			if file, ok := strings.CutPrefix(p.File, integrationSpace+"/"); ok {
				p.Integration, _, _ = strings.Cut(file, "/")
			}
		}
		list = append(list, p)
	}
	return list
}
