package events

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestStampedFields(t *testing.T) {
	b := decode(t, `{"event":"e","userId":"u","messageId":"m-1","receivedAt":"forged","version":"forged","timestamp":"2026-11-22T09:00:00.000Z","sentAt":"2026-11-22T09:00:04.000Z"}`, Track)
	m, _ := canonical(t, b, 0, Stamp{WriteKey: "wk", Client: true, IP: netip.MustParseAddr("203.0.113.77"), UserAgent: []byte("Mozilla/5.0 \"x\" \xff"), Bot: true})
	want := map[string]any{
		"type": "track", "messageId": "m-1", "receivedAt": "2026-11-22T10:00:10.000Z", "sentAt": "2026-11-22T09:00:04.000Z",
		"originalTimestamp": "2026-11-22T09:00:00.000Z", "timestamp": "2026-11-22T10:00:06.000Z",
		"version": json.Number("2"), "channel": "client", "writeKey": "wk",
	}
	for name, value := range want {
		if m[name] != value {
			t.Errorf("%s is %v, want %v", name, m[name], value)
		}
	}
	context := m["context"].(map[string]any)
	if context["ip"] != "203.0.113.77" || context["userAgent"] != "Mozilla/5.0 \"x\" \ufffd" || context["bot"] != true {
		t.Errorf("context is %v", context)
	}
}

func TestTimes(t *testing.T) {
	for _, test := range []struct{ fields, original, timestamp string }{
		{``, "2026-11-22T10:00:10.000Z", "2026-11-22T10:00:10.000Z"},
		{`,"sentAt":"2026-11-22T09:00:00Z"`, "2026-11-22T09:00:00Z", "2026-11-22T10:00:10.000Z"},
		{`,"timestamp":"2020-01-01T00:00:00+02:00"`, "2020-01-01T00:00:00+02:00", "2019-12-31T22:00:00.000Z"},
		{`,"timestamp":"2020-01-01"`, "2020-01-01", "2020-01-01T00:00:00.000Z"},
		{`,"timestamp":"2020-01-01T00:00:00.123456"`, "2020-01-01T00:00:00.123456", "2020-01-01T00:00:00.123Z"},
		{`,"timestamp":"2020-01-01T02:00:00+0200"`, "2020-01-01T02:00:00+0200", "2020-01-01T00:00:00.000Z"},
		{`,"timestamp":"yesterday"`, "2026-11-22T10:00:10.000Z", "2026-11-22T10:00:10.000Z"},
		{`,"timestamp":1732269600`, "2026-11-22T10:00:10.000Z", "2026-11-22T10:00:10.000Z"},
		// The client's clock is a day ahead; the event is a minute old.
		{`,"timestamp":"2026-11-23T09:59:00Z","sentAt":"2026-11-23T10:00:00Z"`, "2026-11-23T09:59:00Z", "2026-11-22T09:59:10.000Z"},
		// No clock is that wrong.
		{`,"timestamp":"0001-01-02T00:00:00Z","sentAt":"9999-01-01T00:00:00Z"`, "0001-01-02T00:00:00Z", "2026-11-22T10:00:10.000Z"},
		// A forwarder's event: the first time is the client's.
		{`,"originalTimestamp":"2026-11-22T08:00:00Z","timestamp":"2026-11-22T09:00:00Z"`, "2026-11-22T08:00:00Z", "2026-11-22T08:00:00.000Z"},
	} {
		b := decode(t, `{"userId":"u"`+test.fields+`}`, Identify)
		m, _ := canonical(t, b, 0, Stamp{})
		if m["originalTimestamp"] != test.original || m["timestamp"] != test.timestamp {
			t.Errorf("%s: originalTimestamp %v, timestamp %v; want %s, %s", test.fields, m["originalTimestamp"], m["timestamp"], test.original, test.timestamp)
		}
	}
	b := decode(t, `{"batch":[{"timestamp":"2026-11-22T09:59:00Z"},{"timestamp":"2026-11-22T09:59:00Z","sentAt":"2026-11-22T09:59:30Z"}],"sentAt":"2026-11-22T10:00:00Z"}`, "")
	for i, want := range []string{"2026-11-22T09:59:10.000Z", "2026-11-22T09:59:40.000Z"} {
		if m, _ := canonical(t, b, i, Stamp{}); m["timestamp"] != want {
			t.Errorf("event %d of a batch: timestamp %v, want %s", i, m["timestamp"], want)
		}
	}
}

func TestEnvelopeIsMergedIntoEachEvent(t *testing.T) {
	b := decode(t, `{"context":{"library":{"name":"analytics-go"},"locale":"de","ip":"192.0.2.1"},"integrations":{"All":false,"Mixpanel":true},"batch":[
		{"type":"identify","userId":"a"},
		{"type":"identify","userId":"b","context":{"loc\u0061le":"en"},"integrations":{"Mixpanel":{"x":1},"GA":true}},
		{"type":"identify","userId":"c","context":null,"integrations":null}]}`, "")
	for i, want := range []string{
		`"context":{"library":{"name":"analytics-go"},"locale":"de","ip":"192.0.2.1"},"integrations":{"All":false,"Mixpanel":true},`,
		`"context":{"loc\u0061le":"en","library":{"name":"analytics-go"},"ip":"192.0.2.1"},"integrations":{"Mixpanel":{"x":1},"GA":true,"All":false},`,
		`"context":{"library":{"name":"analytics-go"},"locale":"de","ip":"192.0.2.1"},"integrations":{"All":false,"Mixpanel":true},`,
	} {
		if _, line := canonical(t, b, i, Stamp{}); !strings.Contains(line, want) {
			t.Errorf("event %d: %s\nis not in\n%s", i, want, line)
		}
	}
}

func TestEnvelopeWithManyMembers(t *testing.T) {
	var own, shared []string
	for i := range 200 {
		own = append(own, fmt.Sprintf(`"k%d":"own"`, 2*i))
		shared = append(shared, fmt.Sprintf(`"k%d":"shared"`, 3*i))
	}
	b := decode(t, `{"context":{`+strings.Join(shared, ",")+`},"batch":[{"type":"page","context":{`+strings.Join(own, ",")+`}}]}`, "")
	m, _ := canonical(t, b, 0, Stamp{})
	context := m["context"].(map[string]any)
	if len(context) != 200+200-67 { // 67 of the names are in both
		t.Errorf("%d members", len(context))
	}
	for i := range 200 {
		if context[fmt.Sprint("k", 2*i)] != "own" || i%2 == 1 && context[fmt.Sprint("k", 3*i)] != "shared" {
			t.Fatalf("k%d is %v, k%d is %v", 2*i, context[fmt.Sprint("k", 2*i)], 3*i, context[fmt.Sprint("k", 3*i)])
		}
	}
}

func TestAddresses(t *testing.T) {
	v4, v6 := netip.MustParseAddr("203.0.113.77"), netip.MustParseAddr("2001:db8:1:2:3::4")
	mapped := netip.MustParseAddr("::ffff:203.0.113.77")
	for _, test := range []struct {
		context string
		stamp   Stamp
		want    any
	}{
		{`{}`, Stamp{Client: true, IP: v4}, "203.0.113.77"},
		{`{}`, Stamp{Client: true, IP: mapped}, "203.0.113.77"},
		{`{}`, Stamp{Client: true, IP: v4, Address: AddressTruncated}, "203.0.113.0"},
		{`{}`, Stamp{Client: true, IP: mapped, Address: AddressTruncated}, "203.0.113.0"},
		{`{}`, Stamp{Client: true, IP: v6, Address: AddressTruncated}, "2001:db8:1::"},
		{`{}`, Stamp{Client: true, IP: v4, Address: AddressOff}, nil},
		{`{}`, Stamp{Client: true}, nil},
		{`{}`, Stamp{IP: v4}, nil},
		{`{"direct":true}`, Stamp{IP: v4}, "203.0.113.77"},
		{`{"direct":false}`, Stamp{IP: v4}, nil},
		{`{"ip":"198.51.100.9"}`, Stamp{Client: true, IP: v4}, "198.51.100.9"},
		{`{"ip":"198.51.100.9"}`, Stamp{IP: v4, Address: AddressTruncated}, "198.51.100.0"},
		{`{"\u0069p":"198.51.100.9"}`, Stamp{IP: v4, Address: AddressOff}, nil},
		{`{"ip":"somewhere"}`, Stamp{Client: true, IP: v4, Address: AddressTruncated}, nil},
		{`{"ip":null}`, Stamp{Client: true, IP: v4}, nil},
	} {
		b := decode(t, `{"userId":"u","context":`+test.context+`}`, Identify)
		m, _ := canonical(t, b, 0, test.stamp)
		if got := m["context"].(map[string]any)["ip"]; got != test.want {
			t.Errorf("%s with %+v: ip %v, want %v", test.context, test.stamp, got, test.want)
		}
	}
}
