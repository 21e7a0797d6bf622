package publish

import (
	"strings"
	"testing"

	"github.com/tagmill/tagmill/settings"
)

func TestWeighBuildsWithoutGoingLive(t *testing.T) {
	w := newWorld(t, nil).start()
	p := w.p
	src := &settings.Source{ID: "src", Slug: "shop", Revision: 7, Keys: []settings.WriteKey{{Key: "weighed"}}}
	snap := settings.NewSnapshot(1, nil, []*settings.Source{src})
	empty, err := p.Weigh(t.Context(), snap, src)
	if err != nil || empty.Brotli == 0 {
		t.Fatalf("empty source: %+v, %v", empty, err)
	}
	with := *src
	with.Destinations = []settings.Destination{{ID: "d", Integration: "alpha", Enabled: true, Mode: settings.Browser, Settings: map[string]any{"token": "t"}}}
	full, err := p.Weigh(t.Context(), snap, &with)
	if err != nil || full.Raw <= empty.Raw {
		t.Errorf("with alpha: %+v after %+v, %v", full, empty, err)
	}
	if _, err := p.Bundle("weighed"); err == nil {
		t.Error("weighing made a bundle known")
	}
	if len(w.origin.live) != 0 {
		t.Errorf("weighing put %v live", w.origin.live)
	}
	with.Destinations[0].Integration = "gone"
	if _, err := p.Weigh(t.Context(), snap, &with); err == nil || !strings.Contains(err.Error(), `"gone"`) {
		t.Errorf("unknown integration: %v", err)
	}
}
