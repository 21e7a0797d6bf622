package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tagmill/tagmill/settings"
)

// Backup writes a consistent dump of everything, history and sealed secrets
// included, to w; see settings.ReadDump. Changes wait while it is gathered,
// not while w takes it.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	tmp, err := os.CreateTemp(filepath.Dir(s.path), ".settings-backup-*.tmp")
	if err != nil {
		return fmt.Errorf("back up settings %s: %w", s.path, err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := s.dump(ctx, tmp); err != nil {
		return explain("back up", s.path, err)
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("back up settings %s: %w", s.path, err)
	}
	if _, err := io.Copy(w, tmp); err != nil {
		return fmt.Errorf("back up settings %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) dump(ctx context.Context, w io.Writer) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var seq int64
	if err := tx.QueryRowContext(ctx, `SELECT seq FROM state`).Scan(&seq); err != nil {
		return err
	}
	d, err := settings.NewDumpWriter(w, seq)
	if err != nil {
		return err
	}
	// The first failed write is kept; those after it would say less.
	var writeErr error
	add := func(r settings.DumpRecord) {
		if writeErr == nil {
			writeErr = d.Write(r)
		}
	}
	err = errors.Join(
		rows(ctx, tx, `SELECT body FROM workspaces ORDER BY rowid`, nil, func(v *settings.Workspace) { add(settings.DumpRecord{Workspace: v}) }),
		rows(ctx, tx, `SELECT body FROM sources ORDER BY rowid`, nil, func(v *settings.Source) { add(settings.DumpRecord{Source: v}) }),
		rows(ctx, tx, `SELECT body FROM secrets ORDER BY rowid`, nil, func(v *settings.Sealed) { add(settings.DumpRecord{Sealed: v}) }),
		rows(ctx, tx, `SELECT body FROM revisions ORDER BY source_id, number`, nil, func(v *settings.Revision) { add(settings.DumpRecord{Revision: v}) }),
	)
	if err := errors.Join(err, writeErr); err != nil {
		return err
	}
	return d.Close()
}

// Restore fills the settings file at path from a dump, in one transaction: all
// of it or nothing. It refuses a file that has settings in it already. The
// secret key does not matter here; the one of the time of the backup is
// needed to open the store afterwards.
func Restore(ctx context.Context, path string, r io.Reader) error {
	s, err := Open(ctx, Options{Path: path})
	var otherKey *settings.WrongKey
	if errors.As(err, &otherKey) {
		return fmt.Errorf("restore settings %s: there are settings already: %w", path, settings.ErrConflict)
	}
	if err != nil {
		return err
	}
	defer s.Close()
	if len(s.Snapshot().Workspaces) > 0 {
		return fmt.Errorf("restore settings %s: there are settings already: restore into an empty data folder: %w", path, settings.ErrConflict)
	}
	err = s.inTx(ctx, func(tx *sql.Tx) error {
		seq, err := settings.ReadDump(r, func(rec settings.DumpRecord) error {
			// One record is an edit of its own, but for the number of the state.
			e := settings.Edit{Next: s.Snapshot()}
			switch {
			case rec.Workspace != nil:
				e.Workspaces = []*settings.Workspace{rec.Workspace}
			case rec.Source != nil:
				e.Sources = []*settings.Source{rec.Source}
			case rec.Sealed != nil:
				e.Sealed = []settings.Sealed{*rec.Sealed}
			case rec.Revision != nil:
				e.Revisions = []settings.Revision{*rec.Revision}
			}
			return write(ctx, tx, &e)
		})
		if err != nil {
			return err
		}
		return setSeq(ctx, tx, seq)
	})
	if err != nil {
		return explain("restore", path, err)
	}
	return nil
}
