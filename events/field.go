package events

import "bytes"

// field names the members that Decode looks at. All others are copied.
type field uint8

const (
	fieldOther field = iota
	fieldBatch
	fieldType
	fieldMessageID
	fieldAnonymousID
	fieldUserID
	fieldGroupID
	fieldPreviousID
	fieldEvent
	fieldName
	fieldCategory
	fieldProperties
	fieldTraits
	fieldTimestamp
	fieldOriginalTimestamp
	fieldSentAt
	fieldReceivedAt
	fieldVersion
	fieldWriteKey
	fieldChannel
	fieldContext
	fieldIntegrations

	// Of a context.
	fieldIP
	fieldUserAgent
	fieldDirect
	fieldBot
	fieldConsent
)

// unescaped is what a name spells.
func (b *Batch) unescaped(name span) []byte {
	raw := b.bytes(name)
	if bytes.IndexByte(raw, '\\') >= 0 {
		return b.text(name)
	}
	return raw[1 : len(raw)-1]
}

func (b *Batch) fieldOf(name span) field {
	switch string(b.unescaped(name)) {
	case "batch":
		return fieldBatch
	case "type":
		return fieldType
	case "messageId":
		return fieldMessageID
	case "anonymousId":
		return fieldAnonymousID
	case "userId":
		return fieldUserID
	case "groupId":
		return fieldGroupID
	case "previousId":
		return fieldPreviousID
	case "event":
		return fieldEvent
	case "name":
		return fieldName
	case "category":
		return fieldCategory
	case "properties":
		return fieldProperties
	case "traits":
		return fieldTraits
	case "timestamp":
		return fieldTimestamp
	case "originalTimestamp":
		return fieldOriginalTimestamp
	case "sentAt":
		return fieldSentAt
	case "receivedAt":
		return fieldReceivedAt
	case "version":
		return fieldVersion
	case "writeKey":
		return fieldWriteKey
	case "channel":
		return fieldChannel
	case "context":
		return fieldContext
	case "integrations":
		return fieldIntegrations
	}
	return fieldOther
}

func (b *Batch) contextFieldOf(name span) field {
	switch string(b.unescaped(name)) {
	case "ip":
		return fieldIP
	case "userAgent":
		return fieldUserAgent
	case "direct":
		return fieldDirect
	case "bot":
		return fieldBot
	case "consent":
		return fieldConsent
	}
	return fieldOther
}

// seen is what check needs to know of an event beside the event: the kinds of
// some values, 0 when absent.
type seen struct {
	event, name, category, properties, traits byte
	badID                                     bool
	nameText                                  []byte
}

// set takes one member of an event. Members that are stamped are taken out;
// all others go on as they came.
func (b *Batch) set(e *Event, s *seen, m member) {
	kind := b.kind(m.value)
	switch m.field {
	case fieldType:
		if kind == '"' {
			if t := ParseType(b.text(m.value)); t != "" {
				e.Type = t
				return
			}
		}
		e.otherType = m.value
		return
	case fieldMessageID:
		switch {
		case kind == '"':
			e.MessageID = b.text(m.value)
		case isNumber(kind):
			e.MessageID = b.bytes(m.value)
			b.Repairs.IDs++
		}
		return
	case fieldAnonymousID:
		e.AnonymousID = b.id(s, &m, kind)
	case fieldUserID:
		e.UserID = b.id(s, &m, kind)
	case fieldGroupID:
		e.GroupID = b.id(s, &m, kind)
	case fieldPreviousID:
		e.PreviousID = b.id(s, &m, kind)
	case fieldEvent:
		s.event = kind
		if kind == '"' {
			e.Name = b.text(m.value)
		}
	case fieldName:
		s.name = kind
		if kind == '"' {
			s.nameText = b.text(m.value)
		}
	case fieldCategory:
		s.category = kind
	case fieldProperties:
		s.properties = kind
	case fieldTraits:
		s.traits = kind
	case fieldTimestamp:
		// originalTimestamp, where a forwarder sends it, is nearer the source.
		if at, ok := b.time(m.value); ok && e.originalText.empty() {
			e.original, e.originalText = at, m.value
		}
		return
	case fieldOriginalTimestamp:
		if at, ok := b.time(m.value); ok {
			e.original, e.originalText = at, m.value
		}
		return
	case fieldSentAt:
		if at, ok := b.time(m.value); ok {
			e.sentAt, e.sentText = at, m.value
		}
		return
	case fieldWriteKey:
		if kind == '"' {
			e.WriteKey = b.text(m.value)
		}
		return
	case fieldChannel:
		if kind == '"' {
			e.channel = m.value
		}
		return
	case fieldIntegrations:
		if kind != 'n' {
			e.integrations = m.value
		}
		return
	case fieldReceivedAt, fieldVersion, fieldContext: // a context that is no object says nothing
		return
	}
	b.members = append(b.members, m)
}

// id reads an id. Numbers are taken, as most of Segment's libraries turn them
// into text themselves, and kept digit by digit.
func (b *Batch) id(s *seen, m *member, kind byte) []byte {
	switch {
	case kind == '"':
		return b.text(m.value)
	case isNumber(kind):
		m.quote = true
		b.Repairs.IDs++
		return b.bytes(m.value)
	case kind != 'n':
		s.badID = true
	}
	return nil
}

func isNumber(kind byte) bool { return kind == '-' || '0' <= kind && kind <= '9' }
