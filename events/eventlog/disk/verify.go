package disk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tagmill/tagmill/events/eventlog"
)

// Report is what Verify found.
type Report struct {
	Dir         string           `json:"dir"`
	LogID       string           `json:"log"`
	Blocks      int64            `json:"blocks"`
	Records     int64            `json:"records"`
	Oldest      int64            `json:"oldestOffset"`
	Next        int64            `json:"nextOffset"` // offset of the record that would come next
	OldestTime  time.Time        `json:"oldestAppendTime,omitzero"`
	NewestTime  time.Time        `json:"newestAppendTime,omitzero"`
	StoredBytes int64            `json:"storedBytes"` // of blocks, as stored
	Cursors     map[string]int64 `json:"cursors"`     // next offset by name
	Damage      []string         `json:"damage"`      // one sentence each, at most maxDamage; empty: the log is whole
}

// OK says whether the log is whole.
func (r Report) OK() bool { return len(r.Damage) == 0 }

// maxDamage bounds a report on a log that is damaged throughout.
const maxDamage = 100

func (r *Report) damage(format string, args ...any) {
	if len(r.Damage) < maxDamage {
		r.Damage = append(r.Damage, fmt.Sprintf(format, args...))
	}
}

// Verify reads a stopped server's whole log and changes nothing in it. What is
// wrong with the content is in the report; the error says why it could not be
// looked at, for example because the server runs. opts needs Dir only.
//
// It checks every checksum (Pebble's and the blocks'), that offsets follow each
// other without a gap, that append times do not fall, that every record decodes
// and that no cursor lies after the end. An unfinished last write, which was
// never acknowledged, is not damage.
func Verify(ctx context.Context, opts Options) (Report, error) {
	r := Report{Dir: opts.Dir, Cursors: map[string]int64{}, Damage: []string{}}
	opts = opts.withDefaults()
	st, err := openStoreReadOnly(opts)
	if pebble.IsCorruptionError(err) {
		r.damage("%v", err)
		return r, nil
	}
	if err != nil {
		return r, err
	}
	r.LogID = st.id
	first := true
	var clock int64
	err = st.scan(ctx, func(base int64, h header, raw []byte, err error) error {
		if err != nil {
			r.damage("%v", err)
			return nil
		}
		if h.holds == holdsCursors {
			if cursors, err := decodeCursors(h, raw); err != nil {
				r.damage("cursors at offset %d: %v", base, err)
			} else {
				r.Cursors = cursors
			}
		}
		r.Blocks++
		r.StoredBytes += int64(h.stored)
		switch {
		case first:
			r.Oldest = h.base
		case h.base > r.Next:
			r.damage("records from offset %d to %d are missing", r.Next, h.base-1)
		case h.base < r.Next:
			r.damage("block at offset %d begins before the end of the one before it, %d", h.base, r.Next)
		}
		if h.appendTime < clock {
			r.damage("append time falls at offset %d", h.base)
		}
		r.Next, clock, first = h.next(), h.appendTime, false
		if h.holds != holdsRecords {
			return nil
		}
		if _, err := decodeRecords(nil, h, raw, h.base, int(h.count)); err != nil {
			r.damage("block at offset %d: %v", h.base, err)
		}
		if r.OldestTime.IsZero() {
			r.OldestTime = time.UnixMicro(h.appendTime).UTC()
		}
		r.NewestTime = time.UnixMicro(h.appendTime).UTC()
		r.Records += int64(h.count)
		return nil
	})
	for name, at := range r.Cursors {
		if at > r.Next {
			r.damage("cursor %q is at offset %d, after the log's end, %d", name, at, r.Next)
		}
	}
	return r, errors.Join(err, st.close())
}

// Scan hands every record of a stopped server's log to each, oldest first, and
// changes nothing. It stops at the first error of each and at damage; records
// may be kept. opts needs Dir only.
func Scan(ctx context.Context, opts Options, each func(eventlog.Record) error) error {
	st, err := openStoreReadOnly(opts.withDefaults())
	if err != nil {
		return err
	}
	err = st.scan(ctx, func(base int64, h header, raw []byte, err error) error {
		if err != nil || h.holds != holdsRecords {
			return err
		}
		records, err := decodeRecords(nil, h, raw, h.base, int(h.count))
		if err != nil {
			return fmt.Errorf("block at offset %d: %w", h.base, err)
		}
		for _, r := range records {
			if err := each(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("read event log in %s: %w", opts.Dir, err)
	}
	return errors.Join(err, st.close())
}

// Dump writes every record of a stopped server's log as one line of JSON:
//
//	{"partition":0,"offset":17,"kind":"event","writeKey":"...","messageId":"...",
//	 "receivedAt":"...","appendTime":"...","value":{...}}
//
// A value that is not JSON is under "valueBase64" instead.
func Dump(ctx context.Context, opts Options, w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return Scan(ctx, opts, func(r eventlog.Record) error {
		line := dumpLine{
			Partition: r.Partition, Offset: r.Offset, Kind: r.Kind.String(), WriteKey: r.WriteKey, MessageID: r.MessageID,
			ReceivedAt: r.ReceivedAt, AppendTime: r.AppendTime,
		}
		if json.Valid(r.Value) {
			line.Value = r.Value
		} else {
			line.Base64 = r.Value
		}
		return enc.Encode(line)
	})
}

type dumpLine struct {
	Partition  int32           `json:"partition"`
	Offset     int64           `json:"offset"`
	Kind       string          `json:"kind"`
	WriteKey   string          `json:"writeKey"`
	MessageID  string          `json:"messageId"`
	ReceivedAt time.Time       `json:"receivedAt"`
	AppendTime time.Time       `json:"appendTime"`
	Value      json.RawMessage `json:"value,omitempty"`
	Base64     []byte          `json:"valueBase64,omitempty"`
}

// scan visits every block in order, with its payload decoded. A block that
// cannot be read is visited with an error, which ends the scan if visit returns it.
func (s *store) scan(ctx context.Context, visit func(base int64, h header, raw []byte, err error) error) error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		base := int64(-1)
		if len(it.Key()) == keySize {
			base = baseOf(it.Key())
		}
		h, payload, err := readBlock(it)
		var raw []byte
		if err == nil {
			if raw, err = h.unpack(payload); err != nil {
				err = fmt.Errorf("block at offset %d: %w", base, err)
			}
		}
		if err := visit(base, h, raw, err); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return visit(-1, header{}, nil, fmt.Errorf("a table of Pebble's cannot be read further: %w", err))
	}
	return nil
}
