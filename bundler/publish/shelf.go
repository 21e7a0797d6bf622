package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/cdn"
	"github.com/tagmill/tagmill/internal/fsx"
)

// shelf is the folder of builds:
//
//	builds/BUILDID      one build: a first line with the format and the sha256
//	                    of all that follows, a line of JSON, the three bodies
//	live/HASH.json      what was last live under one write key
//
// A file is complete or not there at all; what does not match its checksum is
// treated as not there. Safe for concurrent use on different builds and keys.
type shelf struct{ dir string }

const (
	buildMagic = "tagmill-build-1"

	// What is kept: builds of pages that are still open, and a rollback's.
	keepFor     = 30 * 24 * time.Hour
	keepAtLeast = 20 // per source
)

var buildIDPattern = regexp.MustCompile(`^[0-9a-f]{20}$`)

func openShelf(dir string) (*shelf, error) {
	for _, sub := range []string{"builds", "live"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("make the bundle folder: %w", err)
		}
	}
	// A folder that cannot be written is found now, not at the first flip.
	if err := fsx.WriteFile(filepath.Join(dir, "README"), []byte(shelfReadme), 0o644); err != nil {
		return nil, fmt.Errorf("bundle folder %s cannot be written, check its owner and free space: %w", dir, err)
	}
	return &shelf{dir: dir}, nil
}

const shelfReadme = "Built bundles, kept so that a restart serves them at once. All of it can be made again: it is safe to delete while the server is stopped.\n"

// buildHeader is the JSON line of a build's file.
type buildHeader struct {
	Build
	Final    bool `json:"final"`
	Identity int  `json:"identityBytes"`
	Gzip     int  `json:"gzipBytes"`
	Brotli   int  `json:"brotliBytes"`
}

// put stores a build; an existing one with its id is replaced. A provisional
// one is not synced, which can take a busy disk hundreds of milliseconds: it
// survives a crash of the process, and after a power cut the checksum tells
// whether it is whole. If not, the same bytes are built again: the input is in
// the settings and builds are deterministic. The final one, a moment later, is
// synced.
func (s *shelf) put(b *Build) error {
	header, err := json.Marshal(buildHeader{Build: *b, Final: b.Encodings.Final,
		Identity: len(b.Encodings.Identity), Gzip: len(b.Encodings.Gzip), Brotli: len(b.Encodings.Brotli)})
	if err != nil {
		return fmt.Errorf("encode build %s: %w", b.BuildID, err)
	}
	rest := slices.Concat(header, []byte("\n"), b.Encodings.Identity, b.Encodings.Gzip, b.Encodings.Brotli)
	sum := sha256.Sum256(rest)
	text := slices.Concat([]byte(buildMagic+" "+hex.EncodeToString(sum[:])+"\n"), rest)
	if b.Encodings.Final {
		return fsx.WriteFile(s.buildPath(b.BuildID), text, 0o644)
	}
	return s.putUnsynced(b.BuildID, text)
}

func (s *shelf) putUnsynced(id string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "builds"), "."+id+".*.tmp")
	if err != nil {
		return fmt.Errorf("write %s: %w", s.buildPath(id), err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), s.buildPath(id))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", s.buildPath(id), err)
	}
	return nil
}

// get reads a build, or gives cdn.ErrUnknownBuild. A damaged file is removed:
// it can only be built again.
func (s *shelf) get(id string) (*Build, error) {
	if !buildIDPattern.MatchString(id) {
		return nil, fmt.Errorf("build %q: %w", id, cdn.ErrUnknownBuild)
	}
	text, err := os.ReadFile(s.buildPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("build %s: %w", id, cdn.ErrUnknownBuild)
	}
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", id, err)
	}
	b, err := parseBuild(text)
	if err != nil || b.BuildID != id {
		os.Remove(s.buildPath(id))
		return nil, fmt.Errorf("build %s is damaged on disk (%w)", id, errors.Join(cdn.ErrUnknownBuild, err))
	}
	return b, nil
}

func parseBuild(text []byte) (*Build, error) {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	sum := sha256.Sum256(rest)
	if string(first) != buildMagic+" "+hex.EncodeToString(sum[:]) {
		return nil, errors.New("checksum does not match")
	}
	line, bodies, _ := bytes.Cut(rest, []byte("\n"))
	var h buildHeader
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, err
	}
	if h.Identity < 0 || h.Gzip < 0 || h.Brotli < 0 || h.Identity+h.Gzip+h.Brotli != len(bodies) {
		return nil, errors.New("lengths do not match")
	}
	b := h.Build
	// Capacities are cut so that nobody's append reaches the next body.
	at := func(from, n int) []byte { return bodies[from : from+n : from+n] }
	b.Encodings = bundler.Encodings{Final: h.Final, Identity: at(0, h.Identity),
		Gzip: at(h.Identity, h.Gzip), Brotli: at(h.Identity+h.Gzip, h.Brotli)}
	return &b, nil
}

// touch notes that a build is live again, so that its age counts from now.
func (s *shelf) touch(id string, now time.Time) {
	// A build kept shorter than it could be is built again if it is asked for.
	_ = os.Chtimes(s.buildPath(id), now, now)
}

// pointer is what was last live under a write key.
type pointer struct {
	WriteKey  string    `json:"writeKey"`
	SourceID  string    `json:"sourceId"`
	BuildID   string    `json:"buildId"`
	Revision  int64     `json:"revision"`
	LiveSince time.Time `json:"liveSince"`
}

func (s *shelf) point(p pointer) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode what is live of %s: %w", p.WriteKey, err)
	}
	return fsx.WriteFile(s.pointerPath(p.WriteKey), append(text, '\n'), 0o644)
}

// pointed reads what was last live under a key; ok is false when nothing was,
// or it cannot be read: the bundle is then built again.
func (s *shelf) pointed(writeKey string) (p pointer, ok bool) {
	text, err := os.ReadFile(s.pointerPath(writeKey))
	if err != nil || json.Unmarshal(text, &p) != nil || p.WriteKey != writeKey {
		return pointer{}, false
	}
	return p, true
}

func (s *shelf) unpoint(writeKey string) { os.Remove(s.pointerPath(writeKey)) }

// prune removes builds that nobody needs any more: not live, not made or live
// in the last 30 days, not among the newest 20 of their source. It also
// removes what writes cut short left behind.
func (s *shelf) prune(now time.Time) (removed int, err error) {
	live, err := s.allPointed()
	if err != nil {
		return 0, err
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, "builds"))
	if err != nil {
		return 0, fmt.Errorf("prune builds: %w", err)
	}
	type kept struct {
		path string
		at   time.Time
	}
	bySource := map[string][]kept{}
	for _, e := range entries {
		path := filepath.Join(s.dir, "builds", e.Name())
		info, err := e.Info()
		if err != nil {
			continue // gone meanwhile
		}
		if !buildIDPattern.MatchString(e.Name()) {
			if strings.HasSuffix(e.Name(), ".tmp") && now.Sub(info.ModTime()) > time.Hour {
				os.Remove(path)
			}
			continue
		}
		b, err := s.get(e.Name()) // removes it when damaged
		if err != nil {
			continue
		}
		bySource[b.SourceID] = append(bySource[b.SourceID], kept{path, info.ModTime()})
	}
	for _, builds := range bySource {
		slices.SortFunc(builds, func(a, b kept) int { return b.at.Compare(a.at) })
		for i, b := range builds {
			if i < keepAtLeast || now.Sub(b.at) < keepFor || live[filepath.Base(b.path)] {
				continue
			}
			if err := os.Remove(b.path); err != nil {
				return removed, fmt.Errorf("prune builds: %w", err)
			}
			removed++
		}
	}
	return removed, nil
}

// allPointed is the set of builds that were last live under some key.
func (s *shelf) allPointed() (map[string]bool, error) {
	dir := filepath.Join(s.dir, "live")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list live builds: %w", err)
	}
	live := map[string]bool{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		var p pointer
		if err == nil && json.Unmarshal(text, &p) == nil {
			live[p.BuildID] = true
		}
	}
	return live, nil
}

func (s *shelf) buildPath(id string) string { return filepath.Join(s.dir, "builds", id) }

// pointerPath hashes the key: it is a customer's text and no file name.
func (s *shelf) pointerPath(writeKey string) string {
	sum := sha256.Sum256([]byte(writeKey))
	return filepath.Join(s.dir, "live", hex.EncodeToString(sum[:16])+".json")
}
