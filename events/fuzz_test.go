package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// nasty are the bodies that have broken other collectors.
var nasty = []string{
	``, ` `, `{}`, `[]`, `null`, `{"batch":[]}`, `{"batch":[{}]}`, `{"batch":[[],1,null,"x"]}`, browserEvent,
	`{"userId":"u","__proto__":{"admin":true},"constructor":{"prototype":{}}}`,
	"{\"userId\":\"u\u2028\u2029\",\"x\":\"</script><!--\"}",
	`{"userId":"u","x":"\ud800","y":"\udc00\ud800","z":"\ud83d\ude00"}`,
	`{"userId":"u","x":1e999,"y":-0,"z":123456789012345678901234567890,"w":0.1e-400}`,
	`{"userId":"u","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
	`{"userId":"u","x":` + strings.Repeat(`{"a":`, 62) + `1` + strings.Repeat("}", 62) + `}`,
	`{"userId":"u","userId":"v","x":{"a":1,"a":{"b":1,"b":2}}}`,
	`{"type":"track","type":"page","context":{"ip":"1"},"context":{"ip":"2","ip":"3"}}`,
	"\ufeff{\"userId\":\"u\"}", "{\"userId\":\"u\"}\x00", "{\"userId\":\"u\x00\"}", `{"userId":"u"}garbage`, `{"userId":"u"}{}`,
	"{\"userId\":\"\xff\xfe\xed\xa0\x80\",\"\xff\":1,\"\xfe\":2}",
	"{\n\"userId\"\r:\t\"u\" ,\"x\":[\n1\n,\n2]}",
	`{"context":{"library":{"name":"go"}},"batch":[{"type":"track","event":"e","userId":1,"context":{"direct":true}}],"integrations":{"All":false},"sentAt":"2026-11-22T10:00:00Z","writeKey":"k"}`,
	`{"batch":[{"type":"track","context":7,"integrations":[],"timestamp":"x","messageId":7}],"batch":[{"type":"page"}]}`,
	`{"\u0074ype":"tr\u0061ck","ev\u0065nt":"\u0000\/\b","context":{"\u0069p":null,"bot":1}}`,
	`{"type":"track","event":"Segment Consent Preference Updated","userId":"u","context":{"consent":{"categoryPreferences":{"a":true}}}}`,
}

// plain decodes with encoding/json, which shares no code with the decoder: it
// puts U+FFFD in place of bad text, and keeps the last of equal names, too.
func plain(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, bom)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() || len(bytes.TrimLeft(body[min(int(d.InputOffset())+len(body)-len(bytes.TrimPrefix(body, bom)), len(body)):], " \t\r\n")) > 0 {
		return nil, errors.New("something follows")
	}
	return v, nil
}

func depthOf(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			deepest = max(deepest, depthOf(x))
		}
	case []any:
		for _, x := range v {
			deepest = max(deepest, depthOf(x))
		}
	default:
		return 0
	}
	return deepest + 1
}

// stamped are the members of an event that the server decides.
var stamped = []string{"type", "messageId", "context", "integrations", "originalTimestamp", "timestamp", "sentAt", "receivedAt", "channel", "writeKey", "version"}

var ids = map[string]bool{"userId": true, "anonymousId": true, "groupId": true, "previousId": true}

// expect compares one canonical event with what encoding/json made of the body.
func expect(t *testing.T, got map[string]any, sent, envelope map[string]any) {
	t.Helper()
	want := map[string]any{}
	for name, value := range sent {
		if n, ok := value.(json.Number); ok && ids[name] {
			value = n.String()
		}
		want[name] = value
	}
	rest := map[string]any{}
	for name, value := range got {
		rest[name] = value
	}
	for _, name := range stamped {
		delete(want, name)
		delete(rest, name)
	}
	if !reflect.DeepEqual(rest, want) {
		t.Errorf("the client's members\n%v\nbecame\n%v", want, rest)
	}

	context := merged(sent["context"], envelope["context"])
	for name, value := range context {
		if got := got["context"].(map[string]any)[name]; !reflect.DeepEqual(got, value) {
			t.Errorf("context.%s was %v, is %v", name, value, got)
		}
	}
	integrations := sent["integrations"]
	if _, ok := integrations.(map[string]any); ok || integrations == nil {
		integrations = nil
		if m := merged(sent["integrations"], envelope["integrations"]); len(m) > 0 {
			integrations = m
		}
	}
	if m, ok := got["integrations"].(map[string]any); ok && len(m) == 0 {
		delete(got, "integrations")
	}
	if !reflect.DeepEqual(got["integrations"], integrations) {
		t.Errorf("integrations %v, want %v", got["integrations"], integrations)
	}
}

func merged(own, envelope any) map[string]any {
	m := map[string]any{}
	for _, from := range []any{envelope, own} {
		if from, ok := from.(map[string]any); ok {
			for name, value := range from {
				m[name] = value
			}
		}
	}
	return m
}

func FuzzDecode(f *testing.F) {
	for _, body := range nasty {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, batch bool) {
		implied, limits := Type(""), DefaultLimits
		if !batch {
			implied, limits.Event = Track, limits.Batch
		}
		var b Batch
		err := b.Decode(body, implied, limits)
		want, wantErr := plain(body)
		object, isObject := want.(map[string]any)
		if errors.Is(err, ErrTooLarge) {
			return
		}
		if errors.Is(err, ErrTooDeep) {
			if wantErr == nil && depthOf(want) <= limits.Depth {
				t.Fatalf("called too deep at %d levels", depthOf(want))
			}
			return
		}
		if (err == nil) != (wantErr == nil && isObject) {
			t.Fatalf("decoded with %v, encoding/json with %v (object: %t)", err, wantErr, isObject)
		}
		if err != nil {
			return
		}
		stamp := Stamp{ReceivedAt: at, WriteKey: "wk", Client: true, IP: netip.MustParseAddr("192.0.2.1"), UserAgent: []byte("ua")}
		sent := []any{object}
		envelope := map[string]any{}
		if batch {
			sent, _ = object["batch"].([]any)
			envelope = object
			if len(sent) != len(b.Events)+b.Excess {
				t.Fatalf("%d events, %d sent", len(b.Events), len(sent))
			}
		}
		for i := range b.Events {
			e := &b.Events[i]
			if len(e.MessageID) == 0 {
				t.Fatal("no messageId")
			}
			if e.Code != "" {
				if value := b.AppendDiscard(nil, e, e.Code, &stamp); !json.Valid(value) || bytes.ContainsAny(value, "\r\n") {
					t.Fatalf("discard record: %q", value)
				}
			}
			fields, ok := sent[i].(map[string]any)
			if !ok {
				continue
			}
			line := b.AppendEvent(nil, e, &stamp)
			if !json.Valid(line) || !utf8.Valid(line) || bytes.ContainsAny(line, "\r\n") {
				t.Fatalf("canonical form: %q", line)
			}
			got, err := plain(line)
			if err != nil {
				t.Fatal(err)
			}
			expect(t, got.(map[string]any), fields, envelope)

			// Once more, it is the same to the byte.
			var again Batch
			big := limits
			big.Event, big.Depth = 10*limits.Batch, limits.Depth+1
			if err := again.Decode(line, e.Type, big); e.Type != "" && err != nil {
				t.Fatalf("canonical form does not decode: %v: %s", err, line)
			} else if e.Type != "" {
				if twice := again.AppendEvent(nil, &again.Events[0], &stamp); !bytes.Equal(twice, line) && len(e.MessageID) < MaxMessageID {
					t.Fatalf("canonical form changes:\n%s\n%s", line, twice)
				}
				if again.Repairs != (Repairs{}) {
					t.Fatalf("canonical form needs repair: %+v: %s", again.Repairs, line)
				}
			}
		}
	})
}
