package settings

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxSettingsBytes = 64 << 10 // of one destination, as JSON
	maxSettingsDepth = 8
	maxDestinations  = 200 // of one source
)

func (tx *edit) putDestination(c PutDestination) error {
	_, src, err := tx.find(c.Workspace, c.Source)
	if err != nil {
		return err
	}
	slug, i, err := tx.locate(src, c.Integration, c.Name)
	if err != nil && tx.path != "" {
		// One of many, an apply: its mistakes are listed together.
		tx.problem("", fmt.Sprintf("integration %s is not in the catalog", quote(c.Integration)))
		return nil
	}
	if err != nil {
		return err
	}
	var d Destination
	if i >= 0 {
		d = src.Destinations[i]
	} else {
		if !tx.check("name", checkDestinationName(c.Name)) {
			return nil
		}
		if len(src.Destinations) >= maxDestinations {
			tx.problem("", fmt.Sprintf("source %q has %d destinations, the most possible", src.Slug, maxDestinations))
			return nil
		}
		d = Destination{ID: newID("dst"), Integration: slug, Name: c.Name, Mode: Browser, Settings: map[string]any{}}
	}
	d.Enabled = c.Enabled
	switch c.Mode {
	case "":
	case Browser, Server, Both:
		d.Mode = c.Mode
	default:
		tx.problem("mode", fmt.Sprintf("%s is none of browser, server, both", quote(string(c.Mode))))
	}
	// What the catalog is to judge: new secrets as they are, kept ones by reference.
	judged := d.Settings
	if c.Settings != nil {
		d.Settings, judged = tx.newSettings(src.ID, &d, c.Settings)
	}
	// Switching off must work even where a newer manifest no longer likes what is stored.
	if d.Enabled || c.Settings != nil {
		tx.checkDestination(&d, judged, "")
	}
	src = tx.own(src)
	if i >= 0 {
		src.Destinations[i] = d
	} else {
		src.Destinations = append(src.Destinations, d)
	}
	return nil
}

func (tx *edit) deleteDestination(c DeleteDestination) error {
	_, src, err := tx.find(c.Workspace, c.Source)
	if err != nil {
		return err
	}
	slug, i, err := tx.locate(src, c.Integration, c.Name)
	if err != nil {
		return err
	}
	if i < 0 {
		return fmt.Errorf("destination %s of source %q: %w", quote(label(slug, c.Name)), src.Slug, ErrNotFound)
	}
	src = tx.own(src)
	src.Destinations = slices.Delete(src.Destinations, i, i+1)
	return nil
}

// locate resolves an integration's name to its slug and finds the destination,
// -1 if there is none. A stored integration that the catalog has lost can
// still be named, so that it can be switched off and removed.
func (tx *edit) locate(src *Source, integration, name string) (slug string, i int, err error) {
	slug, known := tx.Catalog.Slug(integration)
	if !known {
		slug = integration
	}
	i = slices.IndexFunc(src.Destinations, func(d Destination) bool { return d.Integration == slug && d.Name == name })
	if i < 0 && !known {
		return "", -1, fmt.Errorf("integration %s: %w (the catalog lists all there are)", quote(integration), ErrNotFound)
	}
	return slug, i, nil
}

// checkDestination lets the catalog judge; prefix goes before each path.
func (tx *edit) checkDestination(d *Destination, values map[string]any, prefix string) {
	for _, p := range check(tx.Catalog, d, values) {
		tx.problem(prefix+p.Path, p.Message)
	}
}

// CheckDestination reports what the catalog finds wrong with a destination as
// it is stored, references to secrets included; nil when all is well.
func CheckDestination(d Destination, c Catalog) []Problem { return check(c, &d, d.Settings) }

func check(c Catalog, d *Destination, values map[string]any) (problems []Problem) {
	if _, known := c.Slug(d.Integration); !known {
		return []Problem{{Path: "integration", Message: fmt.Sprintf("%q is not in this version's catalog: switch it off, or install a version that has it", d.Integration)}}
	}
	judged := make(map[string]any, len(values))
	for key, v := range values {
		if ref, isRef := Ref(v); isRef {
			v = map[string]any{refKey: ref} // a catalog knows one form of reference
		}
		judged[key] = v
	}
	wrong := c.Check(d.Integration, string(d.Mode), judged)
	for _, key := range slices.Sorted(maps.Keys(wrong)) {
		path := "settings." + key
		if key == "" {
			path = "mode"
		}
		_, secret, _ := c.Field(d.Integration, key)
		problems = append(problems, Problem{Path: path, Message: withoutSecret(wrong[key], values[key], secret)})
	}
	return problems
}

// withoutSecret guards against a catalog that repeats a bad value in its
// complaint: a secret that was refused is often a good one in the wrong place.
func withoutSecret(message string, value any, secret bool) string {
	text, isText := value.(string)
	if !secret || !isText || !strings.Contains(message, text) {
		return message
	}
	return "is not valid for this setting"
}

func (tx *edit) isSecret(integration, key string) bool {
	_, secret, _ := tx.Catalog.Field(integration, key)
	return secret
}

// newSettings turns given values into what is stored (secrets sealed or by
// variable) and what the catalog judges. Present secrets are kept where the
// key is absent or given as it was shown; an empty text or null removes one.
func (tx *edit) newSettings(sourceID string, d *Destination, given map[string]any) (stored, judged map[string]any) {
	stored, judged = map[string]any{}, map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		path := "settings." + key
		v, wrong := plain(given[key], 1)
		if !tx.check(path, wrong) {
			continue
		}
		if tx.isSecret(d.Integration, key) {
			tx.newSecret(sourceID, path, key, v, d, stored, judged)
			continue
		}
		if _, isRef := Ref(v); isRef {
			tx.problem(path, "is a reference to a secret, but this setting is not one: give the value")
			continue
		}
		if text, isText := v.(string); isText && envPhrase.MatchString(text) {
			tx.problem(path, "cannot come from the environment, only a secret can: give the value")
			continue
		}
		if v != nil {
			stored[key], judged[key] = v, v
		}
	}
	for key, v := range d.Settings {
		if _, asked := given[key]; !asked && tx.isSecret(d.Integration, key) {
			stored[key], judged[key] = v, v
		}
	}
	if b, err := json.Marshal(stored); err == nil && len(b) > maxSettingsBytes {
		tx.problem("settings", fmt.Sprintf("are %d bytes in all, at most %d are possible", len(b), maxSettingsBytes))
	}
	return stored, judged
}

func (tx *edit) newSecret(sourceID, path, key string, v any, d *Destination, stored, judged map[string]any) {
	present, has := d.Settings[key]
	presentRef, presentIsRef := Ref(present)
	keep := func() { stored[key], judged[key] = present, present }
	if ref, isRef := Ref(v); isRef {
		name, isEnv := cutEnv(ref)
		if !isEnv {
			// A reference is as good as the secret itself: only its own place may hold it.
			if !presentIsRef || ref != presentRef {
				tx.problem(path, "refers to a secret that is not this setting's: give the value")
				return
			}
			keep()
			return
		}
		v = envText(name)
	}
	text, isText := v.(string)
	env := envPhrase.FindStringSubmatch(text)
	switch {
	case v == nil || isText && text == "":
	case !isText:
		tx.problem(path, "is a secret and must be text")
	case text == Mask && has:
		keep()
	case text == Mask:
		tx.problem(path, "is only the mask of a secret, and none is stored: give the value")
	case env != nil:
		if tx.checkEnv(path, env[1], d.Enabled) {
			stored[key] = map[string]any{envKey: env[1]}
			judged[key] = stored[key]
		}
	default:
		if presentIsRef && tx.Sealer != nil {
			if was, err := tx.openSecret(presentRef); err == nil && was == text {
				keep()
				return
			}
		}
		if tx.Sealer == nil {
			tx.problem(path, noKey)
			return
		}
		sealed := tx.Sealer.Seal(sourceID, text)
		tx.sealed = append(tx.sealed, sealed)
		stored[key], judged[key] = map[string]any{refKey: sealed.Ref}, text
	}
}

// openSecret opens one of prev or of this transaction.
func (tx *edit) openSecret(ref string) (string, error) {
	for _, s := range tx.sealed {
		if s.Ref == ref {
			return tx.Sealer.Open(s)
		}
	}
	if s, ok := tx.prev.sealed[ref]; ok {
		return tx.Sealer.Open(s)
	}
	return "", ErrNotFound
}

func (tx *edit) checkEnv(path, name string, needed bool) bool {
	switch {
	case !envForm.MatchString(name):
		return tx.check(path, fmt.Sprintf("%s is not the name of an environment variable: write ${env:NAME}", quote(name)))
	case slices.Contains(tx.Rules.ReservedEnv, name):
		return tx.check(path, fmt.Sprintf("%s is this server's own and cannot be given to a vendor: use another variable", name))
	}
	if needed && tx.Env != nil {
		if _, set := tx.Env(name); !set {
			return tx.check(path, fmt.Sprintf("environment variable %s is not set where the server runs: set it, or give the value", name))
		}
	}
	return true
}

// plain returns v as JSON would have it, copied: string, bool, float64, []any,
// map[string]any or nil; or what is wrong with it.
func plain(v any, depth int) (any, string) {
	if depth > maxSettingsDepth {
		return nil, fmt.Sprintf("is nested more than %d deep", maxSettingsDepth)
	}
	switch x := v.(type) {
	case nil, bool:
		return x, ""
	case string:
		if !utf8.ValidString(x) {
			return nil, "is not valid UTF-8"
		}
		return x, ""
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, "is not a number that JSON can hold"
		}
		return x + 0, "" // -0 becomes 0: few formats know the difference
	case int:
		return plainInt(int64(x))
	case int64:
		return plainInt(x)
	case uint64:
		if x > math.MaxInt64 {
			return nil, tooLong
		}
		return plainInt(int64(x))
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return plainInt(n)
		}
		f, err := x.Float64()
		if err != nil {
			return nil, "is not a number that JSON can hold"
		}
		return plain(f, depth)
	case time.Time:
		return nil, "was read as a date: put it in quotes"
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			var wrong string
			if out[i], wrong = plain(e, depth+1); wrong != "" {
				return nil, fmt.Sprintf("[%d] %s", i, wrong)
			}
		}
		return out, ""
	case map[string]any:
		out := make(map[string]any, len(x))
		for _, key := range slices.Sorted(maps.Keys(x)) {
			switch {
			case !utf8.ValidString(key):
				return nil, "has a key that is not valid UTF-8"
			case key == "__proto__":
				return nil, `has the key "__proto__", which has a meaning in JavaScript: choose another`
			}
			var wrong string
			if out[key], wrong = plain(x[key], depth+1); wrong != "" {
				return nil, fmt.Sprintf(".%s %s", key, wrong)
			}
		}
		return out, ""
	}
	// Go values that are not JSON's own, []string say: by way of JSON.
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Sprintf("cannot be written as JSON (%T)", v)
	}
	var back any
	if err := json.Unmarshal(b, &back); err != nil {
		return nil, fmt.Sprintf("cannot be written as JSON (%T)", v)
	}
	return plain(back, depth)
}

const tooLong = "has more digits than a number can hold exactly: put it in quotes"

func plainInt(n int64) (any, string) {
	const exact = 1 << 53
	if n > exact || n < -exact {
		return nil, tooLong
	}
	return float64(n), ""
}
