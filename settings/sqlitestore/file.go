package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tagmill/tagmill/settings"
)

// applicationID marks a file as ours in its header: "tgml".
const applicationID = 0x74676d6c

// migrations lead from schema version i to i+1. They are never edited, only
// added to: files written by every one of them exist. Everything but what is
// searched by stands in JSON bodies.
var migrations = []string{
	`CREATE TABLE state (seq INTEGER NOT NULL) STRICT;
	 INSERT INTO state (seq) VALUES (0);
	 CREATE TABLE workspaces (id TEXT NOT NULL UNIQUE, body TEXT NOT NULL) STRICT;
	 CREATE TABLE sources (id TEXT NOT NULL UNIQUE, body TEXT NOT NULL) STRICT;
	 CREATE TABLE revisions (source_id TEXT NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL,
	   PRIMARY KEY (source_id, number)) STRICT;
	 CREATE TABLE secrets (ref TEXT NOT NULL UNIQUE, source_id TEXT NOT NULL, body TEXT NOT NULL) STRICT;`,
}

// openFile opens or creates the database file, takes its lock and brings it to
// this version's schema.
func openFile(ctx context.Context, path string, log *slog.Logger) (*sql.DB, error) {
	// Made by us and not by SQLite, so that nobody else can read it; its
	// journal inherits the mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, explain("open", path, err)
	}
	f.Close()
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, explain("open", path, err)
	}
	dsn := "file:" + (&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath() + "?" + url.Values{
		"_pragma": {
			"busy_timeout(1000)",      // a predecessor that is just closing
			"locking_mode(EXCLUSIVE)", // the snapshot in memory is the truth only if nobody else writes
			"journal_mode(WAL)",
			"synchronous(FULL)", // fsync before COMMIT returns
		},
		"_txlock": {"immediate"},
	}.Encode()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, explain("open", path, err)
	}
	// One connection: the lock is the connection's, and so is the order of writes.
	db.SetMaxOpenConns(1)
	if err := prepare(ctx, db, path, log); err != nil {
		db.Close()
		return nil, explain("open", path, err)
	}
	return db, nil
}

func prepare(ctx context.Context, db *sql.DB, path string, log *slog.Logger) error {
	var app, version, tables int
	if err := db.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&app, &version, &tables); err != nil {
		return err
	}
	if app != applicationID && tables > 0 {
		return errors.New("it is a database, but not of tagmill settings: give another path")
	}
	if version > len(migrations) {
		return fmt.Errorf("it has schema version %d, this program knows up to %d: start a version of tagmill at least as new as the one that wrote it, or restore a backup made by an older one", version, len(migrations))
	}
	var health string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&health); err != nil {
		return err
	}
	if health != "ok" {
		return &damaged{health}
	}
	if version == len(migrations) {
		return nil
	}
	// All steps or none: a migration cut short starts again from the old version.
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := version; i < len(migrations); i++ {
		if _, err := tx.ExecContext(ctx, migrations[i]); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", i+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, len(migrations))); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if version > 0 {
		log.Info("settings migrated", "path", path, "from", version, "to", len(migrations))
	}
	return nil
}

// damaged is a file that SQLite can read and we cannot.
type damaged struct{ what string }

func (d *damaged) Error() string { return d.what }

// explain names the file and, where one is known, the remedy. It adds
// settings.ErrUnavailable to what a caller may wait out, and to a damaged
// file, so that a process can go on from its copy of the settings; a file that
// must not be opened at all (another program's, another process's, a newer
// version's) is an error to stop at.
func explain(op, path string, err error) error {
	remedy, away := diagnose(err)
	if op != "open" {
		away = true // it was open once
	}
	switch {
	case errors.Is(err, settings.ErrNotFound), errors.Is(err, settings.ErrConflict), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s settings %s: %w", op, path, err)
	case remedy == "" && !away:
		return fmt.Errorf("%s settings %s: %w", op, path, err)
	case remedy == "":
		return fmt.Errorf("%s settings %s: %w: %w", op, path, settings.ErrUnavailable, err)
	case away:
		return fmt.Errorf("%s settings %s: %s: %w: %w", op, path, remedy, settings.ErrUnavailable, err)
	}
	return fmt.Errorf("%s settings %s: %s: %w", op, path, remedy, err)
}

const restore = "the file is damaged: move it and its -wal file away and restore a backup (tagmill restore)"

// diagnose finds the remedy for an error, and whether it may pass.
func diagnose(err error) (remedy string, away bool) {
	const writable = "it cannot be written: make the file and its folder writable for this user"
	var coded *sqlite.Error
	var broken *damaged
	switch {
	case errors.As(err, &broken):
		return restore, true
	case errors.As(err, &coded):
		switch coded.Code() & 0xff { // the low byte is the kind, the rest detail
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return "it is in use by another process: stop that one first, or give this one another data folder", false
		case sqlite3.SQLITE_CORRUPT:
			return restore, true
		case sqlite3.SQLITE_NOTADB:
			return "it is not a settings database or its start is overwritten: move it away and restore a backup (tagmill restore), or give another path", false
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
			return writable, false
		case sqlite3.SQLITE_FULL:
			return "the disk is full: free some space", true
		case sqlite3.SQLITE_IOERR:
			return "the disk answers with errors: see that it has space, and look at the system log", true
		}
		return "SQLite refuses", false
	case errors.Is(err, fs.ErrNotExist):
		return "the folder does not exist: create it", false
	case errors.Is(err, fs.ErrPermission):
		return writable, false
	case strings.Contains(err.Error(), "database is closed"):
		return "it is closed", true
	}
	return "", false
}
