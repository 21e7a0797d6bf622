package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tagmill/tagmill/events"
	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/valyala/fasthttp"
)

// verdict is what became of a body.
type verdict struct {
	status  int
	message string        // where status is not 200
	wait    time.Duration // where another try is worth it
	unknown bool          // the write key is not one of ours
	source  Source        // zero when unknown
}

func refused(message string) verdict {
	return verdict{status: fasthttp.StatusBadRequest, message: message}
}

func unavailable(message string, wait time.Duration) verdict {
	return verdict{status: fasthttp.StatusServiceUnavailable, message: message, wait: wait}
}

func busy() verdict {
	return unavailable("too much is being received at once; try again", time.Second)
}

// post answers the routes that take events.
func (c *Collector) post(ctx *fasthttp.RequestCtx, implied events.Type) {
	// Background, because a request that has been read is finished even while
	// the server shuts down: fasthttp would cancel its own context then, and
	// leave the client in doubt about events that are being written.
	v := c.take(context.Background(), ctx, ctx.PostBody(), implied)
	if v.unknown {
		ctx.Response.Header.Set("Tagmill-Error", "unknown-write-key")
	}
	switch {
	case v.status == fasthttp.StatusOK:
		if v.source.RefreshIDCookie {
			refreshIDCookie(ctx, string(ctx.Request.Header.Peek("Origin")))
		}
		c.succeed(ctx, v.source.Off)
	case v.wait > 0:
		c.later(ctx, v.status, v.message, v.wait)
	default:
		c.refuse(ctx, v.status, v.message)
	}
}

// take makes the events of one body durable.
func (c *Collector) take(ctx context.Context, req *fasthttp.RequestCtx, body []byte, implied events.Type) verdict {
	if len(body) == 0 {
		return refused(errEmptyBody.Error())
	}
	w := c.works.Get().(*work)
	defer c.works.Put(w)

	size, limit := len(body), c.limits.Batch
	if implied != "" {
		limit = c.limits.Event
	}
	zipped := isGzip(body)
	if zipped {
		if len(body) > limit {
			return refused(fmt.Sprintf("body is too large: %d bytes zipped, where at most %d are taken unzipped", len(body), limit))
		}
		size += limit
	}
	if !c.admit(size) {
		return busy()
	}
	defer c.release(size)

	if zipped {
		var err error
		if body, err = w.zip.inflate(body, limit); err != nil {
			return refused(err.Error())
		}
	}
	if err := w.batch.Decode(body, implied, c.limits); err != nil {
		return refused(err.Error())
	}
	c.metrics.repairs(w.batch.Repairs)

	key := w.batch.WriteKey
	if len(key) == 0 {
		key = basicKey(req.Request.Header.Peek("Authorization"))
	}
	if len(key) == 0 {
		return refused("no write key; set writeKey in the body, or send it as the user name of Basic authorization")
	}
	writeKey := string(key)
	source, known := c.sources.Source(writeKey)
	if !known && (len(writeKey) < minKey || len(writeKey) > maxKey) {
		return refused("the write key is too short or too long to be one; copy it from the source's settings")
	}
	if !known {
		return c.takeUnknown(ctx, req, w, writeKey)
	}
	now := c.now().Truncate(time.Millisecond)
	if source.EventsPerSecond > 0 {
		wait, ok := c.limiters.take(source.ID, source.EventsPerSecond, now, max(1, len(w.batch.Events)))
		if !ok {
			return verdict{status: fasthttp.StatusTooManyRequests, wait: wait,
				message: "the source sends more events a second than it may; send fewer, or raise its limit in its settings"}
		}
	}
	accepted := c.fill(w, req, now, writeKey, &source, eventlog.Event)
	// What was written for a body can be many times the body.
	if !c.admit(len(w.out)) {
		return busy()
	}
	defer c.release(len(w.out))
	v := c.append(ctx, w)
	if v.status == fasthttp.StatusOK {
		v.source = source
		c.countTaken(w, accepted)
	}
	return v
}

// takeUnknown takes events whose write key no source has. A key may be unknown
// because it is new and our settings are old: then its events are stored for
// readers to resolve. The budget keeps strangers from filling the log by it.
func (c *Collector) takeUnknown(ctx context.Context, req *fasthttp.RequestCtx, w *work, writeKey string) verdict {
	n := float64(len(w.batch.Events))
	ok := verdict{status: fasthttp.StatusOK, unknown: true}
	if c.sources.Fresh() {
		c.metrics.unknown.notStored.Add(n)
		return ok
	}
	now := c.now().Truncate(time.Millisecond)
	// What the source keeps of addresses is not known either, so: nothing.
	accepted := c.fill(w, req, now, writeKey, &Source{Address: events.AddressOff}, eventlog.Unresolved)
	w.records = w.records[:accepted] // events come first; discards of strangers are not kept
	if accepted == 0 {
		return ok
	}
	_, within := take(c.unresolvedEvents, now, accepted)
	if within {
		_, within = take(c.unresolvedBytes, now, len(w.out))
	}
	if !within {
		c.metrics.unknown.overBudget.Add(n)
		return ok
	}
	v := c.append(ctx, w)
	v.unknown = true
	if v.status == fasthttp.StatusOK {
		c.metrics.unknown.stored.Add(float64(accepted))
	}
	return v
}

// append makes w.records durable.
func (c *Collector) append(ctx context.Context, w *work) verdict {
	start := time.Now()
	err := c.log.Append(ctx, w.records)
	c.metrics.append.Observe(time.Since(start).Seconds())
	if c.failing.Swap(err != nil) != (err != nil) {
		// Said when it begins and when it ends: every request would be a flood.
		if err != nil {
			c.logger.Error("events are refused: the log takes none", "room", "collector", "error", err)
		} else {
			c.logger.Info("events are taken again", "room", "collector")
		}
	}
	switch {
	case err == nil:
		return verdict{status: fasthttp.StatusOK}
	case errors.Is(err, eventlog.ErrFull):
		return unavailable("the event log is full; nothing was lost, send again later", 30*time.Second)
	default:
		// A partial success too: sent again, the events that are durable
		// already are known by their messageId.
		return unavailable("the events could not be made durable; send them again", 2*time.Second)
	}
}

func (c *Collector) countTaken(w *work, accepted int) {
	c.metrics.accepted.Add(float64(accepted))
	if accepted == len(w.records) {
		return
	}
	for i := range w.batch.Events {
		if code := w.batch.Events[i].Code; code != "" {
			c.metrics.discarded[code].Inc()
		}
	}
	if w.batch.Code != "" {
		c.metrics.discarded[w.batch.Code].Inc()
	}
	c.metrics.discarded[events.TooManyEvents].Add(float64(w.batch.Excess))
}
