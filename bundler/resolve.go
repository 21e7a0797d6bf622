package bundler

import (
	"fmt"
	"path"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// plugin serves every module of a build from memory: esbuild never looks at
// the machine's files. It also holds the wall between integrations: one may
// import the runtime's types and kit and the files of its own folder, nothing else.
//
// The entry and the configuration are the compiler's of the moment: plugins run
// while it holds its lock.
func (b *Bundler) plugin(c *compiler) api.Plugin {
	return api.Plugin{Name: "tagmill", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: `.*`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			space, file, refusal := b.resolve(args)
			if refusal != "" {
				return api.OnResolveResult{Errors: []api.Message{{Text: refusal}}}, nil
			}
			return api.OnResolveResult{Namespace: space, Path: file}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: ownSpace}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			text := c.entry
			if args.Path == "config" {
				text = c.config
				return api.OnLoadResult{Contents: &text, Loader: api.LoaderJSON}, nil
			}
			return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, nil
		})
		load := func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			return api.OnLoadResult{Contents: b.src.file(args.Namespace, args.Path), Loader: api.LoaderTS}, nil
		}
		build.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: runtimeSpace}, load)
		build.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: integrationSpace}, load)
	}}
}

// file is the text of a source file, or nil.
func (s *sources) file(space, name string) *string {
	if space == runtimeSpace {
		return s.runtime[name]
	}
	slug, _, _ := strings.Cut(name, "/")
	return s.integrations[slug].files[name]
}

// resolve turns an import into a namespace and a file there, or says why not.
func (b *Bundler) resolve(args api.OnResolveArgs) (space, file, refusal string) {
	if args.Kind == api.ResolveEntryPoint {
		return ownSpace, "entry", ""
	}
	from := args.Namespace + "/" + args.Importer
	if args.Kind != api.ResolveJSImportStatement {
		return "", "", fmt.Sprintf("%s: only import statements are bundled, not require() or import() of %q", from, args.Path)
	}
	switch args.Namespace {
	case ownSpace:
		if args.Path == "tagmill:config" {
			return ownSpace, "config", ""
		}
	case integrationSpace:
		if why := b.wall(args.Importer, args.Path); why != "" {
			return "", "", why
		}
	case runtimeSpace:
		if strings.HasPrefix(args.Path, "@tagmill/integrations/") {
			return "", "", fmt.Sprintf("%s: the runtime knows no integration, so it cannot import %q", from, args.Path)
		}
	}

	if name, ok := strings.CutPrefix(args.Path, "@tagmill/runtime/"); ok {
		space, file = runtimeSpace, name
	} else if slug, ok := strings.CutPrefix(args.Path, "@tagmill/integrations/"); ok {
		space, file = integrationSpace, slug+"/browser"
	} else if isRelative(args.Path) {
		space, file = args.Namespace, path.Join(path.Dir(args.Importer), args.Path)
	} else {
		return "", "", fmt.Sprintf("%s: %q is neither a file beside it nor @tagmill/runtime/…: bundles use no packages", from, args.Path)
	}
	file = strings.TrimSuffix(file, ".ts") + ".ts"
	if b.src.file(space, file) == nil {
		return "", "", fmt.Sprintf("%s imports %q, but there is no %s/%s", from, args.Path, space, file)
	}
	return space, file, ""
}

// wall says why an integration's file may not import a path, or nothing.
func (b *Bundler) wall(importer, imported string) string {
	slug, _, _ := strings.Cut(importer, "/")
	clean := path.Clean(imported)
	switch {
	case imported == "@tagmill/runtime/types", imported == "@tagmill/runtime/types.ts":
		return ""
	case strings.HasPrefix(imported, "@tagmill/runtime/kit/") && clean == imported:
		return ""
	case isRelative(imported) && strings.HasPrefix(path.Join(path.Dir(importer), imported), slug+"/"):
		return ""
	}
	return fmt.Sprintf("integration %q imports %q in %s/%s: an integration may import only @tagmill/runtime/types, @tagmill/runtime/kit/… and files of its own folder",
		slug, imported, integrationSpace, importer)
}

func isRelative(p string) bool { return strings.HasPrefix(p, "./") || strings.HasPrefix(p, "../") }
