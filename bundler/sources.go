package bundler

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// The namespaces of esbuild's virtual files, named as the folders are so that
// a message reads like a path of the repository.
const (
	runtimeSpace     = "runtime-js"
	integrationSpace = "integrations-js"
	ownSpace         = "tagmill" // the entry and the configuration
)

// sources is the text of every TypeScript file, read once.
type sources struct {
	runtime     map[string]*string // by path: "start.ts", "kit/products.ts"
	runtimeSum  [sha256.Size]byte
	runtimeHash string
	// integrations by slug.
	integrations map[string]integration
}

type integration struct {
	files map[string]*string // by path from the catalog's root: "ga4/browser.ts"
	sum   [sha256.Size]byte
}

func readSources(s Sources) (sources, error) {
	runtime, err := readTypeScript(s.Runtime)
	if err != nil {
		return sources{}, fmt.Errorf("read the runtime's sources: %w", err)
	}
	files, err := readTypeScript(s.Integrations)
	if err != nil {
		return sources{}, fmt.Errorf("read the integrations' sources: %w", err)
	}
	src := sources{runtime: runtime, runtimeSum: sumFiles(runtime), integrations: map[string]integration{}}
	src.runtimeHash = hex.EncodeToString(src.runtimeSum[:6])
	for name, text := range files {
		slug, _, ok := strings.Cut(name, "/")
		if !ok {
			continue // a file beside the folders belongs to no integration
		}
		if _, ok := src.integrations[slug]; !ok {
			src.integrations[slug] = integration{files: map[string]*string{}}
		}
		src.integrations[slug].files[name] = text
	}
	for slug, in := range src.integrations {
		in.sum = sumFiles(in.files)
		src.integrations[slug] = in
	}
	return src, nil
}

// readTypeScript reads the .ts files below fsys. A nil fsys has none.
func readTypeScript(fsys fs.FS) (map[string]*string, error) {
	files := map[string]*string{}
	if fsys == nil {
		return files, nil
	}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "test" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".ts" || strings.HasSuffix(name, ".d.ts"):
			return nil
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		text := string(b)
		files[name] = &text
		return nil
	})
	return files, err
}

// sumFiles hashes names and contents, in an order that is the same everywhere.
func sumFiles(files map[string]*string) (sum [sha256.Size]byte) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		writePart(h, name)
		writePart(h, *files[name])
	}
	h.Sum(sum[:0])
	return sum
}

// writePart hashes a part with its length before it, so that no two lists of
// parts can be the same bytes.
func writePart(h hash.Hash, part string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(part)))
	h.Write(n[:])
	h.Write([]byte(part))
}
