package settings

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// PublicDestination is what a browser may know of a destination.
type PublicDestination struct {
	ID       string          `json:"id"`
	Slug     string          `json:"slug"`
	Names    []string        `json:"names"`
	Settings json.RawMessage `json:"settings"` // browser-scoped, non-secret keys only
}

// Filler is a Catalog that completes what Public lets through: defaults put
// in, settings that do not apply left out.
type Filler interface {
	Public(slug string, values map[string]any) (json.RawMessage, error)
}

// Public is the only way from settings to a browser: the source's enabled
// destinations that run there, in the order of their labels, each with the
// keys that the catalog allows by name, completed by it if it is a Filler.
// Whatever the catalog does not know, or has come to call secret or
// server-only, stays behind. A named destination also goes by its label. The
// same source and catalog give the same bytes.
func Public(src *Source, c Catalog) ([]PublicDestination, error) {
	out := []PublicDestination{}
	dests := slices.Clone(src.Destinations)
	slices.SortFunc(dests, func(a, b Destination) int { return cmp.Compare(a.Label(), b.Label()) })
	for _, d := range dests {
		names := slices.Clone(c.Names(d.Integration))
		if !d.Enabled || d.Mode == Server || len(names) == 0 {
			continue
		}
		if d.Name != "" {
			names = append(names, d.Label())
		}
		raw, err := publicSettings(d, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.Label(), err)
		}
		out = append(out, PublicDestination{ID: d.ID, Slug: d.Integration, Names: names, Settings: raw})
	}
	return out, nil
}

func publicSettings(d Destination, c Catalog) (json.RawMessage, error) {
	allowed := map[string]any{}
	for key, v := range d.Settings {
		scope, secret, ok := c.Field(d.Integration, key)
		if !ok || secret || scope != "browser" && scope != "both" {
			continue
		}
		if _, isRef := Ref(v); isRef {
			continue // was secret when it was written
		}
		allowed[key] = v
	}
	if f, ok := c.(Filler); ok {
		return f.Public(d.Integration, allowed)
	}
	return json.Marshal(allowed) // sorts its keys
}

// Masked is a copy of a destination fit to be shown to who may edit it:
// stored secrets are Mask, variables "${env:NAME}", and of keys that the
// catalog does not know, or that became secret after they were written, only
// that they are there. PutDestination takes the same form back.
func Masked(d Destination, c Catalog) Destination {
	settings := make(map[string]any, len(d.Settings))
	for key, v := range d.Settings {
		_, secret, ok := c.Field(d.Integration, key)
		ref, isRef := Ref(v)
		switch {
		case isRef:
			settings[key] = maskedRef(ref)
		case secret || !ok:
			settings[key] = Mask
		default:
			settings[key] = v
		}
	}
	d.Settings = settings
	return d
}

func maskedRef(ref string) string {
	if name, isEnv := cutEnv(ref); isEnv {
		return envText(name)
	}
	return Mask
}

// MaskedSource is a copy of a source with every destination Masked: for
// answers of the API, and for the Source of a Revision.
func MaskedSource(src *Source, c Catalog) *Source {
	out := *src
	out.Destinations = make([]Destination, len(src.Destinations))
	for i, d := range src.Destinations {
		out.Destinations[i] = Masked(d, c)
	}
	return &out
}

// Resolved returns a destination's settings with every secret in place: for
// the server that sends to the vendor, at the moment of use, never kept.
func Resolved(ctx context.Context, s Store, d Destination) (map[string]any, error) {
	out := maps.Clone(d.Settings)
	for key, v := range d.Settings {
		ref, isRef := Ref(v)
		if !isRef {
			continue
		}
		value, err := s.Secret(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("resolve %s of %s: %w", key, d.Label(), err)
		}
		out[key] = value
	}
	return out, nil
}
