package events

import "fmt"

// readEnvelope reads {"batch":[...], ...}, whose members come in any order.
func (b *Batch) readEnvelope() error {
	b.Code = EmptyBatch
	if err := b.open(); err != nil {
		return err
	}
	for b.dec.PeekKind() != '}' {
		name, err := b.name()
		if err != nil {
			return err
		}
		f := b.fieldOf(name)
		switch {
		case f == fieldBatch && b.dec.PeekKind() == '[':
			err = b.readEvents()
		case f == fieldContext && b.dec.PeekKind() == '{':
			b.envContext, err = b.readContext(nil)
		default:
			var value span
			if value, err = b.value(); err != nil {
				return err
			}
			b.setEnvelope(f, value)
		}
		if err != nil {
			return err
		}
	}
	return b.close()
}

func (b *Batch) setEnvelope(f field, value span) {
	kind := b.kind(value)
	switch f {
	case fieldBatch:
		if kind != 'n' {
			b.Code = BadRequest
		}
	case fieldWriteKey:
		if kind == '"' {
			b.WriteKey = b.text(value)
		}
	case fieldSentAt:
		if at, ok := b.time(value); ok {
			b.sentAt, b.sentText = at, value
		}
	case fieldIntegrations:
		if kind == '{' {
			b.integrations = value
		}
	}
}

// readEvents reads the array of a batch.
func (b *Batch) readEvents() error {
	if err := b.open(); err != nil {
		return err
	}
	for b.dec.PeekKind() != ']' {
		if len(b.Events) == b.limits.Events {
			if _, err := b.value(); err != nil { // valid or not is known only by reading it
				return err
			}
			b.Excess++
			continue
		}
		b.Events = append(b.Events, Event{})
		if err := b.readEvent(&b.Events[len(b.Events)-1], ""); err != nil {
			return err
		}
		b.Code = ""
	}
	return b.close()
}

// maxMerged bounds, in multiples of Limits.Batch, what an envelope's context
// and integrations may become once each event has its copy of them.
const maxMerged = 8

// settle does what can only be done once the whole body is read: an envelope's
// members may follow its events.
func (b *Batch) settle() error {
	if shared := b.sharedBytes(); shared*len(b.Events) > maxMerged*b.limits.Batch {
		return fmt.Errorf("%w: its context and integrations (%d bytes) would be copied into %d events; send them with smaller batches",
			ErrTooLarge, shared, len(b.Events))
	}
	if len(b.WriteKey) == 0 {
		for i := range b.Events {
			if len(b.Events[i].WriteKey) > 0 {
				b.WriteKey = b.Events[i].WriteKey
				break
			}
		}
	}
	if b.sentText.empty() {
		return nil
	}
	for i := range b.Events {
		if e := &b.Events[i]; e.sentText.empty() {
			e.sentAt, e.sentText = b.sentAt, b.sentText
		}
	}
	return nil
}

// sharedBytes is how much of the envelope goes into each event.
func (b *Batch) sharedBytes() int {
	n := len(b.bytes(b.integrations))
	for _, m := range b.context[b.envContext.lo:b.envContext.hi] {
		n += len(b.bytes(m.name)) + len(b.bytes(m.value))
	}
	return n
}
