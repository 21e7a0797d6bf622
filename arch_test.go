package tagmill

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tagmill/tagmill"

// rooms places each package prefix on a floor and in a wing. The longest
// prefix wins. A package on no floor fails the test: it must be given one.
// Imports only go down; rooms on one floor do not know each other; a child
// may know its parent's vocabulary.
var rooms = []struct {
	path  string
	floor int
	wing  string // "tag", "event" or "" for the hall
}{
	{"internal", 0, ""},
	{"events", 0, "event"},

	{"settings", 1, "tag"},
	{"integrations-js", 1, "tag"},
	{"runtime-js", 1, "tag"},
	{"events/eventlog", 1, "event"},

	{"settings/sqlitestore", 2, "tag"},
	{"settings/storetest", 2, "tag"},
	{"bundler", 2, "tag"},
	{"cdn", 2, "tag"},
	{"snippets", 2, "tag"},
	{"events/eventlog/memory", 2, "event"},
	{"events/eventlog/disk", 2, "event"},
	{"events/eventlog/logtest", 2, "event"},

	{"bundler/publish", 3, "tag"},
	{"events/collector", 3, "event"},
	{"events/live", 3, "event"},

	{"admin", 4, ""}, // the private listener's door: tokens, sessions, host check
	{"demo", 4, ""},

	{"admin/api", 5, ""},
	{"admin/console", 5, ""},

	{"app", 6, ""},
	{"cmd", 7, ""},
	{"e2e", 7, ""},
	{"bench", 7, ""},
	{"", 8, ""}, // the repository's own tests
}

// homes says which rooms may import a heavy or consequential library.
var homes = map[string][]string{
	"github.com/evanw/esbuild":           {"bundler"},
	"github.com/dop251/goja":             {"bundler/publish"},
	"github.com/valyala/fasthttp":        {"cdn", "events/collector", "internal/web", "app", "bench"},
	"github.com/cockroachdb/pebble":      {"events/eventlog/disk"},
	"modernc.org/sqlite":                 {"settings/sqlitestore"},
	"github.com/danielgtaylor/huma":      {"admin/api"},
	"github.com/alecthomas/kong":         {"cmd"},
	"github.com/go-json-experiment/json": {"events"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Doc        string
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Doc", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs
}

func roomOf(path string) (room string, floor int, wing string, ok bool) {
	rel := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
	best := -1
	for i, r := range rooms {
		if rel == r.path || r.path != "" && strings.HasPrefix(rel, r.path+"/") {
			if best < 0 || len(r.path) > len(rooms[best].path) {
				best = i
			}
		}
	}
	if best < 0 {
		return "", 0, "", false
	}
	return rooms[best].path, rooms[best].floor, rooms[best].wing, true
}

func TestImportsOnlyGoDown(t *testing.T) {
	for _, p := range listPackages(t) {
		room, floor, wing, ok := roomOf(p.ImportPath)
		if !ok {
			t.Errorf("%s stands on no floor: give it one in arch_test.go and docs/DESIGN.md", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if imp != module && !strings.HasPrefix(imp, module+"/") {
				continue
			}
			toRoom, toFloor, toWing, ok := roomOf(imp)
			if !ok || toRoom == room {
				continue
			}
			if toFloor >= floor {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports only go down", p.ImportPath, floor, imp, toFloor)
			}
			if wing != "" && toWing != "" && wing != toWing {
				t.Errorf("%s (%s wing) imports %s (%s wing): the wings meet in app", p.ImportPath, wing, imp, toWing)
			}
		}
	}
}

func TestHeavyLibrariesHaveOneHome(t *testing.T) {
	for _, p := range listPackages(t) {
		rel := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imp := range p.Imports {
			for lib, allowed := range homes {
				if imp != lib && !strings.HasPrefix(imp, lib+"/") {
					continue
				}
				if !slices.ContainsFunc(allowed, func(home string) bool {
					return rel == home || home == "cmd" && strings.HasPrefix(rel, "cmd/") || home == "bench" && strings.HasPrefix(rel, "bench/")
				}) {
					t.Errorf("%s imports %s, whose home is %v", rel, imp, allowed)
				}
			}
		}
	}
}

func TestPackagesAreDocumentedAndWellNamed(t *testing.T) {
	banned := []string{"util", "utils", "common", "helpers", "types", "manager", "core", "base", "misc"}
	for _, p := range listPackages(t) {
		rel := strings.TrimPrefix(p.ImportPath, module+"/")
		if p.ImportPath != module && p.Doc == "" {
			t.Errorf("%s has no package comment", rel)
		}
		if slices.Contains(banned, filepath.Base(rel)) {
			t.Errorf("%s: name the thing it owns", rel)
		}
	}
}

// Only cmd reads the environment and the flags: everything else is told.
func TestOnlyCmdReadsTheEnvironment(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range strings.Fields(string(out)) {
		if strings.HasSuffix(f, "_test.go") || strings.HasPrefix(f, "cmd/") || strings.HasPrefix(f, "bench/") || strings.HasPrefix(f, "e2e/") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			continue // deleted, not yet committed
		}
		for _, call := range []string{"os.Getenv(", "os.LookupEnv(", "os.Environ(", "flag.Parse("} {
			if bytes.Contains(src, []byte(call)) {
				t.Errorf("%s calls %s): only cmd reads flags and environment", f, call)
			}
		}
	}
}
