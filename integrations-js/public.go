package integrations

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Public is what a browser gets of an integration's settings, as a JSON object
// with sorted keys. It is an allow-list by the manifest: fields of scope
// browser or both that are not secret and whose showIf holds, with defaults
// filled in. Values that equal their type's zero ("", false, 0, [], {}) are
// left out, so browser.ts reads an absent value as zero; everything else in
// values is dropped. A value that Check refuses is an error.
func (c *Catalog) Public(slug string, values map[string]any) (json.RawMessage, error) {
	e := c.bySlug[slug]
	if e == nil {
		return nil, fmt.Errorf("public settings: there is no integration %q", slug)
	}
	out := map[string]any{}
	for i := range e.Settings {
		f := &e.Settings[i]
		if f.Secret || f.Scope == "server" || !e.shown(f, values) {
			continue
		}
		v := e.value(f, values)
		if v == nil {
			continue
		}
		if msg := e.checkValue(f, v); msg != "" {
			return nil, fmt.Errorf("public settings of %s: %s: %s", slug, f.Key, msg)
		}
		if !isZero(v) {
			out[f.Key] = v
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("public settings of %s: %w", slug, err)
	}
	return b, nil
}

// Hosts is the manifest's hosts by CSP directive with settings put in, those
// for scripts only where the settings ask for one. Nil for an unknown slug. The map is the caller's.
func (c *Catalog) Hosts(slug string, values map[string]any) map[string][]string {
	e := c.bySlug[slug]
	if e == nil {
		return nil
	}
	out := make(map[string][]string, len(e.Hosts))
	for directive, hosts := range e.Hosts {
		if directive == "script" && e.ScriptIf != "" && e.value(e.field(e.ScriptIf), values) != true {
			continue
		}
		for _, host := range hosts {
			if m := placeholderRE.FindStringSubmatch(host); m != nil {
				f := e.field(m[1])
				s, _ := e.value(f, values).(string)
				// A value that is no origin must not widen a page's policy.
				if !e.shown(f, values) || !hostPattern.MatchString(s) || strings.HasPrefix(s, "{") {
					continue
				}
				host = s
			}
			out[directive] = append(out[directive], host)
		}
	}
	return out
}

// value is the given value of f or its default; nil when there is neither.
func (e *entry) value(f *Field, values map[string]any) any {
	if v := values[f.Key]; !isEmpty(v) {
		return v
	}
	return f.Default
}

func isZero(v any) bool {
	switch x := v.(type) {
	case string:
		return x == ""
	case bool:
		return !x
	}
	if n, ok := number(v); ok {
		return n == 0
	}
	if l, ok := texts(v); ok {
		return len(l) == 0
	}
	m, ok := textMap(v)
	return ok && len(m) == 0
}
