package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 22, 10, 0, 10, 0, time.UTC)

func decode(t *testing.T, body string, implied Type) *Batch {
	t.Helper()
	var b Batch
	if err := b.Decode([]byte(body), implied, DefaultLimits); err != nil {
		t.Fatalf("Decode(%.200s): %v", body, err)
	}
	return &b
}

// canonical is the line of one event as a map, and as text.
func canonical(t *testing.T, b *Batch, i int, s Stamp) (map[string]any, string) {
	t.Helper()
	if s.ReceivedAt.IsZero() {
		s.ReceivedAt = at
	}
	line := b.AppendEvent(nil, &b.Events[i], &s)
	if bytes.ContainsAny(line, "\n\r") {
		t.Errorf("more than one line: %q", line)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("canonical form is not JSON: %v\n%s", err, line)
	}
	return m, string(line)
}

func TestDecodeBodies(t *testing.T) {
	deep := strings.Repeat("[", 300) + strings.Repeat("]", 300)
	big := `{"userId":"u","event":"e","x":"` + strings.Repeat("a", 33<<10) + `"}`
	for _, test := range []struct {
		name    string
		body    string
		implied Type
		want    error
	}{
		{"event", `{"userId":"u","event":"e"}`, Track, nil},
		{"white space around", " \r\n\t{\"userId\":\"u\"} \n", Identify, nil},
		{"byte order mark", "\ufeff" + `{"userId":"u"}`, Identify, nil},
		{"empty", ``, Track, ErrSyntax},
		{"blank", ` `, Track, ErrSyntax},
		{"array", `[{}]`, Track, ErrSyntax},
		{"text", `"x"`, "", ErrSyntax},
		{"cut off", `{"userId":"u"`, Track, ErrSyntax},
		{"trailing bytes", `{"userId":"u"}x`, Track, ErrSyntax},
		{"trailing object", `{"userId":"u"}{}`, Track, ErrSyntax},
		{"trailing NUL", "{}\x00", Track, ErrSyntax},
		{"trailing bytes after bad text", "{\"a\":\"\xff\"}x", Track, ErrSyntax},
		{"two byte order marks", "\ufeff\ufeff{}", Track, ErrSyntax},
		{"NUL in a string", "{\"a\":\"\x00\"}", Track, ErrSyntax},
		{"line end in a string", "{\"a\":\"\n\"}", Track, ErrSyntax},
		{"bad escape", `{"a":"\x"}`, Track, ErrSyntax},
		{"NaN", `{"a":NaN}`, Track, ErrSyntax},
		{"leading zero", `{"a":01}`, Track, ErrSyntax},
		{"single quotes", `{'a':1}`, Track, ErrSyntax},
		{"trailing comma", `{"a":1,}`, Track, ErrSyntax},
		{"comment", `{"a":1/**/}`, Track, ErrSyntax},
		{"too deep", `{"a":` + deep + `}`, Track, ErrTooDeep},
		{"too deep in a context", `{"context":{"a":` + deep + `}}`, Track, ErrTooDeep},
		{"too deep in a batch", `{"batch":[{"a":` + deep + `}]}`, "", ErrTooDeep},
		{"too deep beside a batch", `{"batch":[],"x":` + deep + `}`, "", ErrTooDeep},
		{"too deep and with bad text", "{\"b\":\"\xff\",\"a\":" + deep + "}", Track, ErrTooDeep},
		{"deeper than any decoder", strings.Repeat(`{"a":`, 6000), Track, ErrTooDeep},
		{"an event too large", big, Track, ErrTooLarge},
		{"a batch too large", `{"batch":["` + strings.Repeat("a", 500<<10) + `"]}`, "", ErrTooLarge},
		{"a large event in a batch", `{"batch":[` + big + `]}`, "", nil},
		{"an envelope that would multiply", `{"context":{"a":"` + strings.Repeat("a", 100<<10) + `"},"batch":[` +
			strings.Repeat(`{},`, 999) + `{}]}`, "", ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b Batch
			err := b.Decode([]byte(test.body), test.implied, DefaultLimits)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err != nil && len(err.Error()) > 150 {
				t.Errorf("the error is no sentence: %v", err)
			}
		})
	}
}

func TestDepthIsCountedFromTheEvent(t *testing.T) {
	for depth, want := range map[int]error{63: nil, 64: ErrTooDeep} {
		value := strings.Repeat("[", depth) + strings.Repeat("]", depth)
		for _, body := range []string{
			`{"userId":"u","x":` + value + `}`,
			`{"userId":"u","x":` + value + `,"y":1,"y":2}`, // by way of repair
		} {
			var b Batch
			if err := b.Decode([]byte(body), Identify, DefaultLimits); !errors.Is(err, want) {
				t.Errorf("depth %d, one event: got %v, want %v", depth+1, err, want)
			}
			if err := b.Decode([]byte(`{"batch":[`+body+`]}`), "", DefaultLimits); !errors.Is(err, want) {
				t.Errorf("depth %d, a batch: got %v, want %v", depth+1, err, want)
			}
		}
	}
}

func TestCodes(t *testing.T) {
	long := strings.Repeat("m", MaxMessageID+1)
	for _, test := range []struct {
		event string
		want  Code
	}{
		{`{"type":"track","userId":"u","event":"e"}`, ""},
		{`{"type":"track","anonymousId":"a","event":"e","properties":null}`, ""},
		{`{"type":"page","anonymousId":"a"}`, ""},
		{`{"type":"page","anonymousId":"a","name":"","category":null}`, ""},
		{`{"type":"screen","userId":7}`, ""},
		{`{"type":"identify","userId":"u","traits":{}}`, ""},
		{`{"type":"group","groupId":"g"}`, ""},
		{`{"type":"alias","previousId":"p","userId":"u"}`, ""},
		{`7`, BadRequest},
		{`null`, BadRequest},
		{`[]`, BadRequest},
		{`{}`, BadRequest},
		{`{"type":"Track","userId":"u","event":"e"}`, BadRequest},
		{`{"type":7,"userId":"u","event":"e"}`, BadRequest},
		{`{"type":"track","event":"e"}`, NoUserOrAnonymousID},
		{`{"type":"track","event":"e","userId":"","anonymousId":null}`, NoUserOrAnonymousID},
		{`{"type":"track","userId":{},"anonymousId":"a","event":"e"}`, IDNotString},
		{`{"type":"track","userId":true,"event":"e"}`, IDNotString},
		{`{"type":"track","userId":"u"}`, EventNotDefined},
		{`{"type":"track","userId":"u","event":null}`, EventNotDefined},
		{`{"type":"track","userId":"u","event":""}`, EventNotDefined},
		{`{"type":"track","userId":"u","event":7}`, EventNotString},
		{`{"type":"track","userId":"u","event":"e","properties":[]}`, PropertiesNotObject},
		{`{"type":"track","userId":"u","event":"e","properties":"{}"}`, PropertiesNotObject},
		{`{"type":"page","userId":"u","properties":1}`, PropertiesNotObject},
		{`{"type":"page","userId":"u","name":1}`, NameNotString},
		{`{"type":"screen","userId":"u","category":{}}`, CategoryNotString},
		{`{"type":"identify","userId":"u","traits":[]}`, TraitsNotObject},
		{`{"type":"group","groupId":"g","traits":1}`, TraitsNotObject},
		{`{"type":"group","userId":"u"}`, IDRequired},
		{`{"type":"alias","userId":"u"}`, IDRequired},
		{`{"type":"track","userId":"u","event":"e","messageId":"` + long + `"}`, MessageIDTooLong},
		{`{"type":"track","userId":"u","event":"e","x":"` + strings.Repeat("x", 32<<10) + `"}`, EventTooLarge},
		{`{"type":"track","userId":"u","event":"Segment Consent Preference Updated"}`, ConsentMissing},
		{`{"type":"track","userId":"u","event":"Segment Consent Preference Updated","context":{"consent":{}}}`, ConsentMissing},
		{`{"type":"track","userId":"u","event":"Segment Consent Preference Updated","context":{"consent":{"categoryPreferences":[]}}}`, ConsentNotObject},
		{`{"type":"track","userId":"u","event":"Segment Consent Preference Updated","context":{"consent":{"categoryPreferences":{"a":1}}}}`, ConsentNotBool},
		{`{"type":"track","userId":"u","event":"Segment Consent Preference Updated","context":{"consent":{"categoryPreferences":{"a":true,"b":false}}}}`, ""},
	} {
		b := decode(t, `{"batch":[`+test.event+`,{"type":"identify","userId":"next"}]}`, "")
		if len(b.Events) != 2 || b.Events[1].Code != "" {
			t.Fatalf("%.100s: the event after it suffers: %+v", test.event, b.Events)
		}
		e := &b.Events[0]
		if e.Code != test.want {
			t.Errorf("%.100s: code %q, want %q", test.event, e.Code, test.want)
		}
		if e.Code == "" {
			continue
		}
		if e.Code.Message() == "" {
			t.Errorf("code %s has no message", e.Code)
		}
		value := b.AppendDiscard(nil, e, e.Code, &Stamp{ReceivedAt: at, WriteKey: "wk"})
		d, err := ParseDiscard(value)
		if err != nil {
			t.Fatalf("%.100s: %v: %s", test.event, err, value)
		}
		if d.Code != test.want || d.WriteKey != "wk" || d.Count != 1 || d.MessageID == "" || !d.ReceivedAt.Equal(at) || d.Bytes != len(test.event) {
			t.Errorf("%.100s: discard record %+v", test.event, d)
		}
		if kept := len(test.event) < 2000; kept != (d.Event != nil) {
			t.Errorf("%.100s: event kept is %t in a record of %d bytes", test.event, d.Event != nil, len(value))
		}
	}
}

func TestBatches(t *testing.T) {
	for _, test := range []struct {
		body   string
		code   Code
		events int
	}{
		{`{}`, EmptyBatch, 0},
		{`{"batch":[]}`, EmptyBatch, 0},
		{`{"batch":null}`, EmptyBatch, 0},
		{`{"batch":{}}`, BadRequest, 0},
		{`{"batch":"x"}`, BadRequest, 0},
		{`{"batch":[{}]}`, "", 1},
		{`{"b\u0061tch":[{}]}`, "", 1},
	} {
		b := decode(t, test.body, "")
		if b.Code != test.code || len(b.Events) != test.events {
			t.Errorf("%s: code %q, %d events; want %q, %d", test.body, b.Code, len(b.Events), test.code, test.events)
		}
	}
	b := decode(t, `{"batch":[`+strings.Repeat(`{},`, 2600)+`7]}`, "")
	if len(b.Events) != 2500 || b.Excess != 101 {
		t.Errorf("%d events, %d too many", len(b.Events), b.Excess)
	}
}

func TestWriteKey(t *testing.T) {
	for body, want := range map[string]string{
		`{"batch":[{"writeKey":"event"}],"writeKey":"envelope"}`: "envelope",
		`{"batch":[{},{"writeKey":"event"}]}`:                    "event",
		`{"batch":[{}],"writeKey":7}`:                            "",
		`{"batch":[{}],"writeKey":"a\"b"}`:                       `a"b`,
	} {
		if b := decode(t, body, ""); string(b.WriteKey) != want {
			t.Errorf("%s: write key %q, want %q", body, b.WriteKey, want)
		}
	}
	b := decode(t, `{"writeKey":"k","userId":"u"}`, Identify)
	if m, _ := canonical(t, b, 0, Stamp{WriteKey: "stamped"}); string(b.WriteKey) != "k" || m["writeKey"] != "stamped" {
		t.Errorf("write key %q, in the event %v", b.WriteKey, m["writeKey"])
	}
}

func TestClientFieldsAreKeptToTheLetter(t *testing.T) {
	props := `{"id":12345678901234567890123,"e":1e999,"z":-0.0,"f":1.10,"__proto__":{"a":1},"s":"</script>` + "\u2028" + `\u2028\u0000\/","o":[ 1 , 2 ]}`
	b := decode(t, `{"event":"e","properties":`+props+`,"userId":"u","_metadata":{"bundled":[]},"constructor":1}`, Track)
	_, line := canonical(t, b, 0, Stamp{})
	for _, want := range []string{`"properties":` + props + `,`, `"_metadata":{"bundled":[]}`, `"constructor":1`, `"event":"e"`, `"userId":"u"`} {
		if !strings.Contains(line, want) {
			t.Errorf("%s is not in %s", want, line)
		}
	}
	if b.Repairs != (Repairs{}) {
		t.Errorf("repairs counted: %+v", b.Repairs)
	}
}

func TestOneLine(t *testing.T) {
	b := decode(t, "{\r\n  \"event\": \"e\",\n  \"userId\": \"u\",\n  \"properties\": {\r\n\t\"a\": [1,\n2]\n  },\"context\":{\n\"a\":\n{}\n}\n}\n", Track)
	m, _ := canonical(t, b, 0, Stamp{})
	if got := m["properties"].(map[string]any)["a"].([]any); len(got) != 2 {
		t.Errorf("properties.a is %v", got)
	}
}

func TestRepairs(t *testing.T) {
	for _, test := range []struct {
		body    string
		want    string // in the canonical form
		repairs Repairs
	}{
		{"{\"userId\":\"u\",\"x\":\"a\xffb\"}", "\"x\":\"a\ufffdb\"", Repairs{Text: 1}},
		{`{"userId":"u","x":"a\ud800b"}`, "\"x\":\"a\ufffdb\"", Repairs{Text: 1}},
		{`{"userId":"u","x":{"a":1,"b":2,"a":3}}`, `"x":{"a":3,"b":2}`, Repairs{Duplicates: 1}},
		{`{"userId":"u","x":{"a":1,"\u0061":2}}`, `"x":{"\u0061":2}`, Repairs{Duplicates: 1}},
		{"{\"userId\":\"u\",\"x\":{\"\xff\":1,\"\xfe\":2}}", "\"x\":{\"\ufffd\":2}", Repairs{Text: 2, Duplicates: 1}},
		{`{"userId":"first","userId":"last","n":12345678901234567890}`, `"userId":"last","n":12345678901234567890`, Repairs{Duplicates: 1}},
		{`{"userId":12345678901234567890}`, `"userId":"12345678901234567890"`, Repairs{IDs: 1}},
		{`{"userId":"u","messageId":17}`, `"messageId":"17"`, Repairs{IDs: 1}},
		{`{"userId":"u","timestamp":"soon"}`, `"userId":"u"`, Repairs{Times: 1}},
		{"{\"userId\":\"u\",\"timestamp\":\"soon\",\"x\":\"\xff\",\"x\":7}", `"x":7`, Repairs{Times: 1, Text: 1, Duplicates: 1}},
	} {
		b := decode(t, test.body, Identify)
		if _, line := canonical(t, b, 0, Stamp{}); !strings.Contains(line, test.want) {
			t.Errorf("%q: %s is not in %s", test.body, test.want, line)
		}
		if b.Repairs != test.repairs {
			t.Errorf("%q: repairs %+v, want %+v", test.body, b.Repairs, test.repairs)
		}
	}
}

func TestMessageIDIsMade(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		b := decode(t, `{"batch":[{"type":"identify","userId":"u"},{"messageId":""},{"messageId":null},7]}`, "")
		for i := range b.Events {
			id := string(b.Events[i].MessageID)
			if len(id) != 36 || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) || seen[id] {
				t.Fatalf("made %q (seen: %t)", id, seen[id])
			}
			seen[id] = true
		}
	}
}

func TestABatchIsUsedAgain(t *testing.T) {
	var b Batch
	for range 3 {
		if err := b.Decode([]byte(`{"batch":[{"type":"page","anonymousId":"a","context":{"x":1}}],"context":{"y":2},"integrations":{"z":1},"sentAt":"2026-11-22T10:00:00Z","writeKey":"k"}`), "", DefaultLimits); err != nil {
			t.Fatal(err)
		}
		if err := b.Decode([]byte("{\"x\":\"\xff\"} x"), Track, DefaultLimits); err == nil || len(b.Events) != 0 || len(b.WriteKey) != 0 {
			t.Fatalf("%v, %d events, key %q", err, len(b.Events), b.WriteKey)
		}
		if err := b.Decode([]byte(`{"userId":"u"}`), Identify, DefaultLimits); err != nil {
			t.Fatal(err)
		}
		m, line := canonical(t, &b, 0, Stamp{})
		if len(m["context"].(map[string]any)) != 0 || m["integrations"] != nil || m["sentAt"] != nil || len(b.WriteKey) != 0 {
			t.Errorf("the batch before shows through: %s", line)
		}
	}
}

func TestKey(t *testing.T) {
	// Stored in logs: these must hold for ever.
	for _, test := range []struct {
		writeKey, anonymousID, userID, messageID string
		want                                     uint64
	}{
		{"wk", "anon", "user", "msg", 0x99b73c6b7423596a},
		{"wk", "", "user", "msg", 0x5ffd97fe19b5f4f8},
		{"wk", "", "", "msg", 0xa747b8113fe0bd49},
		{"", "", "", "", 0xe934a84adb052768},
	} {
		if got := Key(test.writeKey, test.anonymousID, test.userID, test.messageID); got != test.want {
			t.Errorf("Key(%q, %q, %q, %q) = %#x, want %#x", test.writeKey, test.anonymousID, test.userID, test.messageID, got, test.want)
		}
	}
	if Key("a", "b", "", "") == Key("ab", "", "", "") {
		t.Error("the write key runs into the id")
	}
}
