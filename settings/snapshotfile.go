package settings

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/tagmill/tagmill/internal/fsx"
)

// A snapshot file is one line, "tagmill-snapshot VERSION SHA256", and the
// state as JSON. It is a cache: secrets in it stay sealed, and a version other
// than this one is simply not used.
const (
	snapshotMagic   = "tagmill-snapshot"
	snapshotVersion = 1
)

type snapshotBody struct {
	Seq        int64        `json:"seq"`
	Workspaces []*Workspace `json:"workspaces"`
	Sources    []*Source    `json:"sources"`
	Sealed     []Sealed     `json:"sealed"`
}

// SaveSnapshot replaces the file at path, so that a process can start from it
// while the store is away. A crash leaves the old file or the new one.
func SaveSnapshot(path string, s *Snapshot) error {
	body, err := json.Marshal(snapshotBody{
		Seq: s.Seq, Workspaces: s.Workspaces, Sources: slices.Concat(s.Sources, s.deleted), Sealed: s.Sealed(),
	})
	if err != nil {
		return fmt.Errorf("save settings snapshot %s: %w", path, err)
	}
	head := fmt.Appendf(nil, "%s %d %x\n", snapshotMagic, snapshotVersion, sha256.Sum256(body))
	if err := fsx.WriteFile(path, append(head, body...), 0o600); err != nil {
		return fmt.Errorf("save settings snapshot: %w", err)
	}
	return nil
}

// LoadSnapshot reads what SaveSnapshot wrote. errors.Is fs.ErrNotExist tells
// that there is none; any other error that the file cannot be trusted and may
// be removed.
func LoadSnapshot(path string) (*Snapshot, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load settings snapshot: %w", err)
	}
	bad := func(why string) error {
		return fmt.Errorf("load settings snapshot %s: %s: remove the file, it is only a copy", path, why)
	}
	line, body, found := bytes.Cut(data, []byte("\n"))
	var version int
	var sum []byte
	if !found {
		return nil, bad("it is cut short or not a snapshot")
	}
	if n, err := fmt.Sscanf(string(line), snapshotMagic+" %d %x", &version, &sum); n != 2 || err != nil {
		return nil, bad("it is not a snapshot")
	}
	if version != snapshotVersion {
		return nil, bad(fmt.Sprintf("it has format %d, this program reads %d", version, snapshotVersion))
	}
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, bad("its content does not match its checksum")
	}
	var b snapshotBody
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, bad(err.Error())
	}
	return RestoreSnapshot(b.Seq, b.Workspaces, b.Sources, b.Sealed), nil
}

// Sealed lists the snapshot's secrets, encrypted, in the order of their refs.
func (s *Snapshot) Sealed() []Sealed {
	return slices.SortedFunc(maps.Values(s.sealed), func(a, b Sealed) int { return cmp.Compare(a.Ref, b.Ref) })
}
