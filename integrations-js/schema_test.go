package integrations

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func schemaDocument(t *testing.T) map[string]any {
	t.Helper()
	data, err := FS.ReadFile("manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(map[string]any)
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("manifest.schema.json", schemaDocument(t)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestManifestsMatchTheSchema(t *testing.T) {
	schema := compileSchema(t)
	for _, m := range open(t).Manifests() {
		data, err := FS.ReadFile(m.Slug + "/manifest.json")
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s/manifest.json: %v", m.Slug, err)
		}
	}
}

// What the schema refuses and what Load refuses must not drift apart: both see
// the same broken manifests.
func TestSchemaRefusesWhatLoadRefuses(t *testing.T) {
	schema := compileSchema(t)
	if err := schema.Validate(fixture(nil)); err != nil {
		t.Fatalf("the fixture itself: %v", err)
	}
	for name, edit := range map[string]func(map[string]any){
		"unknown field":   func(m map[string]any) { m["colour"] = "red" },
		"bad slug":        func(m map[string]any) { m["slug"] = "Acme-1" },
		"bad category":    func(m map[string]any) { m["category"] = "misc" },
		"no script host":  func(m map[string]any) { m["hosts"] = map[string]any{"img": []any{"https://a.example"}} },
		"budget too high": func(m map[string]any) { m["budgetBytes"] = 1801.0 },
		"public secret":   func(m map[string]any) { setting(m, 0)["secret"] = true },
		"enum of string":  func(m map[string]any) { setting(m, 0)["enum"] = []any{"a"} },
		"npm without package": func(m map[string]any) {
			m["verified"] = map[string]any{"sdk": "npm"}
		},
	} {
		m := fixture(edit)
		if schema.Validate(m) == nil {
			t.Errorf("%s: the schema allows it", name)
		}
		if _, err := Load(fixtureFS(m)); err == nil {
			t.Errorf("%s: Load allows it", name)
		}
	}
}

func TestSchemaAndStructsNameTheSameFields(t *testing.T) {
	doc := schemaDocument(t)
	defs := doc["$defs"].(map[string]any)
	for _, pair := range []struct {
		schema any
		typ    reflect.Type
	}{
		{doc, reflect.TypeFor[Manifest]()},
		{defs["field"], reflect.TypeFor[Field]()},
		{defs["cookie"], reflect.TypeFor[Cookie]()},
		{defs["verified"], reflect.TypeFor[Verified]()},
	} {
		object := pair.schema.(map[string]any)
		properties := object["properties"].(map[string]any)
		required := object["required"].([]any)
		var fields []string
		for i := range pair.typ.NumField() {
			name, options, _ := strings.Cut(pair.typ.Field(i).Tag.Get("json"), ",")
			fields = append(fields, name)
			if properties[name] == nil {
				t.Errorf("%s.%s (%q) is not in the schema", pair.typ, pair.typ.Field(i).Name, name)
			}
			if optional := strings.Contains(options, "omitempty"); optional == slices.Contains(required, any(name)) {
				t.Errorf("%s %q: omitempty is %v, so required in the schema must be %v", pair.typ, name, optional, !optional)
			}
		}
		for name := range properties {
			if !slices.Contains(fields, name) {
				t.Errorf("schema property %q is no field of %s", name, pair.typ)
			}
		}
	}
}

func TestSchemaAndGoHaveTheSameVocabularies(t *testing.T) {
	doc := schemaDocument(t)
	at := func(path ...string) any {
		var v any = doc
		for _, p := range path {
			v = v.(map[string]any)[p]
		}
		return v
	}
	directivesInSchema := []any{}
	for name := range at("properties", "hosts", "properties").(map[string]any) {
		directivesInSchema = append(directivesInSchema, name)
	}
	for _, c := range []struct {
		name   string
		schema any
		words  []string
	}{
		{"category", at("properties", "category", "enum"), categories},
		{"consent", at("properties", "consent", "enum"), consents},
		{"status", at("properties", "status", "enum"), statuses},
		{"modes", at("properties", "modes", "items", "enum"), modes},
		{"pageview", at("properties", "pageview", "enum"), pageviews},
		{"type", at("$defs", "field", "properties", "type", "enum"), types},
		{"scope", at("$defs", "field", "properties", "scope", "enum"), scopes},
		{"sdk", at("$defs", "verified", "properties", "sdk", "enum"), sdks},
		{"hosts", directivesInSchema, directives},
	} {
		var words []string
		for _, w := range c.schema.([]any) {
			words = append(words, w.(string))
		}
		slices.Sort(words)
		if want := slices.Sorted(slices.Values(c.words)); !slices.Equal(words, want) {
			t.Errorf("%s: schema has %v, Go has %v", c.name, words, want)
		}
	}
}
