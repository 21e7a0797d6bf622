package bundler

import (
	"encoding/json"
	"os"
	"testing"

	"golang.org/x/tools/txtar"
)

// The readable form of a few bundles, in one file to review:
//
//	UPDATE_SNAPSHOTS=1 go test ./bundler -run Snapshots
func TestSnapshots(t *testing.T) {
	const path = "testdata/bundles.txtar"
	cases := []struct {
		name   string
		change func(*Input)
	}{
		{"no destination", func(in *Input) { in.Destinations = nil }},
		{"two destinations", func(*Input) {}},
		{"two of a kind", func(in *Input) {
			in.Destinations[1] = Destination{ID: "d0", Slug: "alpha", Names: []string{"alpha", "alpha:eu"}, Settings: json.RawMessage(`{"token":"eu"}`)}
		}},
		{"single-page application", func(in *Input) { in.SPA = true }},
		{"hostile settings", func(in *Input) {
			in.Destinations = in.Destinations[:1]
			in.Destinations[0].Settings = json.RawMessage(`{"__proto__":{"x":1},"token":"</script>\u2028é"}`)
		}},
	}
	got := &txtar.Archive{Comment: []byte("What bundler makes of the fixtures in fixture_test.go, unminified.\n\n")}
	for _, c := range cases {
		in := fixtureInput()
		in.Debug = true
		c.change(&in)
		got.Files = append(got.Files, txtar.File{Name: c.name, Data: mustBuild(t, fixture(), in).JS})
	}
	if os.Getenv("UPDATE_SNAPSHOTS") != "" {
		if err := os.WriteFile(path, txtar.Format(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range file.Files {
		if _, twice := want[f.Name]; twice {
			t.Errorf("%s has two snapshots of %q", path, f.Name)
		}
		want[f.Name] = string(f.Data)
	}
	for _, f := range got.Files {
		if want[f.Name] != string(f.Data) {
			t.Errorf("%q is now (UPDATE_SNAPSHOTS=1 to accept):\n%s", f.Name, f.Data)
		}
		delete(want, f.Name)
	}
	for name := range want {
		t.Errorf("%s has a snapshot of %q, which no case makes: remove it", path, name)
	}
}
