package api

import (
	"bytes"
	"encoding/json"

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
type optionsPatch struct{ members map[string]json.RawMessage }

// UnmarshalJSON keeps the members as they are, null told from absent.
func (p *optionsPatch) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &p.members) }

// Schema is that of settings.Options, each member allowed to be null.
func (p *optionsPatch) Schema(r huma.Registry) *huma.Schema {
	full := huma.SchemaFromType(r, typeOf[settings.Options]())
	s := &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{},
		Description: "merge patch: a value replaces, null goes back to the default, what is absent stays",
	}
	for name, prop := range full.Properties {
		if prop.Ref != "" {
			prop = &huma.Schema{OneOf: []*huma.Schema{{Ref: prop.Ref}, {Type: "null"}}}
		} else {
			c := *prop
			c.Nullable = true
			prop = &c
		}
		s.Properties[name] = prop
	}
	s.PrecomputeMessages()
	return s
}

// onto returns options with the patch applied; nil when it changes nothing.
func (p *optionsPatch) onto(options settings.Options) (*settings.Options, error) {
	if len(p.members) == 0 {
		return nil, nil
	}
	present, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	merged := map[string]json.RawMessage{}
	if err := json.Unmarshal(present, &merged); err != nil {
		return nil, err
	}
	for name, v := range p.members {
		if string(v) == "null" {
			delete(merged, name)
		} else {
			merged[name] = v
		}
	}
	whole, err := json.Marshal(merged)
	if err != nil {
		return nil, err
	}
	out := new(settings.Options)
	dec := json.NewDecoder(bytes.NewReader(whole))
	dec.DisallowUnknownFields()
	if err := dec.Decode(out); err != nil {
		return nil, invalid("options", err.Error())
	}
	return out, nil
}
