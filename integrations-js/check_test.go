package integrations

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTestValuesAreValid(t *testing.T) {
	c := open(t)
	for _, m := range c.Manifests() {
		values := testValues(m)
		if wrong := c.Check(m.Slug, "browser", values); wrong != nil {
			t.Errorf("%s: %v", m.Slug, wrong)
		}
	}
}

func testValues(m *Manifest) map[string]any {
	values := map[string]any{}
	for _, f := range m.Settings {
		values[f.Key] = f.TestValue
	}
	return values
}

func TestCheckMessages(t *testing.T) {
	c := load(t, fixture(nil))
	ok := map[string]any{"token": "abcd"}
	for name, test := range map[string]struct {
		mode string
		set  map[string]any
		key  string
		want []string // each in the message; none: no message
	}{
		"fine":                {set: map[string]any{}},
		"absent":              {set: map[string]any{"token": nil}, key: "token", want: []string{"Token is required", `"abcd"`}},
		"empty":               {set: map[string]any{"token": ""}, key: "token", want: []string{"required"}},
		"pattern":             {set: map[string]any{"token": "wxyz"}, key: "token", want: []string{`"wxyz"`, "^[a-f]{4}$", `"abcd"`}},
		"line break":          {set: map[string]any{"token": "abcd\n"}, key: "token", want: []string{"line break"}},
		"number for text":     {set: map[string]any{"token": 5.0}, key: "token", want: []string{"must be text", "the number 5", `"abcd"`}},
		"object for text":     {set: map[string]any{"token": map[string]any{}}, key: "token", want: []string{"an object"}},
		"text for bool":       {set: map[string]any{"loud": "true"}, key: "loud", want: []string{"true or false", `the text "true"`}},
		"enum":                {set: map[string]any{"plan": "gold"}, key: "plan", want: []string{"free, paid", `"gold"`}},
		"typo":                {set: map[string]any{"tokne": "x"}, key: "tokne", want: []string{`did you mean "token"?`, "There are: token, secret"}},
		"unknown":             {set: map[string]any{"zzzzzz": "x"}, key: "zzzzzz", want: []string{"Acme has no setting", "There are:"}},
		"needed by another":   {set: map[string]any{"plan": "paid"}, key: "seats", want: []string{"Seats is required", "3"}},
		"out of range":        {set: map[string]any{"plan": "paid", "seats": 10.0}, key: "seats", want: []string{"1 to 9", "10"}},
		"yaml integer":        {set: map[string]any{"plan": "paid", "seats": 4}},
		"json number":         {set: map[string]any{"plan": "paid", "seats": json.Number("4")}},
		"list entry":          {set: map[string]any{"tags": []any{"a", "B"}}, key: "tags", want: []string{"entry 2", `"B"`}},
		"list of numbers":     {set: map[string]any{"tags": []any{1.0}}, key: "tags", want: []string{"list of texts"}},
		"empty entry":         {set: map[string]any{"tags": []any{""}}, key: "tags", want: []string{"entry 1 is empty"}},
		"map":                 {set: map[string]any{"names": map[string]any{"a": 1.0}}, key: "names", want: []string{"a text each"}},
		"too long":            {set: map[string]any{"origin": strings.Repeat("a", 2049)}, key: "origin", want: []string{"2049 bytes", "2048"}},
		"too many":            {set: map[string]any{"tags": slices.Repeat([]any{"a"}, 101)}, key: "tags", want: []string{"101 entries"}},
		"bad UTF-8":           {set: map[string]any{"origin": "\xff"}, key: "origin", want: []string{"UTF-8"}},
		"secret":              {set: map[string]any{"secret": "s3cr3t"}},
		"secret reference":    {set: map[string]any{"secret": map[string]any{"$secret": "ref"}}},
		"reference elsewhere": {set: map[string]any{"token": map[string]any{"$secret": "ref"}}, key: "token", want: []string{"must be text"}},
		"mode":                {mode: "server", set: map[string]any{}, key: "", want: []string{"Acme does not run in mode \"server\"", "browser"}},
		"mode both":           {mode: "both", set: map[string]any{}, key: "", want: []string{"both"}},
	} {
		t.Run(name, func(t *testing.T) {
			mode := test.mode
			if mode == "" {
				mode = "browser"
			}
			values := maps.Clone(ok)
			maps.Copy(values, test.set)
			wrong := c.Check("acme", mode, values)
			if len(test.want) == 0 {
				if wrong != nil {
					t.Errorf("got %v", wrong)
				}
				return
			}
			if len(wrong) != 1 {
				t.Errorf("got %v, want one message for %q", wrong, test.key)
			}
			for _, want := range test.want {
				if !strings.Contains(wrong[test.key], want) {
					t.Errorf("%q lacks %q", wrong[test.key], want)
				}
			}
		})
	}
}

func TestCheckReportsAllAtOnce(t *testing.T) {
	wrong := load(t, fixture(nil)).Check("acme", "server", map[string]any{"plan": 1.0, "tags": "a", "nope": 1.0})
	if got := slices.Sorted(maps.Keys(wrong)); !slices.Equal(got, []string{"", "nope", "plan", "tags"}) {
		t.Errorf("keys %v", got)
	}
}

func TestUnknownIntegrationIsSuggested(t *testing.T) {
	wrong := open(t).Check("mixpanle", "browser", nil)
	if !strings.Contains(wrong[""], `did you mean "mixpanel"?`) {
		t.Errorf("got %v", wrong)
	}
}

// A secret given in a wrong shape is described, never quoted.
func TestMessagesNeverShowASecret(t *testing.T) {
	const canary = "c4n4ry"
	c := load(t, fixture(func(m map[string]any) {
		setting(m, 1)["pattern"], setting(m, 1)["testValue"] = "^test-[a-z]+$", "test-secret"
	}))
	for _, v := range []any{canary, canary + "\n", canary + "\xff", strings.Repeat(canary, 999), []any{canary}, map[string]any{"$secret": 1.0, "v": canary}, map[string]any{canary: canary}} {
		wrong := c.Check("acme", "browser", map[string]any{"token": "abcd", "secret": v})
		if wrong["secret"] == "" {
			t.Errorf("%.20v is accepted", v)
		}
		if strings.Contains(wrong["secret"], canary) {
			t.Errorf("the message shows the secret: %s", wrong["secret"])
		}
	}
}

// Whatever people send, Check answers and what it accepts Public accepts too.
func TestCheckAndPublicAgree(t *testing.T) {
	c := open(t)
	slugs := []string{}
	for _, m := range c.Manifests() {
		slugs = append(slugs, m.Slug)
	}
	anything := rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.SliceOf(rapid.String()), func(l []string) any { return l }),
		rapid.Map(rapid.MapOf(rapid.String(), rapid.String()), func(m map[string]string) any { return m }),
		rapid.Just[any](nil),
	)
	rapid.Check(t, func(t *rapid.T) {
		m := c.Manifest(rapid.SampledFrom(slugs).Draw(t, "slug"))
		values := testValues(m)
		f := rapid.SampledFrom(m.Settings).Draw(t, "field")
		values[f.Key] = anything.Draw(t, "value")
		wrong := c.Check(m.Slug, "browser", values)
		data, err := c.Public(m.Slug, values)
		if wrong == nil && err != nil {
			t.Fatalf("Check accepts what Public refuses: %v", err)
		}
		if err == nil && !json.Valid(data) {
			t.Fatalf("not JSON: %s", data)
		}
	})
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"token", "token", 0}, {"tokne", "token", 2}, {"tken", "token", 1}, {"", "ab", 2}, {"abc", "xyz", 3}, {"a", "abcdef", 3}} {
		if got := editDistance(c.a, c.b, 3); got != c.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
