package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/tagmill/tagmill/events/eventlog"
)

// A block is one value in Pebble. All integers are little-endian.
//
//	 0  u8   version, 1
//	 1  u8   codec of the payload: 0 as it is, 1 s2
//	 2  u8   what it holds: 1 records, 2 cursors
//	 3  u8   0
//	 4  u32  count of records (or cursors)
//	 8  i64  base: offset of the first record (of the next one, in a block of cursors)
//	16  i64  append time, microseconds since 1970
//	24  i64  base of the newest block of cursors written before this one, -1 when none
//	32  u32  size of the payload once decoded
//	36  u32  CRC-32C of bytes 0 to 35 and the payload as stored
//	40       payload
//
// A record in the payload:
//
//	u8      kind
//	u64     key
//	varint  received at, microseconds after the block's append time (mostly negative)
//	uvarint size, then bytes: write key
//	uvarint size, then bytes: message id
//	uvarint size, then bytes: value
//
// A cursor in the payload: uvarint size, name; uvarint offset. Names rise.
const (
	blockVersion = 1
	headerSize   = 40

	codecNone = 0
	codecS2   = 1

	holdsRecords = 1
	holdsCursors = 2

	// maxBlockPayload bounds what a damaged size can make a reader allocate. A
	// group is closed at maxGroupBytes; one record may lie over that.
	maxBlockPayload = maxGroupBytes + recordOverhead + eventlog.MaxValueBytes + 2*eventlog.MaxKeyBytes
	// recordOverhead is the most a record takes beside its three byte strings.
	recordOverhead = 1 + 8 + binary.MaxVarintLen64 + 3*binary.MaxVarintLen32
	// compressFrom is the smallest payload worth compressing: below it s2
	// saves little and a log of single events is bound by its flushes.
	compressFrom = 512
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged marks a block whose bytes are not what was written.
var errDamaged = errors.New("block is damaged")

// header is a block's first 40 bytes.
type header struct {
	codec      uint8
	holds      uint8
	count      uint32
	base       int64
	appendTime int64 // microseconds
	cursorsAt  int64
	rawSize    uint32
	stored     int // bytes of the whole block; set by openBlock
}

// next is the offset after the block's last record.
func (h header) next() int64 {
	if h.holds == holdsRecords {
		return h.base + int64(h.count)
	}
	return h.base
}

// appendBlock appends the block to dst. The codec and rawSize of h are set
// here, from raw, the payload before compression. scratch is used for
// compression if it is large enough; the returned scratch is to be passed next time.
func appendBlock(dst []byte, h header, raw, scratch []byte) (block, newScratch []byte) {
	payload := raw
	h.codec, h.rawSize = codecNone, uint32(len(raw))
	if len(raw) >= compressFrom {
		if need := s2.MaxEncodedLen(len(raw)); cap(scratch) < need {
			scratch = make([]byte, need)
		}
		packed := s2.Encode(scratch[:cap(scratch)], raw)
		// Unpacking costs every reader: not for less than an eighth.
		if len(packed) < len(raw)-len(raw)/8 {
			payload, h.codec = packed, codecS2
		}
	}
	start := len(dst)
	dst = append(dst, blockVersion, h.codec, h.holds, 0)
	dst = binary.LittleEndian.AppendUint32(dst, h.count)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.base))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.appendTime))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.cursorsAt))
	dst = binary.LittleEndian.AppendUint32(dst, h.rawSize)
	sum := crc32.Update(0, castagnoli, dst[start:])
	sum = crc32.Update(sum, castagnoli, payload)
	dst = binary.LittleEndian.AppendUint32(dst, sum)
	return append(dst, payload...), scratch
}

// openBlock checks a block and returns its header and its payload as stored,
// which lies within b.
func openBlock(b []byte) (header, []byte, error) {
	if len(b) < headerSize {
		return header{}, nil, fmt.Errorf("%w: %d bytes are less than a header", errDamaged, len(b))
	}
	// The version comes before the checksum, so that a newer format is not
	// taken for damage.
	if b[0] != blockVersion {
		return header{}, nil, fmt.Errorf("block has version %d, this tagmill reads version %d: use the tagmill that wrote it", b[0], blockVersion)
	}
	sum := crc32.Update(0, castagnoli, b[:36])
	sum = crc32.Update(sum, castagnoli, b[headerSize:])
	if stored := binary.LittleEndian.Uint32(b[36:]); sum != stored {
		return header{}, nil, fmt.Errorf("%w: checksum %08x, stored %08x", errDamaged, sum, stored)
	}
	h := header{
		codec:      b[1],
		holds:      b[2],
		count:      binary.LittleEndian.Uint32(b[4:]),
		base:       int64(binary.LittleEndian.Uint64(b[8:])),
		appendTime: int64(binary.LittleEndian.Uint64(b[16:])),
		cursorsAt:  int64(binary.LittleEndian.Uint64(b[24:])),
		rawSize:    binary.LittleEndian.Uint32(b[32:]),
		stored:     len(b),
	}
	if h.base < 0 || h.base > math.MaxInt64-int64(h.count) || (h.holds != holdsRecords && h.holds != holdsCursors) {
		return header{}, nil, fmt.Errorf("%w: impossible header", errDamaged)
	}
	return h, b[headerSize:], nil
}

// unpack returns the decoded payload in memory of its own.
func (h header) unpack(payload []byte) ([]byte, error) {
	if h.rawSize > maxBlockPayload {
		return nil, fmt.Errorf("%w: payload of %d bytes, at most %d are written", errDamaged, h.rawSize, maxBlockPayload)
	}
	switch h.codec {
	case codecNone:
		if len(payload) != int(h.rawSize) {
			return nil, fmt.Errorf("%w: payload of %d bytes, header says %d", errDamaged, len(payload), h.rawSize)
		}
		return slices.Clone(payload), nil
	case codecS2:
		n, err := s2.DecodedLen(payload)
		if err != nil || n != int(h.rawSize) {
			return nil, fmt.Errorf("%w: packed payload does not unpack to %d bytes", errDamaged, h.rawSize)
		}
		raw, err := s2.Decode(make([]byte, n), payload)
		if err != nil {
			return nil, fmt.Errorf("%w: unpack: %w", errDamaged, err)
		}
		return raw, nil
	}
	return nil, fmt.Errorf("%w: unknown codec %d", errDamaged, h.codec)
}

// appendRecord appends one record to a payload. base is the block's append time.
func appendRecord(dst []byte, r *eventlog.Record, base int64) []byte {
	dst = append(dst, byte(r.Kind))
	dst = binary.LittleEndian.AppendUint64(dst, r.Key)
	dst = binary.AppendVarint(dst, r.ReceivedAt.UnixMicro()-base)
	dst = appendBytes(dst, r.WriteKey)
	dst = appendBytes(dst, r.MessageID)
	return appendBytes(dst, r.Value)
}

// recordSize is at least what appendRecord appends.
func recordSize(r *eventlog.Record) int {
	return recordOverhead + len(r.WriteKey) + len(r.MessageID) + len(r.Value)
}

func appendBytes[T ~string | ~[]byte](dst []byte, s T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// decodeRecords appends the block's records from offset from on, at most max,
// to dst. The records' values lie within raw.
func decodeRecords(dst []eventlog.Record, h header, raw []byte, from int64, max int) ([]eventlog.Record, error) {
	d := decoder{b: raw}
	at := time.UnixMicro(h.appendTime).UTC()
	var writeKey string
	for i := range int64(h.count) {
		kind := d.byte()
		key := d.uint64()
		received := d.varint()
		wk, id, value := d.bytes(), d.bytes(), d.bytes()
		if d.bad {
			return dst, fmt.Errorf("%w: record %d of %d does not decode", errDamaged, i, h.count)
		}
		if h.base+i < from {
			continue
		}
		if max == 0 {
			return dst, nil
		}
		max--
		// Neighbours mostly share the write key: one string for all of them.
		if string(wk) != writeKey {
			writeKey = string(wk)
		}
		dst = append(dst, eventlog.Record{
			Kind:       eventlog.Kind(kind),
			Key:        key,
			WriteKey:   writeKey,
			MessageID:  string(id),
			ReceivedAt: time.UnixMicro(h.appendTime + received).UTC(),
			Value:      value,
			Offset:     h.base + i,
			AppendTime: at,
		})
	}
	if len(d.b) != 0 {
		return dst, fmt.Errorf("%w: %d bytes after the last record", errDamaged, len(d.b))
	}
	return dst, nil
}

// appendCursors appends the payload of a block of cursors.
func appendCursors(dst []byte, cursors map[string]int64) []byte {
	for _, name := range slices.Sorted(maps.Keys(cursors)) {
		dst = appendBytes(dst, name)
		dst = binary.AppendUvarint(dst, uint64(cursors[name]))
	}
	return dst
}

func decodeCursors(h header, raw []byte) (map[string]int64, error) {
	d := decoder{b: raw}
	out := make(map[string]int64)
	for i := range h.count {
		name := string(d.bytes())
		at := int64(d.uvarint())
		if d.bad || at < 0 {
			return nil, fmt.Errorf("%w: cursor %d of %d does not decode", errDamaged, i, h.count)
		}
		out[name] = at
	}
	if len(d.b) != 0 {
		return nil, fmt.Errorf("%w: %d bytes after the last cursor", errDamaged, len(d.b))
	}
	return out, nil
}

// decoder reads from the front of b; bad is set, for good, by the first thing
// that is not there.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.take(uint64(n))
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.take(uint64(n))
	return v
}

func (d *decoder) bytes() []byte { return d.take(d.uvarint()) }
