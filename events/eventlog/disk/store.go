package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/tagmill/tagmill/events/eventlog"
)

// store is the Pebble database in a directory, with the lock on it.
type store struct {
	dir  string
	id   string
	db   *pebble.DB
	lock *pebble.Lock
}

// A key is the base offset of its block, big-endian so that keys sort as
// offsets do, and one byte: 0 for a block of cursors, which therefore lies
// before the records that begin at the same offset, 1 for records.
//
// Cursors lie among the records, not under keys of their own, so that the key
// ranges of any two of Pebble's tables are disjoint. If they were not, every
// compaction would rewrite every record.
const keySize = 9

func key(base int64, holds uint8) [keySize]byte {
	var k [keySize]byte
	binary.BigEndian.PutUint64(k[:], uint64(base))
	if holds == holdsRecords {
		k[8] = 1
	}
	return k
}

func baseOf(k []byte) int64 { return int64(binary.BigEndian.Uint64(k)) }

// openStore opens or creates the database. fail is called when Pebble cannot go on.
func openStore(opts Options, fail func(error)) (*store, error) {
	if err := makeDir(opts.FS, opts.Dir); err != nil {
		return nil, fmt.Errorf("open event log: create %s: %w", opts.Dir, err)
	}
	s, err := lockStore(opts)
	if err != nil {
		return nil, err
	}
	s.id, err = readIdentity(opts.FS, opts.Dir, true)
	if err == nil {
		err = roomToOpen(opts)
	}
	if err == nil {
		s.db, err = openPebble(opts, s.lock, fail, false)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open event log in %s: %w", opts.Dir, err), s.lock.Close())
	}
	return s, nil
}

// openStoreReadOnly opens a stopped server's log and changes nothing in it.
func openStoreReadOnly(opts Options) (*store, error) {
	if _, err := opts.FS.Stat(opts.Dir); err != nil {
		return nil, fmt.Errorf("open event log: %w: is this the data folder?", err)
	}
	id, err := readIdentity(opts.FS, opts.Dir, false)
	if err != nil {
		return nil, fmt.Errorf("open event log in %s: %w", opts.Dir, err)
	}
	s, err := lockStore(opts)
	if err != nil {
		return nil, err
	}
	s.id = id
	if s.db, err = openPebble(opts, s.lock, func(error) {}, true); err != nil {
		return nil, errors.Join(fmt.Errorf("open event log in %s: %w", opts.Dir, err), s.lock.Close())
	}
	return s, nil
}

func lockStore(opts Options) (*store, error) {
	lock, err := pebble.LockDirectory(opts.Dir, opts.FS)
	switch {
	case err == nil:
		return &store{dir: opts.Dir, lock: lock}, nil
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || err.Error() == "lock held by current process":
		return nil, fmt.Errorf("open event log: %s is in use by another process (or not writable): stop that one, or choose another data folder: %w", opts.Dir, err)
	}
	return nil, fmt.Errorf("open event log: lock %s: %w", opts.Dir, err)
}

func openPebble(opts Options, lock *pebble.Lock, fail func(error), readOnly bool) (*pebble.DB, error) {
	cache := pebble.NewCache(4 << 20) // readers go through once: there is nothing to cache but the tail, which is in memory
	defer cache.Unref()
	o := &pebble.Options{
		FS:    opts.FS,
		Lock:  lock,
		Cache: cache,
		// WAL sync chunks tell a damaged middle from an unfinished end.
		FormatMajorVersion: pebble.FormatTableFormatV6,
		ReadOnly:           readOnly,
		ErrorIfNotExists:   readOnly,
		// Large and few: every record is flushed to a table once.
		MemTableSize:                opts.memTableBytes,
		MemTableStopWritesThreshold: 4,
		// Blocks are read in order and never by a key that is not there, so
		// statistics would be gathered for nobody.
		DisableTableStats: true,
		Logger:            pebbleLogger{opts.Logger, fail},
		EventListener: &pebble.EventListener{
			BackgroundError: background(opts),
			// A reader gets the error as well. New records are not affected.
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				opts.Logger.Error("event log is damaged: run `tagmill log verify` on the stopped server", "path", info.Path, "err", info.Details)
			},
		},
	}
	for i := range o.Levels {
		// Blocks are compressed by us, once, before they reach the WAL.
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		o.Levels[i].BlockSize = 32 << 10
		o.TargetFileSizes[i] = int64(opts.memTableBytes)
	}
	existed, err := pebble.Peek(opts.Dir, opts.FS)
	if err != nil {
		return nil, damaged(err)
	}
	db, err := pebble.Open(opts.Dir, o)
	if err != nil {
		return nil, damaged(err)
	}
	if !existed.Exists {
		// Pebble begins a new database's first write-ahead log before it
		// reaches the format above, so without sync chunks. A flush, though
		// of nothing, begins the next.
		if err := db.Flush(); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// roomToOpen refuses a disk that is too full to open the log on. Pebble moves
// what is in write-ahead logs to tables before it is open, and would try that
// for ever, as fast as it can, where there is no room for it.
func roomToOpen(opts Options) error {
	free, ok := freeSpace(opts.FS, opts.Dir)
	if !ok {
		return nil
	}
	names, err := opts.FS.List(opts.Dir)
	if err != nil {
		return err
	}
	need := int64(16 << 20) // a manifest, a new write-ahead log, what a file system takes for itself
	for _, name := range names {
		if info, err := opts.FS.Stat(opts.FS.PathJoin(opts.Dir, name)); err == nil && strings.HasSuffix(name, ".log") {
			need += info.Size()
		}
	}
	if free < need {
		return fmt.Errorf("the disk is full: %d MB are free and opening needs %d MB: free some space", free>>20, need>>20+1)
	}
	return nil
}

// background logs what Pebble will try again, which it does at once and again:
// one line every ten seconds.
func background(opts Options) func(error) {
	var last atomic.Int64
	return func(err error) {
		// Pebble tries again at once, which on a full disk is a busy loop. It
		// calls this with its lock held, so the pause is short.
		time.Sleep(retryPause)
		now, before := opts.Now().Unix(), last.Load()
		if now-before >= 10 && last.CompareAndSwap(before, now) {
			// As text: the error itself would print a stack.
			opts.Logger.Warn("event log: work in the background fails and is tried again; see that the disk is sound and has space", "dir", opts.Dir, "err", err.Error())
		}
	}
}

// damaged says what to do about an error of Pebble's that means lost bytes; it
// returns others as they are.
func damaged(err error) error {
	if err == nil || !pebble.IsCorruptionError(err) {
		return err
	}
	return fmt.Errorf("the log is damaged; `tagmill log verify` says more, a copy of the folder may be restored: %w", err)
}

const (
	retryPause    = 100 * time.Millisecond // between attempts of Pebble's background work
	flushPatience = 5 * time.Second        // for the flush before a close
)

// flush moves everything to tables. After it, damage to the stopped log cannot
// be mistaken for an unfinished write, as it can at the end of a write-ahead log.
// It gives up where the disk does not let it, and when failed is closed.
func (s *store) flush(failed <-chan struct{}) error {
	done := make(chan error, 1)
	// Ends with the flush, or is ended by Pebble's fatal error; on a full disk
	// the flush is tried until the database closes.
	go func() { done <- s.db.Flush() }()
	select {
	case err := <-done:
		return err
	case <-failed:
		return errors.New("the log has failed")
	case <-time.After(flushPatience):
		return fmt.Errorf("not done after %v: is the disk full?", flushPatience)
	}
}

func (s *store) close() error { return errors.Join(s.db.Close(), s.lock.Close()) }

// extent is where a log begins and ends.
type extent struct {
	oldest, end int64
	lastAppend  int64 // append time of the newest block, microseconds
	cursors     map[string]int64
	cursorsAt   int64
}

// extent reads the log's first and last key and the newest block of cursors.
func (s *store) extent() (extent, error) {
	e := extent{cursorsAt: -1, cursors: map[string]int64{}}
	it, err := s.db.NewIter(nil)
	if err != nil {
		return extent{}, err
	}
	defer it.Close()
	if !it.First() {
		return e, damaged(it.Error())
	}
	e.oldest = baseOf(it.Key())
	if !it.Last() {
		return extent{}, errors.Join(errors.New("the last block is missing"), damaged(it.Error()))
	}
	h, payload, err := readBlock(it)
	if err != nil {
		return extent{}, err
	}
	e.end, e.lastAppend = h.next(), h.appendTime
	if h.holds == holdsRecords {
		if h.cursorsAt < 0 {
			return e, nil
		}
		k := key(h.cursorsAt, holdsCursors)
		if !it.SeekGE(k[:]) || baseOf(it.Key()) != h.cursorsAt {
			return extent{}, errors.Join(fmt.Errorf("cursors written at %d are missing: run `tagmill log verify`", h.cursorsAt), it.Error())
		}
		if h, payload, err = readBlock(it); err != nil {
			return extent{}, err
		}
	}
	raw, err := h.unpack(payload)
	if err == nil {
		e.cursors, err = decodeCursors(h, raw)
	}
	if err != nil {
		return extent{}, fmt.Errorf("cursors at %d: %w", h.base, err)
	}
	e.cursorsAt = h.base
	return e, nil
}

// readBlock checks the block under the iterator. The payload is valid until the
// iterator moves.
func readBlock(it *pebble.Iterator) (header, []byte, error) {
	k := it.Key()
	if len(k) != keySize {
		return header{}, nil, fmt.Errorf("%w: key %x has %d bytes", errDamaged, k, len(k))
	}
	base := baseOf(k)
	v, err := it.ValueAndErr()
	if err != nil {
		return header{}, nil, fmt.Errorf("read block at offset %d: %w", base, damaged(err))
	}
	h, payload, err := openBlock(v)
	if err != nil {
		return header{}, nil, fmt.Errorf("block at offset %d: %w: run `tagmill log verify` on the stopped server", base, err)
	}
	if want := key(h.base, h.holds); string(want[:]) != string(k) {
		return header{}, nil, fmt.Errorf("%w: block under key %x says it is at offset %d", errDamaged, k, h.base)
	}
	return h, payload, nil
}

// blockAt moves the iterator to the block of records that holds an offset
// which the log keeps. ErrTrimmed when there is none.
func blockAt(it *pebble.Iterator, offset int64) (header, []byte, error) {
	after := key(offset+1, holdsCursors)
	if !it.SeekLT(after[:]) {
		if err := it.Error(); err != nil {
			return header{}, nil, fmt.Errorf("seek offset %d: %w", offset, damaged(err))
		}
		return header{}, nil, eventlog.ErrTrimmed
	}
	h, payload, err := readBlock(it)
	if err != nil {
		return header{}, nil, err
	}
	if h.holds != holdsRecords || h.next() <= offset {
		return header{}, nil, eventlog.ErrTrimmed
	}
	return h, payload, nil
}
