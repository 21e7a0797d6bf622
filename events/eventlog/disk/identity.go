package disk

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// formatVersion is the version of everything in the directory: what keys and
// blocks mean. Pebble's own format is Pebble's matter.
const formatVersion = 1

// identityFile is read before Pebble is, so that a newer log is refused with a
// sentence and not with a parse error.
const identityFile = "FORMAT"

type identity struct {
	Format int    `json:"format"`
	Log    string `json:"log"` // 16 hex digits, in every cursor
}

// readIdentity returns the log's id, after checking its format. With create, a
// directory without a log is given one.
func readIdentity(fsys vfs.FS, dir string, create bool) (string, error) {
	path := fsys.PathJoin(dir, identityFile)
	b, err := readFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		names, err := fsys.List(dir)
		if err != nil {
			return "", err
		}
		for _, name := range names {
			if strings.HasPrefix(name, "MANIFEST-") || strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".log") {
				return "", fmt.Errorf("%s is missing though there is %s: restore it from a backup; a log does not open under another identity", identityFile, name)
			}
		}
		if !create {
			return "", fmt.Errorf("there is no log: %s is missing", identityFile)
		}
		return writeIdentity(fsys, dir)
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", identityFile, err)
	}
	var id identity
	if err := json.Unmarshal(b, &id); err != nil || id.Format < 1 {
		return "", fmt.Errorf("%s does not read as {\"format\":1,\"log\":...}: restore it from a backup", identityFile)
	}
	if id.Format > formatVersion {
		return "", fmt.Errorf("the log has format %d and this tagmill knows formats up to %d: run the newer tagmill, or start on another data folder", id.Format, formatVersion)
	}
	if raw, err := hex.DecodeString(id.Log); err != nil || len(raw) != 8 {
		return "", fmt.Errorf("%s has the log id %q, not 16 hex digits: restore it from a backup", identityFile, id.Log)
	}
	return id.Log, nil
}

// writeIdentity makes up an id and writes it so that a power cut leaves the
// whole file or none.
func writeIdentity(fsys vfs.FS, dir string) (string, error) {
	var raw [8]byte
	rand.Read(raw[:]) // never returns an error
	id := identity{Format: formatVersion, Log: hex.EncodeToString(raw[:])}
	b, err := json.Marshal(id)
	if err != nil {
		return "", err
	}
	path := fsys.PathJoin(dir, identityFile)
	tmp := path + ".tmp"
	f, err := fsys.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return "", fmt.Errorf("write %s: %w", identityFile, err)
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync() // the content before the name
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = fsys.Rename(tmp, path)
	}
	if err == nil {
		err = syncDir(fsys, dir) // the name before any acknowledged record
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", identityFile, err)
	}
	return id.Log, nil
}

func readFile(fsys vfs.FS, path string) ([]byte, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 4<<10))
}

// makeDir makes a directory whose name, and those above it that had to be made,
// survive a power cut.
func makeDir(fsys vfs.FS, dir string) error {
	dir = filepath.Clean(dir)
	info, err := fsys.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return errors.New("there is a file of that name")
		}
		// A process killed after the mkdir below has not come to the sync.
		return syncDir(fsys, fsys.PathDir(dir))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := fsys.PathDir(dir)
	if parent != dir {
		if err := makeDir(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(fsys, parent)
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
