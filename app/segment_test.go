package app

import (
	"encoding/json"
	"testing"
)

// The fields that Segment's client reads before it sends anything.
func TestSegmentSettingsSplitTheCollectorURL(t *testing.T) {
	raw, err := segmentSettings("http://127.0.0.1:8080/t/v1", "key")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Integrations map[string]struct{ APIKey, APIHost, Protocol string }
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	s := got.Integrations["Segment.io"]
	if s.APIKey != "key" || s.APIHost != "127.0.0.1:8080/t/v1" || s.Protocol != "http" || len(got.Integrations) != 1 {
		t.Errorf("got %+v of %s", s, raw)
	}
}
