package events

// consentUpdated is the name of the one event whose consent is checked.
const consentUpdated = "Segment Consent Preference Updated"

// check gives an event what it lacks, and its Code.
func (b *Batch) check(e *Event, s *seen, implied Type) {
	if e.Type == "" {
		e.Type = implied
	}
	if e.Type == Page || e.Type == Screen {
		e.Name = s.nameText
	}
	if len(e.MessageID) == 0 {
		e.MessageID = b.newID()
	}
	e.Code = b.code(e, s)
	if len(e.MessageID) > MaxMessageID {
		e.Code = MessageIDTooLong
		e.MessageID = e.MessageID[:MaxMessageID]
	}
}

func (b *Batch) code(e *Event, s *seen) Code {
	switch {
	case int(e.raw.hi-e.raw.lo) > b.limits.Event:
		return EventTooLarge
	case e.Type == "":
		return BadRequest
	case s.badID:
		return IDNotString
	}
	switch e.Type {
	case Group:
		if len(e.GroupID) == 0 {
			return IDRequired
		}
	case Alias:
		if len(e.PreviousID) == 0 {
			return IDRequired
		}
	default:
		if len(e.UserID) == 0 && len(e.AnonymousID) == 0 {
			return NoUserOrAnonymousID
		}
	}
	switch e.Type {
	case Track:
		switch {
		case s.event != 0 && s.event != 'n' && s.event != '"':
			return EventNotString
		case len(e.Name) == 0:
			return EventNotDefined
		case !objectOrNone(s.properties):
			return PropertiesNotObject
		case string(e.Name) == consentUpdated:
			return b.consentCode(e)
		}
	case Page, Screen:
		switch {
		case !stringOrNone(s.name):
			return NameNotString
		case !stringOrNone(s.category):
			return CategoryNotString
		case !objectOrNone(s.properties):
			return PropertiesNotObject
		}
	case Identify, Group:
		if !objectOrNone(s.traits) {
			return TraitsNotObject
		}
	}
	return ""
}

func objectOrNone(kind byte) bool { return kind == 0 || kind == 'n' || kind == '{' }
func stringOrNone(kind byte) bool { return kind == 0 || kind == 'n' || kind == '"' }

// consentCode checks context.consent of the event that reports a choice: if it
// is wrong, the choice would be lost, and nobody would know.
func (b *Batch) consentCode(e *Event) Code {
	if e.consent.empty() || b.kind(e.consent) != '{' {
		return ConsentMissing
	}
	for _, m := range b.aside.split(b.body, e.consent) {
		if string(b.unescaped(m.name)) != "categoryPreferences" {
			continue
		}
		switch b.kind(m.value) {
		case 'n':
			return ConsentMissing
		case '{':
		default:
			return ConsentNotObject
		}
		for _, m := range b.aside.split(b.body, m.value) {
			if k := b.kind(m.value); k != 't' && k != 'f' {
				return ConsentNotBool
			}
		}
		return ""
	}
	return ConsentMissing
}
