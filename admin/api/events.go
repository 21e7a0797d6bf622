package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/live"
	"github.com/tagmill/tagmill/settings"
)

// Live shows events as they arrive. *live.Feed is one.
type Live interface {
	Subscribe(filter func(writeKey string) bool, backlog int) *live.Subscription
}

const (
	// heartbeat keeps proxies from taking a quiet stream for a dead one.
	heartbeat = 15 * time.Second
	// writeTimeout ends a stream whose reader has stopped reading.
	writeTimeout = 10 * time.Second
)

type liveEvent struct {
	Kind        string          `json:"kind" enum:"event,discard,unresolved"`
	Code        string          `json:"code,omitempty" doc:"of a discard: why"`
	WriteKey    string          `json:"writeKey"`
	Environment string          `json:"environment,omitempty" doc:"of the write key"`
	MessageID   string          `json:"messageId,omitempty"`
	ReceivedAt  time.Time       `json:"receivedAt"`
	Value       json.RawMessage `json:"value" doc:"the event, or what was kept of it"`
}

func (a *API) routeEvents(h huma.API) {
	o := op("watch-events", http.MethodGet, "/events", "Live events, discards included")
	o.Description = "Server-sent events: \"event\", \"discard\" and \"unresolved\" carry one each; \"dropped\" tells how many this reader was too slow for. " +
		"The stream begins with recent events. A Last-Event-ID is tolerated: what was seen before may come again, with the same id."
	o.Responses = textResponse("text/event-stream", "a stream of events")
	huma.Register(h, o, func(_ context.Context, in *struct {
		SourcePath
		Backlog     int    `query:"backlog" minimum:"0" maximum:"500" default:"50" doc:"how many recent events come first, at most"`
		LastEventID string `header:"Last-Event-ID"`
	}) (*huma.StreamResponse, error) {
		_, s, err := a.source(in.SourcePath)
		if err != nil {
			return nil, a.problem("watch-events", err)
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			a.stream(r.Context(), w, s.ID, in.Backlog)
		}}, nil
	})
}

// stream writes events until the reader leaves, stalls, or the server drains.
func (a *API) stream(ctx context.Context, w http.ResponseWriter, sourceID string, backlog int) {
	sub := a.Live.Subscribe(a.ownKeys(sourceID), backlog)
	defer sub.Close()

	hd := w.Header()
	hd.Set("Content-Type", "text/event-stream")
	hd.Set("Cache-Control", "no-store, no-transform")
	hd.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)

	rc := http.NewResponseController(w)
	send := func(format string, args ...any) bool {
		_ = rc.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer has deadlines
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return false
		}
		return rc.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var dropped int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.draining:
			return
		case <-beat.C:
			if !send(": still here\n\n") {
				return
			}
		case e, open := <-sub.C():
			if !open {
				return
			}
			if n := sub.Dropped(); n != dropped {
				dropped = n
				if !send("event: dropped\ndata: {\"dropped\":%d}\n\n", n) {
					return
				}
			}
			kind, data := a.viewEvent(e)
			if !send("id: %s\nevent: %s\ndata: %s\n\n", e.Offset, kind, data) {
				return
			}
		}
	}
}

// ownKeys passes the write keys of one source, retired ones included: their
// events are still of interest to who wonders where a key is in use.
func (a *API) ownKeys(sourceID string) func(string) bool {
	return func(writeKey string) bool {
		s := a.Store.Snapshot().SourceByID(sourceID)
		return s != nil && keyIn(s, writeKey) != nil
	}
}

func keyIn(s *settings.Source, writeKey string) *settings.WriteKey {
	for i := range s.Keys {
		if s.Keys[i].Key == writeKey {
			return &s.Keys[i]
		}
	}
	return nil
}

// viewEvent returns an event as one line of JSON.
func (a *API) viewEvent(e live.Event) (kind string, data []byte) {
	v := liveEvent{Kind: "event", WriteKey: e.WriteKey, MessageID: e.MessageID, ReceivedAt: e.ReceivedAt, Value: e.Value}
	switch e.Kind {
	case eventlog.Discard:
		v.Kind = "discard"
		var d struct{ Code string }
		_ = json.Unmarshal(e.Value, &d) // no code is shown as none
		v.Code = d.Code
	case eventlog.Unresolved:
		v.Kind = "unresolved"
	}
	if s := a.Store.Snapshot().SourceByKey(e.WriteKey); s != nil {
		if k := keyIn(s, e.WriteKey); k != nil {
			v.Environment = k.Environment
		}
	}
	// Marshal compacts the value, so that no line break in it can end the
	// event early and be taken for one of another kind.
	data, err := json.Marshal(v)
	if err != nil { // the value is not JSON: show that, not nothing
		v.Value, _ = json.Marshal(string(e.Value))
		data, _ = json.Marshal(v)
	}
	return v.Kind, data
}
