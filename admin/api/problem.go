package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tagmill/tagmill/settings"
)

// problem turns what a room answered into the answer of a route: the one
// place that knows which error has which status. Errors nobody foresaw are
// logged here and answered without detail.
func (a *API) problem(op string, err error) error {
	var invalid *settings.Invalid
	switch {
	case errors.As(err, &invalid):
		p := &huma.ErrorModel{Status: http.StatusUnprocessableEntity, Detail: "nothing was changed: " + count(len(invalid.Problems), "mistake")}
		for _, m := range invalid.Problems {
			d := &huma.ErrorDetail{Location: strings.TrimSuffix("body."+m.Path, "."), Message: m.Message}
			if m.Line > 0 {
				d.Message = fmt.Sprintf("line %d: %s", m.Line, m.Message)
			}
			p.Errors = append(p.Errors, d)
		}
		return titled(p)
	case errors.Is(err, settings.ErrNotFound):
		return titled(&huma.ErrorModel{Status: http.StatusNotFound, Detail: err.Error()})
	case errors.Is(err, settings.ErrConflict):
		return titled(&huma.ErrorModel{Status: http.StatusConflict, Detail: err.Error()})
	case errors.Is(err, settings.ErrUnavailable):
		return huma.ErrorWithHeaders(
			titled(&huma.ErrorModel{Status: http.StatusServiceUnavailable, Detail: err.Error() + "; bundles stay as they are, try again"}),
			http.Header{"Retry-After": {"5"}})
	}
	var status huma.StatusError
	if errors.As(err, &status) {
		return err
	}
	a.Log.Error("admin request went wrong", "operation", op, "error", err)
	return titled(&huma.ErrorModel{Status: http.StatusInternalServerError, Detail: "a mistake in tagmill; the log has the details"})
}

func titled(p *huma.ErrorModel) *huma.ErrorModel {
	p.Title = http.StatusText(p.Status)
	return p
}

func notFound(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, settings.ErrNotFound)...)
}

func invalid(path, message string) error {
	return &settings.Invalid{Problems: []settings.Problem{{Path: path, Message: message}}}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// strictJSON reads what it is sent to the letter: a name given twice is a
// mistake of its sender, not a choice for us to make.
var strictJSON = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	},
	Unmarshal: func(data []byte, v any) error {
		if err := json.Unmarshal(data, v); err != nil {
			return err
		}
		return duplicates(json.NewDecoder(bytes.NewReader(data)))
	},
}

// duplicates reads one JSON value, known to be valid, and reports the first
// name that an object has twice.
func duplicates(dec *json.Decoder) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if delim == '{' {
			key, err := dec.Token()
			if err != nil {
				return err
			}
			name := key.(string)
			if seen[name] {
				return fmt.Errorf("%q is given twice", name)
			}
			seen[name] = true
		}
		if err := duplicates(dec); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
