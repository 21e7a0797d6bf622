package live

import (
	"bytes"
	"container/list"
	"slices"
	"strconv"

	"github.com/tagmill/tagmill/events/eventlog"
)

// recent holds the newest events of every source. A busy source cannot push
// out a quiet one's, until the byte bound is reached: then the oldest go first.
type recent struct {
	perSource, maxBytes int

	bytes    int
	all      *list.List                 // of Event, oldest in front
	bySource map[string][]*list.Element // by write key, oldest first
}

func newRecent(perSource, maxBytes int) recent {
	return recent{perSource: perSource, maxBytes: maxBytes, all: list.New(), bySource: make(map[string][]*list.Element)}
}

func (r *recent) add(e Event) {
	r.bySource[e.WriteKey] = append(r.bySource[e.WriteKey], r.all.PushBack(e))
	r.bytes += size(e)
	if len(r.bySource[e.WriteKey]) > r.perSource {
		r.removeOldest(e.WriteKey)
	}
	for r.bytes > r.maxBytes {
		r.removeOldest(r.all.Front().Value.(Event).WriteKey)
	}
}

// removeOldest removes a source's oldest event. The oldest of all events is
// also the oldest of its source.
func (r *recent) removeOldest(writeKey string) {
	own := r.bySource[writeKey]
	r.bytes -= size(own[0].Value.(Event))
	r.all.Remove(own[0])
	if len(own) == 1 {
		delete(r.bySource, writeKey)
		return
	}
	own[0] = nil // the array is kept by what follows, the event must not be
	r.bySource[writeKey] = own[1:]
}

// newest returns up to n events that pass the filter (nil: all), oldest first.
func (r *recent) newest(filter func(writeKey string) bool, n int) []Event {
	var out []Event
	for el := r.all.Back(); el != nil && len(out) < n; el = el.Prev() {
		if e := el.Value.(Event); filter == nil || filter(e.WriteKey) {
			out = append(out, e)
		}
	}
	slices.Reverse(out)
	return out
}

// size is what an event is counted as; the constant stands for the struct,
// the list element and the strings' headers.
func size(e Event) int { return len(e.Value) + len(e.WriteKey) + len(e.MessageID) + 200 }

// eventOf copies the value: it may be a small part of a block that the ring
// would otherwise hold in memory as a whole.
func eventOf(r *eventlog.Record) Event {
	id := strconv.AppendInt(nil, int64(r.Partition), 10)
	id = append(id, '-')
	id = strconv.AppendInt(id, r.Offset, 10)
	return Event{
		Kind:       r.Kind,
		WriteKey:   r.WriteKey,
		MessageID:  r.MessageID,
		ReceivedAt: r.ReceivedAt,
		Offset:     string(id),
		Value:      bytes.Clone(r.Value),
	}
}
