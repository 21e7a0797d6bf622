// Package events owns what an event is: it decodes the bodies that Segment's
// clients send, checks them against limits and rules, and encodes each event
// in one canonical form, a single line of JSON. It knows nothing of HTTP,
// sources, logs or destinations.
package events

import (
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Type is one of the six calls that make an event.
type Type string

// The six types.
const (
	Track    Type = "track"
	Page     Type = "page"
	Screen   Type = "screen"
	Identify Type = "identify"
	Group    Type = "group"
	Alias    Type = "alias"
)

// ParseType returns the type of that exact name, or "" when there is none.
func ParseType(name []byte) Type {
	switch string(name) { // compiled without copying name
	case "track":
		return Track
	case "page":
		return Page
	case "screen":
		return Screen
	case "identify":
		return Identify
	case "group":
		return Group
	case "alias":
		return Alias
	}
	return ""
}

// Limits bound what Decode accepts. They count bytes after unzipping. Bodies
// and events of exactly the limit are accepted.
type Limits struct {
	Event  int // bytes of one event; the whole body where it is one event
	Batch  int // bytes of a batch body
	Events int // events in one batch
	Depth  int // nesting of objects and arrays, an event itself being 1
}

// DefaultLimits are Segment's, and a depth no client in the wild comes near.
var DefaultLimits = Limits{Event: 32 << 10, Batch: 500 << 10, Events: 2500, Depth: 64}

// MaxMessageID is the most bytes a messageId may have.
const MaxMessageID = 100

// Errors of Decode: the body as a whole is refused. Test with errors.Is; the
// text of the error given is fit for the sender, never holds input, and says
// what would be right.
var (
	ErrSyntax   = errors.New("body is not valid JSON")
	ErrTooLarge = errors.New("body is too large")
	ErrTooDeep  = errors.New("body is nested too deeply")
)

// Repairs counts what Decode put right rather than refuse.
type Repairs struct {
	Text       int // strings in which bad UTF-8 or lone surrogates became U+FFFD
	Duplicates int // object members dropped because a later one has the same name
	IDs        int // ids sent as numbers, written as strings
	Times      int // timestamps that could not be read, left out
}

// Event is one event of a Batch. Its byte slices are text, unescaped, owned by
// the batch and valid until its next Decode; an absent field is empty.
type Event struct {
	Type        Type
	MessageID   []byte // the client's, or made here: never empty
	AnonymousID []byte
	UserID      []byte
	GroupID     []byte
	PreviousID  []byte
	Name        []byte // what was done (track), else the page's or screen's name
	WriteKey    []byte // the event's own; the envelope's is Batch.WriteKey
	UserAgent   []byte // context.userAgent

	// Code says why the event is to be discarded; empty for a good event.
	Code Code

	original time.Time // when the client says it happened; zero when it does not say
	sentAt   time.Time // the event's own, else the envelope's; zero when neither says

	raw          span // the whole event in Batch.body
	originalText span // the JSON string behind original, kept to the letter
	sentText     span // the same of sentAt
	members      span // indexes into Batch.members: what is copied as it came
	context      span // indexes into Batch.context
	integrations span // raw value
	consent      span // raw value of context.consent
	channel      span // JSON string
	otherType    span // raw value of a type that is none of the six
	direct       bool // context.direct: a server asks for its own address to be kept
}

// span is a half-open range: of bytes in a body, or of indexes.
type span struct{ lo, hi uint32 }

func (s span) empty() bool { return s.lo == s.hi }

// Key is the partition key of an event: everything of one person within one
// write key lands in one partition, in order, and so does a client's retry,
// because it is byte-identical. It is XXH64, seed 0, over
//
//	writeKey 0x00 id
//
// where id is the first of anonymousID, userID and messageID that is not
// empty. It is stored and must never change; the test vectors hold it.
func Key[S ~string | ~[]byte](writeKey string, anonymousID, userID, messageID S) uint64 {
	id := anonymousID
	if len(id) == 0 {
		id = userID
	}
	if len(id) == 0 {
		id = messageID
	}
	var buf [192]byte // long enough for all but odd ids, so that no memory is asked for
	b := append(buf[:0], writeKey...)
	b = append(b, 0)
	b = append(b, id...)
	return xxhash.Sum64(b)
}
