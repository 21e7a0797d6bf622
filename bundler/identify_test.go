package bundler

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"
)

// Everything that can change a byte changes the id.
func TestEveryInputChangesTheBuildID(t *testing.T) {
	was := mustBuild(t, fixture(), fixtureInput())
	if !regexp.MustCompile(`^[0-9a-f]{20}$`).MatchString(was.BuildID) {
		t.Fatalf("build id %q is not 20 hex digits", was.BuildID)
	}

	flips := map[string]func(*Input){
		"WriteKey":     func(in *Input) { in.WriteKey = "key2" },
		"Collector":    func(in *Input) { in.Collector = "https://d.test/v1" },
		"SPA":          func(in *Input) { in.SPA = true },
		"Debug":        func(in *Input) { in.Debug = true },
		"Destinations": func(in *Input) { in.Destinations = in.Destinations[:1] },
	}
	destination := map[string]func(*Destination){
		"ID":       func(d *Destination) { d.ID = "d9" },
		"Slug":     func(d *Destination) { d.Slug = "new" },
		"Names":    func(d *Destination) { d.Names = []string{"Alpha", "alpha"} },
		"Settings": func(d *Destination) { d.Settings = json.RawMessage(`{"token":"A"}`) },
	}
	for name, flip := range destination {
		flips["Destination."+name] = func(in *Input) { flip(&in.Destinations[0]) }
	}
	// A field added without a flip here fails.
	for field := range fields(Input{}) {
		if flips[field] == nil {
			t.Errorf("no flip of Input.%s", field)
		}
	}
	for field := range fields(Destination{}) {
		if destination[field] == nil {
			t.Errorf("no flip of Destination.%s", field)
		}
	}
	ids := map[string]string{was.BuildID: "nothing"}
	see := func(what string, b *Bundle) {
		if same, ok := ids[b.BuildID]; ok {
			t.Errorf("changing %s gives the id that changing %s gives", what, same)
		}
		ids[b.BuildID] = what
		if bytes.Equal(b.JS, was.JS) && what != "an unused file" {
			t.Errorf("changing %s changes no byte: this test proves nothing about it", what)
		}
	}
	for name, flip := range flips {
		in := fixtureInput()
		flip(&in)
		see(name, mustBuild(t, fixture(), in))
	}
	for name, f := range fixtureRuntime {
		if name == "kit/unused.ts" || strings.HasPrefix(name, "test/") || name == "types.ts" {
			continue
		}
		changed := strings.NewReplacer("watching history", "watching", "window as any).said", "window as any).told", "'!'", "'?'", "= __SPA__", "= !__SPA__").Replace(string(f.Data))
		if name == "start.ts" {
			changed = strings.Replace(changed, "seen =", "sawn =", 1)
		}
		see("runtime "+name, mustBuild(t, with(runtimeSpace, name, changed), fixtureInput()))
	}
	for _, name := range []string{"alpha/browser.ts", "beta/browser.ts", "beta/prefix.ts"} {
		changed := strings.NewReplacer("alpha ", "alpha: ", "prefix + ", "prefix + ': ' + ", "'beta '", "'Beta '").Replace(string(fixtureIntegrations[name].Data))
		see("integration "+name, mustBuild(t, with(integrationSpace, name, changed), fixtureInput()))
	}
	see("an unused file", mustBuild(t, with(runtimeSpace, "kit/unused.ts", "export {}"), fixtureInput()))
}

func fields(v any) map[string]bool {
	names := map[string]bool{}
	for f := range reflect.TypeOf(v).Fields() {
		names[f.Name] = true
	}
	return names
}

func TestAnotherIntegrationsSourceDoesNotChangeTheBuildID(t *testing.T) {
	was := mustBuild(t, fixture(), fixtureInput())
	now := mustBuild(t, with(integrationSpace, "new/browser.ts", "export default () => 1"), fixtureInput())
	if was.BuildID != now.BuildID || !bytes.Equal(was.JS, now.JS) {
		t.Error("a bundle changes with an integration that it does not hold")
	}
}

// A renamed file with the same text is another source.
func TestFileNamesAreHashedApartFromContents(t *testing.T) {
	a := sumFiles(map[string]*string{"a": new("bc"), "d": new("")})
	b := sumFiles(map[string]*string{"ab": new("c"), "d": new("")})
	if a == b {
		t.Error("names and contents run into each other")
	}
}

func TestEqualInputsGiveEqualBytes(t *testing.T) {
	was := mustBuild(t, fixture(), fixtureInput())
	rapid.Check(t, func(rt *rapid.T) {
		in := fixtureInput()
		in.Destinations = rapid.Permutation(in.Destinations).Draw(rt, "destinations")
		for i, d := range in.Destinations {
			if d.Slug == "beta" {
				in.Destinations[i].Settings = json.RawMessage(rapid.SampledFrom([]string{
					`{"token":"b","z":1,"a":{"y":1,"x":2}}`,
					`{"a":{"x":2,"y":1},"z":1,"token":"b"}`,
					" {\n\t\"z\": 1, \"token\": \"\\u0062\", \"a\": {\"x\": 2, \"y\": 1}} ",
				}).Draw(rt, "settings"))
			}
		}
		b, err := New(fixture()).Build(in)
		if err != nil {
			rt.Fatal(err)
		}
		if b.BuildID != was.BuildID {
			rt.Errorf("build id %s, not %s", b.BuildID, was.BuildID)
		}
		if !bytes.Equal(b.JS, was.JS) {
			rt.Error("other bytes under the same id")
		}
	})
}

func TestBuildDoesNotChangeItsInput(t *testing.T) {
	in := fixtureInput()
	slices.Reverse(in.Destinations)
	before, _ := json.Marshal(in)
	mustBuild(t, fixture(), in)
	if after, _ := json.Marshal(in); !bytes.Equal(before, after) {
		t.Errorf("input changed to %s", after)
	}
}

func TestBuildIDIsThatOfTheBuild(t *testing.T) {
	b := New(fixture())
	id, err := b.BuildID(fixtureInput())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := b.Build(fixtureInput())
	if err != nil {
		t.Fatal(err)
	}
	if id != bundle.BuildID {
		t.Errorf("BuildID says %s, Build %s", id, bundle.BuildID)
	}
	if !bytes.Contains(bundle.JS, []byte(`"`+id+`"`)) {
		t.Error("the id is not in the bundle")
	}
}

// Two builds at once, from one Bundler, are as good as one after the other.
func TestBuildsAtOnceAreTheSame(t *testing.T) {
	b := New(fixture())
	want := mustBuild(t, fixture(), fixtureInput())
	results := make(chan *Bundle, 8)
	for range cap(results) {
		go func() {
			got, err := b.Build(fixtureInput())
			if err != nil {
				t.Error(err)
			}
			results <- got
		}()
	}
	for range cap(results) {
		if got := <-results; got == nil || !bytes.Equal(got.JS, want.JS) {
			t.Error("bytes differ")
		}
	}
}

// What a Bundler built before leaves no trace in what it builds next.
func TestBuildsDoNotDependOnThoseBefore(t *testing.T) {
	warm := New(fixture())
	rapid.Check(t, func(rt *rapid.T) {
		in := fixtureInput()
		in.WriteKey = rapid.SampledFrom([]string{"a", "b", "items_", "push_"}).Draw(rt, "key")
		in.SPA = rapid.Bool().Draw(rt, "spa")
		in.Debug = rapid.Bool().Draw(rt, "debug")
		in.Destinations = in.Destinations[:rapid.IntRange(0, 2).Draw(rt, "destinations")]
		if rapid.Bool().Draw(rt, "invalid") {
			bad := in
			bad.Destinations = append(slices.Clone(in.Destinations), Destination{ID: "x", Slug: "wrong"})
			if _, err := warm.Build(bad); err == nil {
				rt.Error("built an integration that is not there")
			}
		}
		got, err := warm.Build(in)
		if err != nil {
			rt.Fatal(err)
		}
		want, err := New(fixture()).Build(in)
		if err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(got.JS, want.JS) {
			rt.Errorf("a warm bundler gives\n%s\na new one\n%s", got.JS, want.JS)
		}
	})
}

// A source that does not compile does not spoil the builds after it.
func TestABrokenIntegrationBreaksOnlyItsOwnBuilds(t *testing.T) {
	b := New(with(integrationSpace, "new/browser.ts", "export default (;"))
	for range 3 {
		in := fixtureInput()
		if _, err := b.Build(in); err != nil {
			t.Fatal(err)
		}
		in.Destinations = append(in.Destinations, Destination{ID: "n", Slug: "new"})
		var broken *BuildError
		if _, err := b.Build(in); !errors.As(err, &broken) || broken.Problems[0].Integration != "new" {
			t.Fatalf("got %v", err)
		}
	}
}

func TestInvalidInputsAreAllNamed(t *testing.T) {
	good := fixtureInput()
	tests := map[string]struct {
		change func(*Input)
		want   []string
	}{
		"write key":      {func(in *Input) { in.WriteKey = "" }, []string{"write key is empty"}},
		"no collector":   {func(in *Input) { in.Collector = "" }, []string{`collector ""`}},
		"trailing slash": {func(in *Input) { in.Collector = "https://c.test/v1/" }, []string{"without a trailing slash"}},
		"no scheme":      {func(in *Input) { in.Collector = "c.test/v1" }, []string{"collector"}},
		"script scheme":  {func(in *Input) { in.Collector = "javascript://c.test/v1" }, []string{"http(s)"}},
		"unknown slug":   {func(in *Input) { in.Destinations[0].Slug = "nosuch" }, []string{`integration "nosuch"`, "integrations-js/nosuch/browser.ts"}},
		"path as slug":   {func(in *Input) { in.Destinations[0].Slug = "../alpha" }, []string{"not a slug"}},
		"no id":          {func(in *Input) { in.Destinations[0].ID = "" }, []string{"has no id"}},
		"same id":        {func(in *Input) { in.Destinations[1].ID = "d1" }, []string{`two destinations have the id "d1"`}},
		"not JSON":       {func(in *Input) { in.Destinations[0].Settings = json.RawMessage(`{`) }, []string{`destination "d1"`, "not a JSON object"}},
		"array":          {func(in *Input) { in.Destinations[0].Settings = json.RawMessage(`[]`) }, []string{"not a JSON object"}},
		"null":           {func(in *Input) { in.Destinations[0].Settings = json.RawMessage(`null`) }, []string{"null"}},
		"more text":      {func(in *Input) { in.Destinations[0].Settings = json.RawMessage(`{};alert(1)`) }, []string{"followed by"}},
		"several": {func(in *Input) { in.WriteKey, in.Collector, in.Destinations[1].Slug = "", "x", "?" },
			[]string{"write key", "collector", "not a slug"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := good
			in.Destinations = slices.Clone(good.Destinations)
			test.change(&in)
			_, err := New(fixture()).Build(in)
			var invalid *Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v, want *Invalid", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if _, err := New(fixture()).BuildID(in); err == nil {
				t.Error("BuildID takes what Build refuses")
			}
		})
	}
}

func TestUnreadableSourcesAreReported(t *testing.T) {
	_, err := New(Sources{Runtime: os.DirFS("no/such/folder")}).Build(fixtureInput())
	if err == nil || !strings.Contains(err.Error(), "runtime's sources") {
		t.Errorf("got %v", err)
	}
	_, err = New(Sources{Runtime: fstest.MapFS{}, Integrations: fixtureIntegrations}).Build(fixtureInput())
	if err == nil || !strings.Contains(err.Error(), "no start.ts") {
		t.Errorf("got %v", err)
	}
}

func TestESBuildVersionIsTheOneInGoMod(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`github\.com/evanw/esbuild ` + regexp.QuoteMeta(esbuildVersion) + `\s`).Match(mod) {
		t.Errorf("go.mod has another esbuild than %s: change the constant with it", esbuildVersion)
	}
}
