package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/tagmill/tagmill/internal/fsx"
)

// dataFormat is the version of the data folder's layout. Raise it with a
// migration in migrate; an older binary then refuses the folder.
const dataFormat = 1

// DataDir is a data folder held by this process: one process at a time.
//
//	format          the layout's version, a number and a newline
//	lock            held while a process uses the folder
//	settings.db     workspaces, sources, revisions (SQLite)
//	snapshot        the last settings this process knew
//	bundles/        compiled bundles by build id
//	log/            the event log (Pebble)
//	secret-key      encrypts secrets at rest, unless given by configuration
//	admin-token     the API token, unless given by configuration
type DataDir struct {
	Path string
	lock *os.File
}

// OpenDataDir creates or opens a data folder and locks it. The errors name
// the folder and what to do.
func OpenDataDir(path string) (*DataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data folder %s: %w: give a folder this user can write to with --data", path, unwrapPath(err))
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w: this user must be able to read and write it, or give another with --data", path, unwrapPath(err))
	}
	// The kernel drops the lock when the process ends, however it ends.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid, _ := os.ReadFile(lock.Name())
		lock.Close()
		holder := strings.TrimSpace(string(pid))
		if holder == "" {
			holder = "unknown"
		}
		return nil, fmt.Errorf("data folder %s is in use by another tagmill (process %s): stop that one, or give this one a folder of its own with --data", path, holder)
	}
	d := &DataDir{Path: path, lock: lock}
	if err := d.checkFormat(); err != nil {
		d.Close()
		return nil, err
	}
	if err := d.sign(); err != nil {
		d.Close()
		return nil, fmt.Errorf("data folder %s: %w: is the disk full?", path, unwrapPath(err))
	}
	return d, nil
}

// sign leaves this process's number in the lock file, for the message that a
// second one prints.
func (d *DataDir) sign() error {
	if err := d.lock.Truncate(0); err != nil {
		return err
	}
	_, err := d.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func (d *DataDir) checkFormat() error {
	name := d.File("format")
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fsx.WriteFile(name, []byte(strconv.Itoa(dataFormat)+"\n"), 0o600)
	}
	if err != nil {
		return fmt.Errorf("data folder %s: %w", d.Path, err)
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || version < 1 {
		return fmt.Errorf("data folder %s: its file %q holds %q, not a format number: this is not a tagmill data folder, or it is damaged; restore a backup into an empty folder", d.Path, "format", raw)
	}
	if version > dataFormat {
		return fmt.Errorf("data folder %s has format %d, this tagmill knows up to %d: it was used by a newer tagmill; run that one, or restore a backup made by this one into an empty folder", d.Path, version, dataFormat)
	}
	return nil
}

// File is the path of one of the folder's files.
func (d *DataDir) File(name string) string { return filepath.Join(d.Path, name) }

// Close lets the folder go.
func (d *DataDir) Close() error { return d.lock.Close() }

// unwrapPath drops the path from an error whose message will name it anyway.
func unwrapPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
