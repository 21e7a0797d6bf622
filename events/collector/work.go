package collector

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/tagmill/tagmill/events"
	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/valyala/fasthttp"
)

// work is the memory of one request, used again by others.
type work struct {
	batch   events.Batch
	zip     inflater
	out     []byte // values of the records
	ids     []byte // messageIds of the records, one after another
	idEnds  []int  // where each of them ends
	records []eventlog.Record
}

// fill makes w.records of w.batch: the good events first, of the given kind,
// then the discards. It returns how many are good.
func (c *Collector) fill(w *work, req *fasthttp.RequestCtx, now time.Time, writeKey string, source *Source, kind eventlog.Kind) int {
	h := &req.Request.Header
	origin, userAgent := h.Peek("Origin"), h.UserAgent()
	stamp := events.Stamp{
		ReceivedAt: now,
		WriteKey:   writeKey,
		Client:     isClient(origin, userAgent),
		Address:    source.Address,
		UserAgent:  userAgent[:min(len(userAgent), maxUserAgent)],
		IP:         c.senderAddress(req, source.Address),
	}
	w.out, w.ids, w.idEnds, w.records = w.out[:0], w.ids[:0], w.idEnds[:0], w.records[:0]
	b := &w.batch
	allowed := originAllowed(source.AllowedOrigins, string(origin))
	requestBot := stamp.Client && isBot(userAgent)

	// Events of one request mostly have one user agent, the request's own.
	lastUserAgent, lastBot := userAgent, requestBot
	if !stamp.Client {
		lastUserAgent, lastBot = nil, false
	}
	for i := range b.Events {
		e := &b.Events[i]
		if !bytes.Equal(e.UserAgent, lastUserAgent) {
			lastUserAgent, lastBot = e.UserAgent, isBot(e.UserAgent)
		}
		bot := requestBot || lastBot && len(e.UserAgent) > 0
		switch {
		case e.Code != "":
		case !allowed:
			e.Code = events.OriginNotAllowed
		case bot && source.Bots == BotsDrop:
			e.Code = events.Bot
		default:
			stamp.Bot = bot
			from := len(w.out)
			w.out = b.AppendEvent(w.out, e, &stamp)
			w.add(kind, from, e, &stamp)
		}
	}
	stamp.Bot = false
	accepted := len(w.records)
	for i := range b.Events {
		if e := &b.Events[i]; e.Code != "" {
			from := len(w.out)
			w.out = b.AppendDiscard(w.out, e, e.Code, &stamp)
			w.add(eventlog.Discard, from, e, &stamp)
		}
	}
	var none events.Event
	if b.Code != "" {
		from := len(w.out)
		w.out = events.AppendDiscarded(w.out, b.Code, 0, &stamp)
		w.add(eventlog.Discard, from, &none, &stamp)
	}
	if b.Excess > 0 {
		from := len(w.out)
		w.out = events.AppendDiscarded(w.out, events.TooManyEvents, b.Excess, &stamp)
		w.add(eventlog.Discard, from, &none, &stamp)
	}
	w.nameRecords()
	return accepted
}

// maxUserAgent is how much of a User-Agent header, in bytes, is kept.
const maxUserAgent = 512

func (c *Collector) senderAddress(req *fasthttp.RequestCtx, a events.Address) netip.Addr {
	if a == events.AddressOff {
		return netip.Addr{}
	}
	return c.address(req)
}

// add makes a record of w.out from there on. Should w.out move as it grows,
// the value keeps the memory it was written to.
func (w *work) add(kind eventlog.Kind, from int, e *events.Event, stamp *events.Stamp) {
	w.records = append(w.records, eventlog.Record{
		Kind:       kind,
		Key:        events.Key(stamp.WriteKey, e.AnonymousID, e.UserID, e.MessageID),
		WriteKey:   stamp.WriteKey,
		ReceivedAt: stamp.ReceivedAt,
		Value:      w.out[from:len(w.out):len(w.out)],
	})
	w.ids = append(w.ids, e.MessageID...)
	w.idEnds = append(w.idEnds, len(w.ids))
}

// nameRecords gives the records their messageIds: all of them are parts of one
// string, so that a request asks for memory once and not for every event.
func (w *work) nameRecords() {
	ids, lo := string(w.ids), 0
	for i, hi := range w.idEnds {
		w.records[i].MessageID = ids[lo:hi]
		lo = hi
	}
}
