package bundler

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// Build compiles one bundle. The same input gives the same bytes and the same
// BuildID, whatever the order of its destinations. Errors: *Invalid when the
// input cannot be built at all; *BuildError when the sources do not compile,
// naming the integration and the line; that of reading the sources.
func (b *Bundler) Build(in Input) (*Bundle, error) {
	began := time.Now()
	in, err := b.normalize(in)
	if err != nil {
		return nil, err
	}
	id := b.identify(in)
	config, err := configJSON(in, id)
	if err != nil {
		return nil, fmt.Errorf("encode the configuration of build %s: %w", id, err)
	}
	result, err := b.compile(in, config)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", id, err)
	}
	if len(result.Errors) > 0 {
		return nil, &BuildError{Problems: problems(result.Errors)}
	}
	if len(result.OutputFiles) != 1 {
		return nil, fmt.Errorf("build %s: esbuild wrote %d files, not one", id, len(result.OutputFiles))
	}
	js := result.OutputFiles[0].Contents
	shares, err := attribute(result.Metafile, len(js))
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", id, err)
	}
	report := Report{Raw: len(js), Integrations: shares, BuildTime: time.Since(began)}
	for _, p := range problems(result.Warnings) {
		report.Warnings = append(report.Warnings, p.String())
	}
	return &Bundle{BuildID: id, Runtime: b.src.runtimeHash, JS: js, Report: report}, nil
}

// variant is what of an input decides esbuild's options; everything else of it
// is in the text of the entry and the configuration.
type variant struct{ spa, debug bool }

// compiler is esbuild with one set of options. It keeps the parsed sources from
// one build to the next, which is two thirds of a build's time, and nothing
// else: what comes out does not depend on what was built before.
type compiler struct {
	// mu lets one build at a time put its modules here and run. esbuild uses
	// all cores for one.
	mu      sync.Mutex
	entry   string
	config  string
	esbuild api.BuildContext
}

// compile runs esbuild on a normalized input.
func (b *Bundler) compile(in Input, config string) (api.BuildResult, error) {
	c := b.compiler(variant{in.SPA, in.Debug})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.esbuild == nil {
		ctx, err := api.Context(options(in, b.plugin(c)))
		if err != nil {
			return api.BuildResult{}, fmt.Errorf("set esbuild up: %w", err)
		}
		c.esbuild = ctx
	}
	c.entry, c.config = entry(in), config
	return c.esbuild.Rebuild(), nil
}

func (b *Bundler) compiler(v variant) *compiler {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.compilers[v] == nil {
		b.compilers[v] = &compiler{}
	}
	return b.compilers[v]
}

// options are esbuild's for one variant. Nothing here depends on the machine:
// every file comes from the plugin and the working directory is fixed.
func options(in Input, plugin api.Plugin) api.BuildOptions {
	o := api.BuildOptions{
		EntryPoints:   []string{"tagmill:entry"},
		Plugins:       []api.Plugin{plugin},
		AbsWorkingDir: "/",
		// No tsconfig.json of the machine's is looked for. Class fields are
		// assigned, as ES2017 has no other way that is not a helper function.
		TsconfigRaw:   `{"compilerOptions":{"useDefineForClassFields":false}}`,
		Bundle:        true,
		Format:        api.FormatIIFE,
		Platform:      api.PlatformBrowser,
		Target:        api.ES2017,
		Charset:       api.CharsetASCII, // also escapes U+2028 and U+2029
		TreeShaking:   api.TreeShakingTrue,
		LegalComments: api.LegalCommentsNone,
		Define:        map[string]string{"__SPA__": strconv.FormatBool(in.SPA)},
		Metafile:      true,
		LogLevel:      api.LogLevelSilent, // messages are returned as data
	}
	if !in.Debug {
		o.MinifyWhitespace, o.MinifyIdentifiers, o.MinifySyntax = true, true, true
		// Private names end in one underscore; __x__ does not match. Names are
		// handed out by how often they are used, so the result depends on the
		// input alone.
		o.MangleProps = `[^_]_$`
	}
	return o
}

// entry is the first module: it hands the configuration and the integrations
// switched on to the runtime. Names are numbered because a slug may be a word
// of the language ("new"). Where a page defines __tagmill_check it is given the
// factories and returns what to start with: that is how a bundle is watched
// when it is run before going live, in the very bytes that go live. Object is
// the identity for objects.
func entry(in Input) string {
	var imports, factories strings.Builder
	for i, slug := range slugs(in) {
		fmt.Fprintf(&imports, "import i%d from \"@tagmill/integrations/%s\";\n", i, slug)
		fmt.Fprintf(&factories, "\"%s\": i%d, ", slug, i)
	}
	return "import { start } from \"@tagmill/runtime/start\";\n" +
		"import config from \"tagmill:config\";\n" +
		imports.String() +
		"start(config, (window.__tagmill_check || Object)({ " + factories.String() + "}));\n"
}

// configJSON is the Config of runtime-js/types.ts. esbuild's JSON loader makes
// it a module: "</script>" is escaped, and a "__proto__" key is a key.
func configJSON(in Input, buildID string) (string, error) {
	b, err := json.Marshal(struct {
		WriteKey     string        `json:"writeKey"`
		BuildID      string        `json:"buildId"`
		Collector    string        `json:"collector"`
		Destinations []Destination `json:"destinations"`
		SPA          bool          `json:"spa,omitempty"`
	}{in.WriteKey, buildID, in.Collector, append([]Destination{}, in.Destinations...), in.SPA})
	return string(b), err
}

// attribute reads from esbuild's metafile how many bytes of the output came
// from each integration's files; the rest is the runtime's.
func attribute(metafile string, total int) (map[string]Share, error) {
	var meta struct {
		Outputs map[string]struct {
			Inputs map[string]struct {
				BytesInOutput int `json:"bytesInOutput"`
			} `json:"inputs"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, fmt.Errorf("read esbuild's metafile: %w", err)
	}
	shares := map[string]Share{}
	rest := total
	for _, out := range meta.Outputs {
		for name, in := range out.Inputs {
			file, ok := strings.CutPrefix(name, integrationSpace+":")
			if !ok {
				continue
			}
			slug, _, _ := strings.Cut(file, "/")
			shares[slug] = Share{Raw: shares[slug].Raw + in.BytesInOutput}
			rest -= in.BytesInOutput
		}
	}
	shares["runtime"] = Share{Raw: rest}
	return shares, nil
}
