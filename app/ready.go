package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tagmill/tagmill/internal/fsx"
)

const readyFile = "ready.json"

// Ready is where a process can be reached, as its ready line says it.
type Ready struct {
	Msg   string `json:"msg"` // "ready"
	Edge  string `json:"edge"`
	Admin string `json:"admin"`
	Demo  string `json:"demo,omitempty"`

	// For people only.
	Snippet string `json:"-"`
	Signin  string `json:"-"`
}

// Print writes what a person wants to know at a start.
func (r Ready) Print(w io.Writer) error {
	text := "\nPaste this into every page, as early in its head as possible:\n\n" + r.Snippet + "\n\n" +
		"Console:  " + r.Signin + "\n          (signs in once, within ten minutes; tagmill signin makes another)\n"
	if r.Demo != "" {
		text += "Demo:     " + r.Demo + "/  (a shop that carries the snippet)\n"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// ReadReady finds the process that last became ready on a data folder. It may
// have ended since.
func ReadReady(dataDir string) (Ready, error) {
	var r Ready
	path := filepath.Join(dataDir, readyFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("no server has run on data folder %s", dataDir)
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// writeReady tells commands on the same machine where the server is.
func (d *DataDir) writeReady(r Ready) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return fsx.WriteFile(d.File(readyFile), append(raw, '\n'), 0o600)
}
