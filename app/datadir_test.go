package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestDataDirIsHeldByOneProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := OpenDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenDataDir(dir)
	if err == nil || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("second open: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := OpenDataDir(dir)
	if err != nil {
		t.Fatalf("after the first let go: %v", err)
	}
	again.Close()
}

func TestDataDirRefusesWhatItCannotRead(t *testing.T) {
	for _, tc := range []struct{ name, format, want string }{
		{"newer", "99\n", "newer tagmill"},
		{"rubbish", "x\n", "not a format number"},
		{"empty", "", "not a format number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "format"), []byte(tc.format), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenDataDir(dir); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a file in its place", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenDataDir(file); err == nil || !strings.Contains(err.Error(), "--data") {
			t.Errorf("got %v", err)
		}
	})
}

func TestGeneratedKeysStayAndConfiguredOnesAreChecked(t *testing.T) {
	d, err := OpenDataDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	made, err := d.key("", "TAGMILL_SECRET_KEY", secretKeyFile)
	if err != nil || len(made) != 32 {
		t.Fatalf("%d bytes, %v", len(made), err)
	}
	again, err := d.key("", "TAGMILL_SECRET_KEY", secretKeyFile)
	if err != nil || !bytes.Equal(made, again) {
		t.Errorf("not the same key the second time: %v", err)
	}
	if info, err := os.Stat(d.File(secretKeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	for _, bad := range []string{"short", strings.Repeat("g", 64)} {
		if _, err := d.key(bad, "TAGMILL_SECRET_KEY", secretKeyFile); err == nil || !strings.Contains(err.Error(), "openssl rand") || strings.Contains(err.Error(), bad) {
			t.Errorf("key %q: %v", bad, err)
		}
	}
	if err := os.WriteFile(d.File(TokenFile), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.generated(TokenFile); err == nil {
		t.Error("an empty token was taken")
	}
}
