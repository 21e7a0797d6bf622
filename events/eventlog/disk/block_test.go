package disk

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

// blockOf returns a block of records at an offset.
func blockOf(base int64, records []eventlog.Record) []byte {
	const at = 1_700_000_000_000_000
	var raw []byte
	for i := range records {
		raw = appendRecord(raw, &records[i], at)
	}
	h := header{holds: holdsRecords, count: uint32(len(records)), base: base, appendTime: at, cursorsAt: -1}
	b, _ := appendBlock(nil, h, raw, nil)
	return b
}

func decodeBlock(b []byte) (header, []eventlog.Record, error) {
	h, payload, err := openBlock(b)
	if err != nil {
		return h, nil, err
	}
	raw, err := h.unpack(payload)
	if err != nil {
		return h, nil, err
	}
	records, err := decodeRecords(nil, h, raw, h.base, int(h.count))
	return h, records, err
}

func TestBlockRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := logtest.Records(rapid.IntRange(0, 1000).Draw(t, "from"), rapid.IntRange(0, 60).Draw(t, "n"))
		for i := range want {
			if rapid.Bool().Draw(t, "own value") {
				want[i].Value = rapid.SliceOf(rapid.Byte()).Draw(t, "value")
				want[i].WriteKey = rapid.String().Draw(t, "write key")
			}
		}
		base := rapid.Int64Range(0, 1<<60).Draw(t, "base")
		h, got, err := decodeBlock(blockOf(base, want))
		if err != nil || h.next() != base+int64(len(want)) || len(got) != len(want) {
			t.Fatalf("%d records, next %d: %v", len(got), h.next(), err)
		}
		for i := range got {
			if err := logtest.Same(got[i], want[i]); err != nil || got[i].Offset != base+int64(i) {
				t.Fatalf("offset %d: %v", got[i].Offset, err)
			}
		}
	})
}

// A block is whole or refused: cut at every byte, with every bit flipped, and
// with bytes after its end.
func TestDamagedBlockIsRefused(t *testing.T) {
	for _, n := range []int{0, 1, 2, 40} { // 40 are compressed
		b := blockOf(7, logtest.Records(0, n))
		for cut := range b {
			if _, _, err := openBlock(b[:cut]); err == nil {
				t.Fatalf("%d records, cut at byte %d of %d, was accepted", n, cut, len(b))
			}
		}
		for i := range b {
			for bit := range 8 {
				bad := bytes.Clone(b)
				bad[i] ^= 1 << bit
				if _, _, err := openBlock(bad); err == nil {
					t.Fatalf("%d records, bit %d of byte %d flipped, was accepted", n, bit, i)
				}
			}
		}
		if _, _, err := openBlock(append(bytes.Clone(b), 0)); err == nil {
			t.Fatalf("%d records and one byte more were accepted", n)
		}
	}
}

func TestNewerBlockIsNotCalledDamaged(t *testing.T) {
	b := blockOf(7, logtest.Records(0, 1))
	b[0] = blockVersion + 1
	_, _, err := openBlock(b)
	if err == nil || bytes.Contains([]byte(err.Error()), []byte("damaged")) {
		t.Fatalf("got %v", err)
	}
}

func TestEventsAreCompressed(t *testing.T) {
	records := realistic(256)
	raw := 0
	for i := range records {
		raw += recordSize(&records[i])
	}
	b := blockOf(0, records)
	t.Logf("%d bytes of records in a block of %d", raw, len(b))
	if len(b) > raw*3/4 {
		t.Fatalf("a block of 256 events takes %d of %d bytes", len(b), raw)
	}
	random := logtest.Record(0)
	random.Value = noise(rand.New(rand.NewPCG(1, 1)), 10_000)
	if h, _, err := openBlock(blockOf(0, []eventlog.Record{random})); err != nil || h.codec != codecNone {
		t.Fatalf("noise was stored with codec %d, %v", h.codec, err)
	}
}

// FuzzBlock gives the decoders bytes that pass no checksum as well, by fixing
// the checksum up: they must not panic, nor make more of it than there is.
func FuzzBlock(f *testing.F) {
	for _, n := range []int{0, 1, 40} {
		b := blockOf(7, logtest.Records(0, n))
		f.Add(b[:headerSize], b[headerSize:])
	}
	cursors := map[string]int64{"archive": 5, "delivery": 9}
	h := header{holds: holdsCursors, count: 2, base: 9, cursorsAt: -1}
	b, _ := appendBlock(nil, h, appendCursors(nil, cursors), nil)
	f.Add(b[:headerSize], b[headerSize:])
	f.Fuzz(func(t *testing.T, head, payload []byte) {
		openBlock(head) // any bytes at all
		h := header{
			codec: at(head, 1), holds: at(head, 2), count: uint32(at(head, 4)) | uint32(at(head, 5))<<8,
			base: int64(at(head, 8)), rawSize: uint32(at(head, 32)) | uint32(at(head, 33))<<8,
		}
		raw, err := h.unpack(payload)
		if err != nil {
			return
		}
		if len(raw) != int(h.rawSize) {
			t.Fatalf("unpacked %d bytes, header says %d", len(raw), h.rawSize)
		}
		records, err := decodeRecords(nil, h, raw, h.base, int(h.count))
		if err == nil && len(records) != int(h.count) {
			t.Fatalf("%d records of %d", len(records), h.count)
		}
		total := 0
		for _, r := range records {
			total += len(r.Value) + len(r.WriteKey) + len(r.MessageID)
		}
		if total > len(raw) {
			t.Fatalf("%d bytes of records from %d", total, len(raw))
		}
		if got, err := decodeCursors(h, raw); err == nil && len(got) > int(h.count) {
			t.Fatalf("%d cursors of %d", len(got), h.count)
		}
	})
}

func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}
