package events

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Code says why an event was discarded. Segment's codes where it has one.
type Code string

// The codes.
const (
	EmptyBatch          Code = "empty_batch"           // a batch with no events in it
	BadRequest          Code = "bad_request"           // not an object, or of no known type
	NoUserOrAnonymousID Code = "no_user_anon_id"       // no id to say whose event it is
	IDRequired          Code = "id_required"           // group without groupId, alias without previousId
	IDNotString         Code = "id_not_string"         // an id that is neither text nor a number
	EventNotDefined     Code = "event_not_defined"     // track without an event name
	EventNotString      Code = "event_not_string"      //
	PropertiesNotObject Code = "properties_not_object" //
	TraitsNotObject     Code = "traits_not_object"     //
	NameNotString       Code = "name_not_string"       // page, screen
	CategoryNotString   Code = "category_not_string"   // page, screen

	// Of the event "Segment Consent Preference Updated" alone.
	ConsentMissing   Code = "consent_categorypreferences_should_exist"
	ConsentNotObject Code = "consent_categorypreferences_should_be_object"
	ConsentNotBool   Code = "consent_categorypreferences_fields_should_be_bool"

	// tagmill's own: Segment documents no code for these.
	EventTooLarge    Code = "event_too_large"
	TooManyEvents    Code = "too_many_events"
	MessageIDTooLong Code = "message_id_too_long"
	OriginNotAllowed Code = "origin_not_allowed"
	Bot              Code = "bot"
)

// Message says in a sentence what is wrong and what would be right.
func (c Code) Message() string { return messages[c] }

var messages = map[Code]string{
	EmptyBatch:          "the batch has no events; send them as a non-empty array named batch",
	BadRequest:          "not an event; send an object whose type is track, page, screen, identify, group or alias",
	NoUserOrAnonymousID: "neither userId nor anonymousId is set; set one of them",
	IDRequired:          "groupId is missing (group), or previousId (alias); set it",
	IDNotString:         "an id is neither text nor a number; send ids as strings",
	EventNotDefined:     "a track call needs an event name; set event",
	EventNotString:      "event must be a string",
	PropertiesNotObject: "properties must be an object",
	TraitsNotObject:     "traits must be an object",
	NameNotString:       "name must be a string",
	CategoryNotString:   "category must be a string",
	ConsentMissing:      "context.consent.categoryPreferences is required for this event",
	ConsentNotObject:    "context.consent.categoryPreferences must be an object",
	ConsentNotBool:      "each of context.consent.categoryPreferences must be true or false",
	EventTooLarge:       "the event is larger than 32 KB; send less in it",
	TooManyEvents:       "the batch has more than 2,500 events; those after them were not kept; send smaller batches",
	MessageIDTooLong:    "messageId is longer than 100 bytes; send a shorter one",
	OriginNotAllowed:    "the page's origin is not among the source's allowed origins; add it in the source's settings",
	Bot:                 "sent by a known robot, and the source drops those",
}

// Codes lists every code, in no particular order.
func Codes() []Code {
	codes := make([]Code, 0, len(messages))
	for c := range messages {
		codes = append(codes, c)
	}
	return codes
}

// maxKept is how large an event may be, in bytes of canonical JSON, to be kept
// whole inside its discard record. Larger ones are of no use to a reader, and
// would let a broken client fill the log.
const maxKept = 4 << 10

// Discard is the value of a discard record, as JSON.
type Discard struct {
	Code       Code      `json:"code"`
	Message    string    `json:"message"`
	ReceivedAt time.Time `json:"receivedAt"`
	WriteKey   string    `json:"writeKey"`
	// Count is how many events the record stands for: 1, or more of them at
	// once for too_many_events; 0 for empty_batch.
	Count     int    `json:"count"`
	MessageID string `json:"messageId,omitempty"`
	Type      Type   `json:"type,omitempty"`
	Name      string `json:"name,omitempty"`
	Bytes     int    `json:"bytes,omitempty"` // of the event as received
	// Event is the event in canonical form, absent when it is large or must
	// not be kept.
	Event json.RawMessage `json:"event,omitempty"`
}

// ParseDiscard reads the value of a discard record.
func ParseDiscard(value []byte) (Discard, error) {
	var d Discard
	if err := json.Unmarshal(value, &d); err != nil {
		return Discard{}, fmt.Errorf("reading discard record: %w", err)
	}
	return d, nil
}

// AppendDiscard appends the discard record of one event to dst. The event
// itself is left out where code says that its sender is not wanted.
func (b *Batch) AppendDiscard(dst []byte, e *Event, code Code, s *Stamp) []byte {
	dst = appendDiscardHead(dst, code, 1, s)
	dst = append(dst, `,"messageId":`...)
	dst = quote(dst, e.MessageID)
	if e.Type != "" {
		dst = append(dst, `,"type":"`...)
		dst = append(dst, e.Type...)
		dst = append(dst, '"')
	}
	if len(e.Name) > 0 {
		dst = append(dst, `,"name":`...)
		dst = quote(dst, e.Name[:min(len(e.Name), 256)])
	}
	dst = append(dst, `,"bytes":`...)
	dst = appendInt(dst, int(e.raw.hi-e.raw.lo))
	if code != Bot && code != OriginNotAllowed && e.raw.hi-e.raw.lo <= maxKept {
		end := len(dst)
		dst = append(dst, `,"event":`...)
		from := len(dst)
		if b.body[e.raw.lo] == '{' {
			dst = b.AppendEvent(dst, e, s)
		} else {
			dst = append(dst, b.body[e.raw.lo:e.raw.hi]...)
			oneLine(dst[from:])
		}
		if len(dst)-from > maxKept {
			dst = dst[:end]
		}
	}
	return append(dst, '}')
}

// AppendDiscarded appends a discard record that stands for count events of
// which nothing is kept.
func AppendDiscarded(dst []byte, code Code, count int, s *Stamp) []byte {
	return append(appendDiscardHead(dst, code, count, s), '}')
}

func appendDiscardHead(dst []byte, code Code, count int, s *Stamp) []byte {
	dst = append(dst, `{"code":"`...)
	dst = append(dst, code...)
	dst = append(dst, `","message":"`...)
	dst = append(dst, code.Message()...)
	dst = append(dst, `","receivedAt":"`...)
	dst = appendTime(dst, s.ReceivedAt)
	dst = append(dst, `","writeKey":`...)
	dst = quote(dst, s.WriteKey)
	dst = append(dst, `,"count":`...)
	return appendInt(dst, count)
}

// quote appends text as a JSON string. Bad UTF-8 becomes U+FFFD: AppendQuote
// reports it as an error beside the string it made, which is all we want.
func quote[S ~string | ~[]byte](dst []byte, text S) []byte {
	dst, _ = jsontext.AppendQuote(dst, text)
	return dst
}
