package integrations

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of one setting: far above anything a vendor asks for, low enough that
// a mistake cannot swell every page's bundle.
const (
	maxText    = 2048 // bytes of one string
	maxEntries = 100  // strings of a list, pairs of a map
)

// Check reports what is wrong with values for an integration in a mode
// ("browser", "server" or "both"): one message per settings key, all at once,
// nil when all is well. What concerns the integration or the mode as a whole
// is under the key "". A secret's value may be its reference, {"$secret": ref};
// a message never shows a secret's value.
func (c *Catalog) Check(slug, mode string, values map[string]any) map[string]string {
	wrong := map[string]string{}
	e := c.bySlug[slug]
	if e == nil {
		wrong[""] = fmt.Sprintf("there is no integration %q%s", slug, suggest(slug, slices.Sorted(maps.Keys(c.bySlug))))
		return wrong
	}
	if msg := e.checkMode(mode); msg != "" {
		wrong[""] = msg
	}
	for key, v := range values {
		f := e.field(key)
		if f == nil {
			wrong[key] = fmt.Sprintf("%s has no setting %q%s", e.Name, key, suggest(key, e.keys()))
			continue
		}
		if v == nil || isReference(f, v) {
			continue
		}
		if msg := e.checkValue(f, v); msg != "" {
			wrong[key] = msg
		}
	}
	for i := range e.Settings {
		f := &e.Settings[i]
		if f.Required && wrong[f.Key] == "" && wanted(f, mode) && e.shown(f, values) && isEmpty(values[f.Key]) {
			wrong[f.Key] = fmt.Sprintf("%s is required%s", f.Label, example(f))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

func (e *entry) checkMode(mode string) string {
	needs := []string{mode}
	if mode == "both" {
		needs = modes
	}
	for _, m := range needs {
		if !slices.Contains(e.Modes, m) {
			return fmt.Sprintf("%s does not run in mode %q; it runs in: %s", e.Name, mode, strings.Join(e.Modes, ", "))
		}
	}
	return ""
}

// wanted says whether a mode uses a field at all.
func wanted(f *Field, mode string) bool {
	return mode == "both" || f.Scope == "both" || f.Scope == mode
}

// shown says whether every setting f depends on has the value it needs.
func (e *entry) shown(f *Field, values map[string]any) bool {
	for other, want := range f.ShowIf {
		o := e.field(other)
		v := values[other]
		if isEmpty(v) {
			v = o.Default
		}
		if v != want {
			return false
		}
	}
	return true
}

// checkValue says what is wrong with v as a value of f: "" when nothing is.
// An empty string stands for "not given".
func (e *entry) checkValue(f *Field, v any) string {
	switch f.Type {
	case "string":
		s, ok := v.(string)
		if !ok {
			return mustBe(f, "text", v)
		}
		return e.checkText(f, s)
	case "bool":
		if _, ok := v.(bool); !ok {
			return mustBe(f, "true or false", v)
		}
	case "number":
		n, ok := number(v)
		if !ok {
			return mustBe(f, "a number", v)
		}
		if (f.Min != nil && n < *f.Min) || (f.Max != nil && n > *f.Max) {
			return fmt.Sprintf("%s must be %s, not %v", f.Label, bounds(f), n)
		}
	case "enum":
		s, ok := v.(string)
		if !ok {
			return mustBe(f, "one of "+strings.Join(f.Enum, ", "), v)
		}
		if s != "" && !slices.Contains(f.Enum, s) {
			return fmt.Sprintf("%s must be one of %s, not %q", f.Label, strings.Join(f.Enum, ", "), clip(s))
		}
	case "list":
		items, ok := texts(v)
		if !ok {
			return mustBe(f, "a list of texts", v)
		}
		if len(items) > maxEntries {
			return fmt.Sprintf("%s has %d entries; at most %d are allowed", f.Label, len(items), maxEntries)
		}
		for i, s := range items {
			if s == "" {
				return fmt.Sprintf("%s: entry %d is empty; remove it", f.Label, i+1)
			}
			if msg := e.checkText(f, s); msg != "" {
				return fmt.Sprintf("entry %d: %s", i+1, msg)
			}
		}
	case "map":
		pairs, ok := textMap(v)
		if !ok {
			return mustBe(f, "names with a text each", v)
		}
		if len(pairs) > maxEntries {
			return fmt.Sprintf("%s has %d entries; at most %d are allowed", f.Label, len(pairs), maxEntries)
		}
		for _, k := range slices.Sorted(maps.Keys(pairs)) {
			if msg := e.checkText(f, pairs[k]); msg != "" || k == "" || len(k) > maxText {
				return fmt.Sprintf("entry %q: %s", clip(k), cmp.Or(msg, "the name is empty or too long"))
			}
		}
	}
	return ""
}

func (e *entry) checkText(f *Field, s string) string {
	if s == "" {
		return ""
	}
	shown := strconv.Quote(clip(s))
	if f.Secret {
		shown = "what was given"
	}
	switch re := e.patterns[f.Key]; {
	case len(s) > maxText:
		return fmt.Sprintf("%s is %d bytes long; at most %d are allowed", f.Label, len(s), maxText)
	case !utf8.ValidString(s):
		return fmt.Sprintf("%s is not valid UTF-8", f.Label)
	case strings.TrimSpace(s) != s:
		return fmt.Sprintf("%s has a space or a line break before or after it; remove that", f.Label)
	case re != nil && !re.MatchString(s):
		return fmt.Sprintf("%s cannot be %s: it must match %s%s", f.Label, shown, re, example(f))
	}
	return ""
}

// example ends a message with a value that would be right.
func example(f *Field) string {
	if f.TestValue == nil || f.Secret {
		return ""
	}
	b, err := json.Marshal(f.TestValue)
	if err != nil {
		return ""
	}
	return ", for example " + string(b)
}

func mustBe(f *Field, what string, got any) string {
	return fmt.Sprintf("%s must be %s, not %s%s", f.Label, what, kind(got, f.Secret), example(f))
}

// kind describes a value that has the wrong type, without showing a secret.
func kind(v any, secret bool) string {
	switch x := v.(type) {
	case string:
		if secret {
			return "text"
		}
		return "the text " + strconv.Quote(clip(x))
	case bool:
		return fmt.Sprintf("%v", x)
	case map[string]any, map[string]string:
		return "an object"
	case []any, []string:
		return "a list"
	}
	if n, ok := number(v); ok && !secret {
		return fmt.Sprintf("the number %v", n)
	}
	return fmt.Sprintf("a %T", v)
}

func bounds(f *Field) string {
	switch {
	case f.Min == nil:
		return fmt.Sprintf("at most %v", *f.Max)
	case f.Max == nil:
		return fmt.Sprintf("at least %v", *f.Min)
	}
	return fmt.Sprintf("%v to %v", *f.Min, *f.Max)
}

// isReference says whether v is a stored secret: {"$secret": "ref"}.
func isReference(f *Field, v any) bool {
	m, ok := v.(map[string]any)
	if !ok || !f.Secret || len(m) != 1 {
		return false
	}
	ref, ok := m["$secret"].(string)
	return ok && ref != ""
}

// isEmpty says whether a value is as good as not given.
func isEmpty(v any) bool { return v == nil || v == "" }

// number accepts what JSON and YAML decoders make of a number.
func number(v any) (float64, bool) {
	var n float64
	switch x := v.(type) {
	case float64:
		n = x
	case int:
		n = float64(x)
	case int64:
		n = float64(x)
	case uint64:
		n = float64(x)
	case json.Number:
		f, err := x.Float64()
		if err != nil {
			return 0, false
		}
		n = f
	default:
		return 0, false
	}
	return n, !math.IsNaN(n) && !math.IsInf(n, 0)
}

func texts(v any) ([]string, bool) {
	switch x := v.(type) {
	case []string:
		return x, true
	case []any:
		out := make([]string, len(x))
		for i, item := range x {
			s, ok := item.(string)
			if !ok {
				return nil, false
			}
			out[i] = s
		}
		return out, true
	}
	return nil, false
}

func textMap(v any) (map[string]string, bool) {
	switch x := v.(type) {
	case map[string]string:
		return x, true
	case map[string]any:
		out := make(map[string]string, len(x))
		for k, item := range x {
			s, ok := item.(string)
			if !ok {
				return nil, false
			}
			out[k] = s
		}
		return out, true
	}
	return nil, false
}

func (e *entry) keys() []string {
	out := make([]string, len(e.Settings))
	for i, f := range e.Settings {
		out[i] = f.Key
	}
	return out
}

// clip shortens what a person typed for a message.
func clip(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
