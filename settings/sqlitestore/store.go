// Package sqlitestore keeps settings in one SQLite file, owned by one process.
// It knows rows and transactions; what a change means it leaves to
// settings.Editor. Every committed change is on disk (WAL, synchronous=FULL)
// before anyone sees it.
package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/tagmill/tagmill/settings"
)

// Options say which file, and by which rules it is changed.
type Options struct {
	// Path of the database file; its folder must exist.
	Path    string
	Catalog settings.Catalog
	Rules   settings.Rules
	// SecretKey encrypts secrets: settings.KeySize bytes, or nil, and then
	// none can be stored.
	SecretKey []byte
	// Env finds the environment variables that secrets may name; nil: none.
	Env func(name string) (string, bool)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log is told of migrations and purges; nil discards.
	Log *slog.Logger
}

// Store is a settings.Store and settings.DryRunner. Safe for concurrent use.
type Store struct {
	db     *sql.DB
	path   string
	editor settings.Editor
	env    func(name string) (string, bool)
	log    *slog.Logger
	live   *settings.Live

	// mu makes writers take turns, from reading the snapshot they start from
	// to publishing the one they made; it is held across the fsync. Readers
	// of snapshots never take it.
	mu    sync.Mutex
	doubt bool // a commit failed and what is on disk could not be read back
}

var (
	_ settings.Store     = (*Store)(nil)
	_ settings.DryRunner = (*Store)(nil)
)

// Open opens the file, or creates it with mode 0600, migrates it to this
// version's schema and reads it. The file is locked for as long as the Store
// is open. Errors name the file and the remedy: in use by another process,
// newer than this program, damaged, not a database, not writable, another secret key.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{path: o.Path, env: o.Env, log: o.Log, editor: settings.Editor{
		Catalog: o.Catalog, Rules: o.Rules, Env: o.Env, Now: o.Now,
	}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.editor.Now == nil {
		s.editor.Now = time.Now
	}
	if o.SecretKey != nil {
		sealer, err := settings.NewSealer(o.SecretKey)
		if err != nil {
			return nil, fmt.Errorf("open settings %s: %w", o.Path, err)
		}
		s.editor.Sealer = sealer
	}
	db, err := openFile(ctx, o.Path, s.log)
	if err != nil {
		return nil, err
	}
	s.db = db
	snap, err := load(ctx, db)
	if err == nil {
		err = snap.CheckKey(s.editor.Sealer)
	}
	if err != nil {
		db.Close()
		return nil, explain("open", o.Path, err)
	}
	s.live = settings.NewLive(snap)
	return s, nil
}

// Close ends all watches and unlocks the file.
func (s *Store) Close() error {
	// A writer at work finishes first.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live.Close()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close settings %s: %w", s.path, err)
	}
	return nil
}

func (s *Store) Snapshot() *settings.Snapshot { return s.live.Snapshot() }

func (s *Store) Watch(ctx context.Context) <-chan *settings.Snapshot { return s.live.Watch(ctx) }

func (s *Store) Secret(_ context.Context, ref string) (string, error) {
	return s.live.Snapshot().Secret(ref, s.editor.Sealer, s.env)
}

func (s *Store) Do(ctx context.Context, author string, changes ...settings.Change) (*settings.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.doubt {
		if err := s.reloadLocked(ctx); err != nil {
			return nil, err
		}
	}
	edit, err := s.edit(ctx, author, changes)
	if err != nil {
		return nil, err
	}
	if edit.Empty() {
		return edit.Next, nil
	}
	// From here on the change goes through even if the caller leaves.
	ctx = context.WithoutCancel(ctx)
	if err := s.inTx(ctx, func(tx *sql.Tx) error { return write(ctx, tx, edit) }); err != nil {
		return s.settleLocked(ctx, edit.Next.Seq, err)
	}
	s.live.Publish(edit.Next)
	return edit.Next, nil
}

// DryRun is Do without writing; secrets given are sealed in vain.
func (s *Store) DryRun(ctx context.Context, author string, changes ...settings.Change) (*settings.Snapshot, error) {
	edit, err := s.edit(ctx, author, changes)
	if err != nil {
		return nil, err
	}
	return edit.Next, nil
}

func (s *Store) edit(ctx context.Context, author string, changes []settings.Change) (*settings.Edit, error) {
	past := func(sourceID string, number int64) (*settings.Revision, error) {
		list, err := s.revisions(ctx, `SELECT body FROM revisions WHERE source_id = ? AND number = ?`, sourceID, number)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("revision %d: %w", number, settings.ErrNotFound)
		}
		return &list[0], nil
	}
	return s.editor.Edit(s.live.Snapshot(), author, past, changes...)
}

// settleLocked finds out what became of a transaction that failed with cause.
// A failed COMMIT may still have reached the disk; the file alone knows.
func (s *Store) settleLocked(ctx context.Context, seq int64, cause error) (*settings.Snapshot, error) {
	s.doubt = true
	if err := s.reloadLocked(ctx); err == nil && s.live.Snapshot().Seq == seq {
		return s.live.Snapshot(), nil
	}
	return nil, explain("change", s.path, cause)
}

func (s *Store) reloadLocked(ctx context.Context) error {
	snap, err := load(ctx, s.db)
	if err != nil {
		return explain("read", s.path, err)
	}
	s.doubt = false
	s.live.Publish(snap)
	return nil
}

// maxHistory is the most revisions one call of History returns, and what a
// limit of 0 means.
const maxHistory = 1000

func (s *Store) History(ctx context.Context, sourceID string, before int64, limit int) ([]settings.Revision, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	if limit <= 0 || limit > maxHistory {
		limit = maxHistory
	}
	return s.revisions(ctx, `SELECT body FROM revisions WHERE source_id = ? AND number < ? ORDER BY number DESC LIMIT ?`,
		sourceID, before, limit)
}

func (s *Store) revisions(ctx context.Context, query string, args ...any) ([]settings.Revision, error) {
	list := []settings.Revision{}
	err := rows(ctx, s.db, query, args, func(r settings.Revision) { list = append(list, r) })
	if err != nil {
		return nil, explain("read revisions from", s.path, err)
	}
	return list, nil
}

// Purge removes for good the sources that were deleted longer than
// settings.DeletedKept ago, with their revisions and secrets, and says how many.
func (s *Store) Purge(ctx context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.editor.Now().Add(-settings.DeletedKept)
	snap := s.live.Snapshot()
	var ids []string
	for _, src := range snap.Deleted() {
		if src.DeletedAt.Before(limit) {
			ids = append(ids, src.ID)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	next := snap.Without(ids...)
	ctx = context.WithoutCancel(ctx)
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			for _, q := range []string{
				`DELETE FROM sources WHERE id = ?`,
				`DELETE FROM revisions WHERE source_id = ?`,
				`DELETE FROM secrets WHERE source_id = ?`,
			} {
				if _, err := tx.ExecContext(ctx, q, id); err != nil {
					return err
				}
			}
		}
		return setSeq(ctx, tx, next.Seq)
	})
	if err != nil {
		if _, err := s.settleLocked(ctx, next.Seq, err); err != nil {
			return 0, err
		}
	}
	s.live.Publish(next)
	s.log.Info("deleted sources purged", "count", len(ids))
	return len(ids), nil
}

// inTx runs f in a write transaction: all or nothing.
func (s *Store) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// write puts an edit into the database.
func write(ctx context.Context, tx *sql.Tx, e *settings.Edit) error {
	for _, w := range e.Workspaces {
		if err := put(ctx, tx, `INSERT INTO workspaces (id, body) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET body = ?2`, w, w.ID); err != nil {
			return err
		}
	}
	for _, src := range e.Sources {
		if err := put(ctx, tx, `INSERT INTO sources (id, body) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET body = ?2`, src, src.ID); err != nil {
			return err
		}
	}
	for _, v := range e.Sealed {
		if err := put(ctx, tx, `INSERT INTO secrets (ref, source_id, body) VALUES (?1, ?3, ?2)`, v, v.Ref, v.SourceID); err != nil {
			return err
		}
	}
	for _, r := range e.Revisions {
		if err := put(ctx, tx, `INSERT INTO revisions (source_id, number, body) VALUES (?1, ?3, ?2)`, r, r.SourceID, r.Number); err != nil {
			return err
		}
	}
	return setSeq(ctx, tx, e.Next.Seq)
}

// put runs a statement whose ?1 is id and ?2 the value as JSON.
func put(ctx context.Context, tx *sql.Tx, query string, value any, id string, more ...any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %T %s: %w", value, id, err)
	}
	_, err = tx.ExecContext(ctx, query, slices.Concat([]any{id, string(body)}, more)...)
	return err
}

func setSeq(ctx context.Context, tx *sql.Tx, seq int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE state SET seq = ?`, seq)
	return err
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// rows decodes the one JSON column of a query's rows.
func rows[T any](ctx context.Context, q querier, query string, args []any, each func(T)) error {
	rs, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		var body []byte
		if err := rs.Scan(&body); err != nil {
			return err
		}
		var v T
		if err := json.Unmarshal(body, &v); err != nil {
			return &damaged{fmt.Sprintf("a row of %T does not decode: %v", v, err)}
		}
		each(v)
	}
	return rs.Err()
}

// load reads the present state.
func load(ctx context.Context, db *sql.DB) (*settings.Snapshot, error) {
	// One transaction, so that the parts belong together.
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	var (
		seq        int64
		workspaces []*settings.Workspace
		sources    []*settings.Source
		sealed     []settings.Sealed
	)
	if err := tx.QueryRowContext(ctx, `SELECT seq FROM state`).Scan(&seq); err != nil {
		return nil, err
	}
	err = errors.Join(
		rows(ctx, tx, `SELECT body FROM workspaces ORDER BY rowid`, nil, func(w *settings.Workspace) { workspaces = append(workspaces, w) }),
		rows(ctx, tx, `SELECT body FROM sources ORDER BY rowid`, nil, func(s *settings.Source) { sources = append(sources, s) }),
		rows(ctx, tx, `SELECT body FROM secrets ORDER BY rowid`, nil, func(v settings.Sealed) { sealed = append(sealed, v) }),
	)
	if err != nil {
		return nil, err
	}
	return settings.RestoreSnapshot(seq, workspaces, sources, sealed), nil
}
