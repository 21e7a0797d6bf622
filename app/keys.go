package app

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/tagmill/tagmill/internal/fsx"
	"github.com/tagmill/tagmill/settings"
)

// Files of the data folder that hold what was generated.
const (
	TokenFile      = "admin-token"
	secretKeyFile  = "secret-key"
	sessionKeyFile = "session-key"
)

// generated returns the text in a file of the data folder, making it on first
// use. Only this user can read it.
func (d *DataDir) generated(name string) (string, error) {
	raw, err := os.ReadFile(d.File(name))
	if err == nil {
		if text := strings.TrimSpace(string(raw)); text != "" {
			return text, nil
		}
		return "", fmt.Errorf("%s is empty: remove it to have a new one made, or restore it from a backup", d.File(name))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	text := hex.EncodeToString(random(settings.KeySize))
	return text, fsx.WriteFile(d.File(name), []byte(text+"\n"), 0o600)
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: it would end the process
	return b
}

// key is a configured key, or the generated one: 32 bytes, in hex or base64.
func (d *DataDir) key(configured, variable, file string) ([]byte, error) {
	text, from := configured, variable
	if text == "" {
		var err error
		if text, err = d.generated(file); err != nil {
			return nil, err
		}
		from = d.File(file)
	}
	if b, err := hex.DecodeString(text); err == nil && len(b) == settings.KeySize {
		return b, nil
	}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(b) == settings.KeySize {
		return b, nil
	}
	return nil, fmt.Errorf("%s: want %d bytes in hex or base64; make one with: openssl rand -hex %d", from, settings.KeySize, settings.KeySize)
}
