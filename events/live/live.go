// Package live shows what is arriving: it follows the end of the event log
// and fans it out to watchers (the console's live view, `tagmill events
// tail`). It owns the recent past of every source, in memory and bounded, and
// knows nothing of HTTP. Nothing here is durable and nothing waits for it: a
// watcher that cannot keep up loses the oldest events and is told how many.
package live

import (
	"time"

	"github.com/tagmill/tagmill/events/eventlog"
)

// Event is one record as watchers see it.
type Event struct {
	Kind       eventlog.Kind
	WriteKey   string
	MessageID  string
	ReceivedAt time.Time
	// Offset names the record in its log, "partition-offset": an id for
	// server-sent events, not a Cursor.
	Offset string
	Value  []byte // JSON; shared between watchers, never to be changed
}
