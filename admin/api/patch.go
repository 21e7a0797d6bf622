package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tagmill/tagmill/settings"
)

// patch changes a workspace or a source: what is absent stays as it is.
type patch struct {
	Name    *string      `json:"name,omitempty"`
	Options optionsPatch `json:"options,omitempty"`
}

// optionsPatch is a JSON merge patch (RFC 7396) of settings.Options: a value
// replaces, null goes back to the default, what is absent stays.
type optionsPatch struct{ members map[string]any }

// UnmarshalJSON keeps the members as they are, null told from absent.
func (p *optionsPatch) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &p.members) }

// Schema is that of settings.Options with each member allowed to be null, and
// of an object in it any part.
func (p *optionsPatch) Schema(r huma.Registry) *huma.Schema {
	s := &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{},
		Description: "merge patch: a value replaces, null goes back to the default, what is absent stays",
	}
	for name, prop := range huma.SchemaFromType(r, reflect.TypeFor[settings.Options]()).Properties {
		if prop.Ref != "" {
			prop = r.SchemaFromRef(prop.Ref)
		}
		part := *prop
		part.Nullable, part.Required = true, nil
		part.PrecomputeMessages()
		s.Properties[name] = &part
	}
	s.PrecomputeMessages()
	return s
}

// onto returns options with the patch applied; nil when it changes nothing.
func (p *optionsPatch) onto(options settings.Options) (*settings.Options, error) {
	if len(p.members) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	var present any
	if err := json.Unmarshal(b, &present); err != nil {
		return nil, err
	}
	if b, err = json.Marshal(mergePatch(present, p.members)); err != nil {
		return nil, err
	}
	out := new(settings.Options)
	if err := json.Unmarshal(b, out); err != nil {
		return nil, invalid("options", err.Error())
	}
	return out, nil
}

// mergePatch is RFC 7396; target is the caller's to give away.
func mergePatch(target, patch any) any {
	members, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out, ok := target.(map[string]any)
	if !ok {
		out = map[string]any{}
	}
	for name, v := range members {
		if v == nil {
			delete(out, name)
		} else {
			out[name] = mergePatch(out[name], v)
		}
	}
	return out
}
