package settings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Diff says in words what changed in a source, "mixpanel switched on" or
// "intercom: appId changed"; values are never told. Empty when nothing did.
// Revision and timestamps do not count.
func Diff(before, after *Source) []string {
	var words []string
	switch {
	case before.DeletedAt == nil && after.DeletedAt != nil:
		words = append(words, "source deleted")
	case before.DeletedAt != nil && after.DeletedAt == nil:
		words = append(words, "source restored")
	}
	if before.Name != after.Name {
		words = append(words, fmt.Sprintf("renamed to %q", after.Name))
	}
	words = append(words, keyChanges(before.Keys, after.Keys)...)
	words = append(words, optionChanges(before.Options, after.Options)...)
	return append(words, destinationChanges(before, after)...)
}

func keyChanges(before, after []WriteKey) (words []string) {
	old := map[string]WriteKey{}
	for _, k := range before {
		old[k.Key] = k
	}
	for _, k := range after {
		was, had := old[k.Key]
		active, wasActive := k.RetiredAt == nil, had && was.RetiredAt == nil
		switch {
		case active && !had:
			words = append(words, fmt.Sprintf("%s key %s added", k.Environment, shortKey(k.Key)))
		case active && !wasActive:
			words = append(words, fmt.Sprintf("%s key %s active again", k.Environment, shortKey(k.Key)))
		case !active && wasActive:
			words = append(words, fmt.Sprintf("%s key %s retired", k.Environment, shortKey(k.Key)))
		case had && was.Environment != k.Environment:
			words = append(words, fmt.Sprintf("key %s is now for %s", shortKey(k.Key), k.Environment))
		}
	}
	return words
}

func shortKey(key string) string {
	const shown = 8
	if len(key) > shown {
		return key[:shown] + "…"
	}
	return key
}

func optionChanges(a, b Options) (words []string) {
	say := func(differ bool, what string) {
		if differ {
			words = append(words, what+" changed")
		}
	}
	say(!same(a.Caching, b.Caching), "caching")
	say(!slices.Equal(a.AllowedOrigins, b.AllowedOrigins), "allowed origins")
	say(a.Address != b.Address, "address privacy")
	say(a.Bots != b.Bots, "bots")
	say(a.EventsPerSecond != b.EventsPerSecond, "rate limit")
	say(!same(a.RefreshIDCookie, b.RefreshIDCookie), "id cookie")
	say(!same(a.SPA, b.SPA), "single-page views")
	return words
}

func destinationChanges(before, after *Source) (words []string) {
	old := map[string]Destination{}
	for _, d := range before.Destinations {
		old[d.Label()] = d
	}
	for _, d := range after.Destinations {
		name := d.Label()
		was, had := old[name]
		delete(old, name)
		switch {
		case !had && d.Enabled:
			words = append(words, name+" switched on")
			continue
		case !had:
			words = append(words, name+" added, switched off")
			continue
		case d.Enabled && !was.Enabled:
			words = append(words, name+" switched on")
		case !d.Enabled && was.Enabled:
			words = append(words, name+" switched off")
		}
		if d.Mode != was.Mode {
			words = append(words, fmt.Sprintf("%s: mode is now %s", name, d.Mode))
		}
		words = append(words, settingChanges(name, was.Settings, d.Settings)...)
		if d.ID != was.ID {
			words = append(words, name+" made anew")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		words = append(words, name+" removed")
	}
	return words
}

func settingChanges(name string, before, after map[string]any) (words []string) {
	keys := maps.Clone(before)
	if keys == nil {
		keys = map[string]any{}
	}
	maps.Copy(keys, after)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		was, had := before[key]
		is, has := after[key]
		switch {
		case has && !had:
			words = append(words, fmt.Sprintf("%s: %s set", name, key))
		case had && !has:
			words = append(words, fmt.Sprintf("%s: %s removed", name, key))
		case !same(was, is):
			words = append(words, fmt.Sprintf("%s: %s changed", name, key))
		}
	}
	return words
}

// summary makes one line of words, short enough for a list.
func summary(words []string) string {
	const most = 6
	if len(words) > most {
		words = append(slices.Clone(words[:most-1]), fmt.Sprintf("and %d more", len(words)-most+1))
	}
	return strings.Join(words, "; ")
}

// same compares by what would be stored.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// names reports whether a destination of the source holds the secret ref.
func (s *Source) names(ref string) bool {
	for _, d := range s.Destinations {
		for _, v := range d.Settings {
			if r, ok := Ref(v); ok && r == ref {
				return true
			}
		}
	}
	return false
}
