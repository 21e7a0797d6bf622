package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tagmill/tagmill/admin"
	"github.com/tagmill/tagmill/events/eventlog"
)

type logView struct {
	Records      int64        `json:"records" doc:"appended since the process began"`
	Bytes        int64        `json:"bytes" doc:"on disk"`
	Budget       int64        `json:"budget" doc:"bytes allowed on disk; 0 when the engine has no such thing"`
	BytesPerHour int64        `json:"bytesPerHour" doc:"growth, averaged; 0 when not known yet"`
	DaysLeft     *float64     `json:"daysLeft,omitempty" doc:"until the budget is reached at this growth; absent when not known"`
	Oldest       *time.Time   `json:"oldest,omitempty"`
	Full         bool         `json:"full" doc:"events are refused with 503"`
	Cursors      []cursorView `json:"cursors" nullable:"false"`
}

type cursorView struct {
	Name string `json:"name"`
	Lag  int64  `json:"lag" doc:"records behind the end"`
}

type linkView struct {
	URL       string    `json:"url" doc:"opens the console once"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func (a *API) routeServer(h huma.API) {
	huma.Register(h, op("get-log", http.MethodGet, "/api/v1/log", "The event log: size, growth, readers"),
		func(context.Context, *struct{}) (*body[logView], error) {
			return &body[logView]{viewLog(a.LogStats())}, nil
		})

	create := op("create-signin-link", http.MethodPost, "/api/v1/signin-links", "A one-time link into the console")
	create.DefaultStatus = http.StatusCreated
	huma.Register(h, create, func(context.Context, *struct{}) (*body[linkView], error) {
		secret, expires := a.Auth.NewLink()
		return &body[linkView]{linkView{admin.LinkURL(a.ConsoleURL(), secret), expires}}, nil
	})
}

func viewLog(s eventlog.Stats) logView {
	v := logView{Records: s.Records, Bytes: s.Bytes, Budget: s.Budget, BytesPerHour: s.BytesPerHour, Full: s.Full, Cursors: []cursorView{}}
	if !s.Oldest.IsZero() {
		v.Oldest = &s.Oldest
	}
	if s.Budget > 0 && s.BytesPerHour > 0 {
		days := float64(max(s.Budget-s.Bytes, 0)) / float64(s.BytesPerHour) / 24
		v.DaysLeft = &days
	}
	for _, c := range s.Cursors {
		v.Cursors = append(v.Cursors, cursorView{c.Name, c.Lag})
	}
	return v
}
