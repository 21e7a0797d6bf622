package events

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Batch is what one request carried. The zero value is ready to use, and is
// worth using again: Decode keeps its memory. Not safe for concurrent use.
type Batch struct {
	// Events are in the order sent, those to be discarded included.
	Events []Event
	// WriteKey is the body's own, else the first one an event carries; empty
	// when there is none.
	WriteKey []byte
	// Code is set when there are no events to speak of: EmptyBatch, or
	// BadRequest for a batch that is not an array.
	Code Code
	// Excess is how many events came after Limits.Events of them.
	Excess  int
	Repairs Repairs

	limits Limits
	depth  int    // of the envelope around the events
	body   []byte // the caller's, or repaired
	dec    jsontext.Decoder
	src    bytes.Buffer // what dec reads: body

	sentAt       time.Time // the envelope's
	sentText     span      // the JSON string behind it
	integrations span      // raw object of the envelope
	envContext   span      // indexes into context
	members      []member
	context      []member
	envelope     []member // the envelope's integrations, once split
	lacked       []member // what lacking gives
	scratch      []byte   // text that had to be unescaped, and ids made here
	repaired     []byte
	aside        splitter
}

// member is one name and value of an object, both as they came, as ranges of
// the body.
type member struct {
	name, value span
	field       field
	quote       bool // the value is a number to be written as a string
}

var bom = []byte("\xef\xbb\xbf")

// Decode reads one request's body, which is one event of type implied, or a
// batch envelope where implied is empty. An event's own type wins over the
// implied one. It keeps references into body: the caller must leave it alone
// as long as it uses the batch.
//
// What is wrong with a single event is in that event's Code. An error (one of
// ErrSyntax, ErrTooLarge, ErrTooDeep) means that nothing of the body is
// usable, and so is the batch.
func (b *Batch) Decode(body []byte, implied Type, limits Limits) error {
	b.limits, b.depth = limits, 0
	if implied == "" {
		b.depth = envelopeDepth
	}
	body = bytes.TrimPrefix(body, bom)
	limit := limits.Batch
	if implied != "" {
		limit = limits.Event
	}
	if len(body) > limit {
		b.reset(nil)
		return fmt.Errorf("%w: %d bytes, where at most %d are taken", ErrTooLarge, len(body), limit)
	}

	// Nearly every body is strict JSON: valid UTF-8, no name twice in an
	// object. It is read in one pass, and copied from where it lies. The
	// others are rewritten into such a body first.
	err := b.read(body, implied)
	if !errors.Is(err, ErrSyntax) {
		return err
	}
	var repairs Repairs
	b.repaired, repairs, err = repair(b.repaired[:0], body, limits.Depth+b.depth)
	if errors.Is(err, ErrTooDeep) {
		err = errTooDeep(limits.Depth) // as the sender counts
	}
	if err != nil {
		b.reset(nil)
		return err
	}
	if err := b.read(b.repaired, implied); err != nil {
		b.reset(nil)
		return err
	}
	b.Repairs.Text, b.Repairs.Duplicates = repairs.Text, repairs.Duplicates
	return nil
}

// envelopeDepth is how deep the events of an envelope lie in it: {"batch":[...]}.
const envelopeDepth = 2

func (b *Batch) reset(body []byte) {
	b.body = body
	b.src = *bytes.NewBuffer(body)
	// The zero options are RFC 7493: duplicate names and bad UTF-8 are errors.
	b.dec.Reset(&b.src)
	b.Events, b.WriteKey, b.Code, b.Excess, b.Repairs = b.Events[:0], nil, "", 0, Repairs{}
	b.members, b.context, b.scratch = b.members[:0], b.context[:0], b.scratch[:0]
	b.envelope = b.envelope[:0]
	b.sentText, b.integrations, b.envContext = span{}, span{}, span{}
}

// read decodes a body of strict JSON. Its ErrSyntax is about strict JSON.
func (b *Batch) read(body []byte, implied Type) error {
	b.reset(body)
	if k := b.dec.PeekKind(); k != '{' {
		if k == jsontext.KindInvalid {
			_, err := b.dec.ReadToken()
			return syntaxError(err)
		}
		return fmt.Errorf("%w object: send {...}", ErrSyntax)
	}
	var err error
	if implied == "" {
		err = b.readEnvelope()
	} else {
		b.Events = append(b.Events, Event{})
		err = b.readEvent(&b.Events[0], implied)
	}
	if err != nil {
		return err
	}
	switch _, err := b.dec.ReadToken(); {
	case err == nil:
		return fmt.Errorf("%w: something follows the object at byte %d", ErrSyntax, b.dec.InputOffset())
	case !errors.Is(err, io.EOF):
		return syntaxError(err)
	}
	return b.settle()
}

func (b *Batch) readEvent(e *Event, implied Type) error {
	from := uint32(len(b.members))
	if b.dec.PeekKind() != '{' {
		var err error
		e.raw, err = b.value()
		e.Code, e.MessageID = BadRequest, b.newID()
		e.members = span{from, from}
		return err
	}
	if err := b.open(); err != nil {
		return err
	}
	e.raw.lo = b.offset() - 1
	var s seen
	for b.dec.PeekKind() != '}' {
		name, err := b.name()
		if err != nil {
			return err
		}
		f := b.fieldOf(name)
		if f == fieldContext && b.dec.PeekKind() == '{' {
			e.context, err = b.readContext(e)
			if err != nil {
				return err
			}
			continue
		}
		value, err := b.value()
		if err != nil {
			return err
		}
		b.set(e, &s, member{name: name, value: value, field: f})
	}
	if err := b.close(); err != nil {
		return err
	}
	e.raw.hi = b.offset()
	e.members = span{from, uint32(len(b.members))}
	b.check(e, &s, implied)
	return nil
}

// readContext reads a context object; e is nil for the envelope's.
func (b *Batch) readContext(e *Event) (span, error) {
	from := uint32(len(b.context))
	if err := b.open(); err != nil {
		return span{}, err
	}
	for b.dec.PeekKind() != '}' {
		name, err := b.name()
		if err != nil {
			return span{}, err
		}
		value, err := b.value()
		if err != nil {
			return span{}, err
		}
		f := b.contextFieldOf(name)
		b.context = append(b.context, member{name: name, value: value, field: f})
		if e == nil || f == fieldOther {
			continue
		}
		switch kind := b.kind(value); {
		case f == fieldUserAgent && kind == '"':
			e.UserAgent = b.text(value)
		case f == fieldDirect:
			e.direct = kind == 't'
		case f == fieldConsent:
			e.consent = value
		}
	}
	return span{from, uint32(len(b.context))}, b.close()
}

// The reads below are the only ones. The ranges they give stay valid, because
// they are of our body and not of the decoder's buffer.

// open and close read the brackets of an object or array.
func (b *Batch) open() error { return b.close() }

func (b *Batch) close() error {
	if _, err := b.dec.ReadToken(); err != nil {
		return syntaxError(err)
	}
	return nil
}

func (b *Batch) offset() uint32 { return uint32(b.dec.InputOffset()) }

func (b *Batch) name() (span, error) {
	v, err := b.dec.ReadValue()
	if err != nil {
		return span{}, syntaxError(err)
	}
	end := b.offset()
	return span{end - uint32(len(v)), end}, nil
}

func (b *Batch) value() (span, error) {
	v, err := b.dec.ReadValue()
	if err != nil {
		return span{}, syntaxError(err)
	}
	if tooDeep(v, b.limits.Depth+b.depth-b.dec.StackDepth()) {
		return span{}, errTooDeep(b.limits.Depth)
	}
	end := b.offset()
	return span{end - uint32(len(v)), end}, nil
}

// syntaxError tells a sender where JSON ends to be JSON, and no more: what
// lies there is his, and is not sent back.
func syntaxError(err error) error {
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		return fmt.Errorf("%w, from byte %d on", ErrSyntax, s.ByteOffset)
	}
	return fmt.Errorf("%w: it ends too early", ErrSyntax)
}

func (b *Batch) bytes(s span) []byte { return b.body[s.lo:s.hi] }

// kind is the first byte of a value: { [ " t f n, or part of a number.
func (b *Batch) kind(s span) byte { return b.body[s.lo] }

// text is a JSON string unescaped: mostly a slice of the body.
func (b *Batch) text(s span) []byte {
	raw := b.bytes(s)
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	from := len(b.scratch)
	// When scratch moves, texts given out before keep the old memory.
	b.scratch, _ = jsontext.AppendUnquote(b.scratch, raw)
	return b.scratch[from:len(b.scratch):len(b.scratch)]
}

// time reads a timestamp, and counts one that cannot be read.
func (b *Batch) time(s span) (time.Time, bool) {
	switch b.kind(s) {
	case 'n':
		return time.Time{}, false
	case '"':
		if t, ok := parseTime(b.text(s)); ok {
			return t, true
		}
	}
	b.Repairs.Times++
	return time.Time{}, false
}

// newID makes a messageId: a random (version 4) UUID. It needs to be unique,
// not secret.
func (b *Batch) newID() []byte {
	var id [16]byte
	hi, lo := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		id[i], id[8+i] = byte(hi>>(8*i)), byte(lo>>(8*i))
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	from := len(b.scratch)
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b.scratch = append(b.scratch, '-')
		}
		b.scratch = hex.AppendEncode(b.scratch, part)
	}
	return b.scratch[from:len(b.scratch):len(b.scratch)]
}
