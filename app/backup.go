package app

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/settings/sqlitestore"
)

// A backup is a gzipped tar: manifest.json first, then the parts it names with
// their digests.
//
//	settings.dump                          workspaces, sources, revisions, sealed secrets
//	secret-key, session-key, admin-token   those that were generated
//	log/...                                the event log with its cursors, when asked for
const backupFormat = 1

type backupManifest struct {
	Format int          `json:"format"`
	At     time.Time    `json:"at"`
	Parts  []backupPart `json:"parts"`
}

type backupPart struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

var keyFiles = []string{secretKeyFile, sessionKeyFile, TokenFile}

// Backup writes a stopped server's data folder to w; with events, its log too.
// It holds the folder's lock for as long as it takes.
func Backup(ctx context.Context, cfg Config, w io.Writer, events bool) (err error) {
	data, err := openExisting(cfg.Data)
	if err != nil {
		return err
	}
	defer data.Close()

	var dump bytes.Buffer
	if err := dumpSettings(ctx, cfg, data, &dump); err != nil {
		return err
	}
	parts := []part{{name: "settings.dump", content: dump.Bytes()}}
	for _, name := range keyFiles {
		raw, err := os.ReadFile(data.File(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // configured, not generated
		}
		if err != nil {
			return err
		}
		parts = append(parts, part{name: name, content: raw})
	}
	if events {
		files, err := logParts(cfg.servicePath(cfg.LogURL, "disk:", "log"))
		if err != nil {
			return err
		}
		parts = append(parts, files...)
	}
	return writeBackup(w, parts)
}

// part is one file of a backup: its content, or where it is read from.
type part struct {
	name    string
	content []byte
	path    string
}

func (p part) open() (io.ReadCloser, error) {
	if p.path != "" {
		return os.Open(p.path)
	}
	return io.NopCloser(bytes.NewReader(p.content)), nil
}

func writeBackup(w io.Writer, parts []part) error {
	m := backupManifest{Format: backupFormat, At: time.Now().UTC()}
	for _, p := range parts {
		r, err := p.open()
		if err != nil {
			return err
		}
		sum := sha256.New()
		n, err := io.Copy(sum, r)
		r.Close()
		if err != nil {
			return fmt.Errorf("read %s: %w", p.name, err)
		}
		m.Parts = append(m.Parts, backupPart{p.name, n, hex.EncodeToString(sum.Sum(nil))})
	}
	manifest, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	zw := gzip.NewWriter(w)
	tw := tar.NewWriter(zw)
	all := append([]part{{name: "manifest.json", content: manifest}}, parts...)
	for i, p := range all {
		size := int64(len(manifest))
		if i > 0 {
			size = m.Parts[i-1].Bytes
		}
		if err := tw.WriteHeader(&tar.Header{Name: p.name, Mode: 0o600, Size: size, ModTime: m.At}); err != nil {
			return err
		}
		r, err := p.open()
		if err != nil {
			return err
		}
		_, err = io.Copy(tw, r)
		r.Close()
		if err != nil {
			return fmt.Errorf("write %s: %w", p.name, err)
		}
	}
	return errors.Join(tw.Close(), zw.Close())
}

func dumpSettings(ctx context.Context, cfg Config, data *DataDir, w io.Writer) error {
	catalog, err := integrations.Open()
	if err != nil {
		return err
	}
	key, err := data.key(cfg.SecretKey, "TAGMILL_SECRET_KEY", secretKeyFile)
	if err != nil {
		return err
	}
	store, err := sqlitestore.Open(ctx, sqlitestore.Options{
		Path: cfg.servicePath(cfg.SettingsURL, "sqlite:", "settings.db"), Catalog: catalog, SecretKey: key,
	})
	if err != nil {
		return err
	}
	return errors.Join(store.Backup(ctx, w), store.Close())
}

func logParts(dir string) (parts []part, err error) {
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		parts = append(parts, part{name: path.Join("log", filepath.ToSlash(rel)), path: p})
		return nil
	})
	return parts, err
}

// Restore brings a backup into a data folder that is empty or not there. What
// was begun is taken away again when the backup turns out to be damaged.
func Restore(ctx context.Context, dataDir string, r io.Reader) (err error) {
	if entries, err := os.ReadDir(dataDir); err == nil && len(entries) > 0 {
		return fmt.Errorf("data folder %s is not empty: a restore never overwrites; name an empty folder with --data", dataDir)
	}
	data, err := OpenDataDir(dataDir)
	if err != nil {
		return err
	}
	defer func() {
		data.Close()
		if err != nil {
			os.RemoveAll(dataDir)
		}
	}()
	zr, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("this is not a tagmill backup: %w", err)
	}
	tr := tar.NewReader(zr)
	var m backupManifest
	if err := readManifest(tr, &m); err != nil {
		return err
	}
	for _, want := range m.Parts {
		if err := restorePart(ctx, data, tr, want); err != nil {
			return err
		}
	}
	if _, err := tr.Next(); err == nil {
		return errors.New("backup is damaged: it has more than its manifest names")
	} else if err != io.EOF {
		return fmt.Errorf("backup is cut short: %w", err)
	}
	// tar ends before gzip does, whose own checksum comes last.
	if _, err := io.Copy(io.Discard, zr); err != nil {
		return fmt.Errorf("backup is cut short: %w", err)
	}
	return nil
}

func readManifest(tr *tar.Reader, m *backupManifest) error {
	h, err := tr.Next()
	if err != nil || h.Name != "manifest.json" {
		return errors.New("this is not a tagmill backup: it does not begin with a manifest")
	}
	if err := json.NewDecoder(io.LimitReader(tr, 64<<20)).Decode(m); err != nil {
		return fmt.Errorf("backup manifest: %w", err)
	}
	if m.Format > backupFormat {
		return fmt.Errorf("backup has format %d, this tagmill knows up to %d: use the newer tagmill that made it", m.Format, backupFormat)
	}
	return nil
}

func restorePart(ctx context.Context, data *DataDir, tr *tar.Reader, want backupPart) error {
	h, err := tr.Next()
	if err != nil {
		return fmt.Errorf("backup is cut short before %s: %w", want.Name, err)
	}
	if h.Name != want.Name || h.Size != want.Bytes || !filepath.IsLocal(h.Name) {
		return fmt.Errorf("backup is damaged: found %q where its manifest has %q", h.Name, want.Name)
	}
	sum := sha256.New()
	content := io.TeeReader(tr, sum)
	switch {
	case want.Name == "settings.dump":
		// Held back until its digest is known to be right.
		var dump bytes.Buffer
		if _, err := dump.ReadFrom(content); err != nil {
			return fmt.Errorf("backup: read %s: %w", want.Name, err)
		}
		if err := checkSum(want, sum.Sum(nil)); err != nil {
			return err
		}
		return sqlitestore.Restore(ctx, data.File("settings.db"), &dump)
	case strings.HasPrefix(want.Name, "log/") || isKeyFile(want.Name):
		if err := writeFile(data.File(filepath.FromSlash(want.Name)), content); err != nil {
			return err
		}
		return checkSum(want, sum.Sum(nil))
	}
	return fmt.Errorf("backup has a part %q that this tagmill does not know: use the newer tagmill that made it", want.Name)
}

func isKeyFile(name string) bool {
	for _, k := range keyFiles {
		if name == k {
			return true
		}
	}
	return false
}

func checkSum(want backupPart, sum []byte) error {
	if hex.EncodeToString(sum) != want.SHA256 {
		return fmt.Errorf("backup is damaged: the digest of %s is not what its manifest says; use another backup", want.Name)
	}
	return nil
}

func writeFile(name string, r io.Reader) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, r); err != nil {
		return fmt.Errorf("restore %s: %w", name, err)
	}
	return f.Sync() // a restore that was reported done is on disk
}

// openExisting takes a data folder that must have been used before, so that a
// mistyped name does not make one.
func openExisting(dir string) (*DataDir, error) {
	if _, err := os.Stat(filepath.Join(dir, "format")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not a tagmill data folder: name the server's with --data", dir)
	}
	return OpenDataDir(dir)
}
