package collector

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tagmill/tagmill/events"
	"github.com/tagmill/tagmill/events/eventlog"
)

func TestEveryRoute(t *testing.T) {
	types := map[string]string{
		"t": "track", "p": "page", "i": "identify", "g": "group", "a": "alias", "s": "screen",
	}
	for _, name := range []string{"track", "page", "identify", "group", "alias", "screen"} {
		types[name] = name
	}
	for route, want := range types {
		b := newRig(t, Source{})
		b.want(b.post("/v1/"+route, `{"userId":"u","event":"e","groupId":"g","previousId":"p","writeKey":"`+key+`"}`), 200)
		if _, m := b.only(eventlog.Event); m["type"] != want {
			t.Errorf("%s: type %v, want %s", route, m["type"], want)
		}
	}
	for _, route := range []string{"b", "batch", "import"} {
		b := newRig(t, Source{})
		b.want(b.post("/v1/"+route, `{"batch":[`+track+`],"writeKey":"`+key+`"}`), 200)
		b.only(eventlog.Event)
	}
	for _, path := range Paths() {
		b := newRig(t, Source{})
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "BREW"} {
			res := b.do(method, path, track)
			b.want(res, 405)
			if allow := string(res.Header.Peek("Allow")); allow != "POST, OPTIONS" {
				t.Errorf("%s %s: Allow %q", method, path, allow)
			}
		}
		if len(b.records()) != 0 {
			t.Errorf("%s: a refused method left %v", path, brief(b.records()))
		}
	}
}

func TestOnlyCanonicalPaths(t *testing.T) {
	b := newRig(t, Source{})
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v1/x", "/v1/track/", "//v1/track", "/v1//track", "/v1/%74rack", "/v1/./track",
		"/v1/x/../track", "/V1/track", "/v1/Track", "/v1/track;x", "/v1/track#x", "/v1/track%00", "http://collector.example/v1/track", "*", "", "/v1%2ftrack", "/v1/pixel", "/v1/pixel/", "/v1/pixel/track/x",
		"/v1/projects/" + key + "/settings",
	} {
		res := b.post(path, track)
		b.want(res, 404)
		if cache := string(res.Header.Peek("Cache-Control")); cache != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, cache)
		}
	}
	b.want(b.post("/v1/track?x=1", track), 200)
}

func zip(t testing.TB, body string) string {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestBodies(t *testing.T) {
	large := `{"batch":[` + strings.Repeat(track+",", 6000) + track + `]}`
	for _, test := range []struct {
		name, path, body string
		headers          []string
		want             int
	}{
		{"text/plain", "/v1/t", track, []string{"Content-Type", "text/plain"}, 200},
		{"no type", "/v1/t", track, nil, 200},
		{"odd type", "/v1/t", track, []string{"Content-Type", "image/png"}, 200},
		{"zipped", "/v1/t", zip(t, track), []string{"Content-Encoding", "gzip"}, 200},
		{"zipped, header missing", "/v1/t", zip(t, track), []string{"Content-Type", "text/plain"}, 200},
		{"header, but not zipped", "/v1/t", track, []string{"Content-Encoding", "gzip"}, 200},
		{"zipped, in two members", "/v1/t", zip(t, track[:20]) + zip(t, track[20:]), nil, 200},
		{"zipped, rubbish after", "/v1/t", zip(t, track) + "rubbish", nil, 400},
		{"empty", "/v1/t", "", nil, 400},
		{"zipped nothing", "/v1/t", zip(t, ""), nil, 400},
		{"not JSON", "/v1/t", "event=e&userId=u", nil, 400},
		{"array", "/v1/b", "[" + track + "]", nil, 400},
		{"trailing bytes", "/v1/t", track + "x", nil, 400},
		{"event too large", "/v1/t", `{"x":"` + strings.Repeat("x", 32<<10) + `"}`, nil, 400},
		{"batch too large", "/v1/b", large, nil, 400},
		{"batch too large once unzipped", "/v1/b", zip(t, large), nil, 400},
		{"zip bomb", "/v1/b", zip(t, strings.Repeat(" ", 50<<20)), nil, 400},
		{"too deep", "/v1/t", `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, nil, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newRig(t, Source{})
			res := b.post(test.path, test.body, test.headers...)
			b.want(res, test.want)
			if test.want == 200 {
				b.only(eventlog.Event)
			} else if len(b.records()) != 0 {
				t.Errorf("refused, but stored %v", brief(b.records()))
			}
			if got := b.inFlight.Load(); got != 0 {
				t.Errorf("%d bytes in flight afterwards", got)
			}
		})
	}
	b := newRig(t, Source{})
	whole := zip(t, track)
	for n := range len(whole) {
		b.want(b.post("/v1/t", whole[:n]), 400)
	}
}

func TestErrorsDoNotReflectInput(t *testing.T) {
	b := newRig(t, Source{})
	const script = `<script>alert(1)</script>`
	for _, res := range []interface{ Body() []byte }{
		b.post("/v1/t", script), b.post("/v1/t", `{"`+script+`":}`), b.post("/v1/"+script, track),
		b.post("/v1/t", `{"writeKey":"<s>"}`), b.do(script, "/v1/t", ""), b.post("/v1/csp", script),
		b.post("/v1/t", track, "Content-Encoding", script),
	} {
		if bytes.Contains(res.Body(), []byte("<s")) {
			t.Errorf("answer reflects input: %s", res.Body())
		}
	}
}

func basic(user string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(user)) }

func TestWriteKeyIsFound(t *testing.T) {
	keyless := `{"userId":"u","event":"e"}`
	batch := `{"batch":[{"type":"track","userId":"u","event":"e"}]}`
	for _, test := range []struct {
		name, path, body, auth string
		known                  bool
	}{
		{"body", "/v1/t", track, "", true},
		{"envelope", "/v1/b", `{"batch":[{"type":"track","userId":"u","event":"e"}],"writeKey":"` + key + `"}`, "", true},
		{"an event of a batch", "/v1/b", `{"batch":[` + track + `]}`, "", true},
		{"Basic", "/v1/t", keyless, basic(key + ":"), true},
		{"Basic, batch", "/v1/batch", batch, basic(key + ":"), true},
		{"Basic with a password", "/v1/t", keyless, basic(key + ":secret"), true},
		{"Basic without the colon", "/v1/t", keyless, basic(key), true},
		{"Basic without padding", "/v1/t", keyless, strings.TrimRight(basic(key), "="), true},
		{"basic in lower case", "/v1/t", keyless, "basic" + strings.TrimPrefix(basic(key+":"), "Basic"), true},
		{"the body wins over Basic", "/v1/t", track, basic("some-other-key:"), true},
		{"Bearer and body", "/v1/t", track, "Bearer abc.def.ghi", true},
		{"Bearer alone", "/v1/t", keyless, "Bearer " + key, false},
		{"Basic rubbish", "/v1/t", keyless, "Basic %%%", false},
		{"Basic nothing", "/v1/t", keyless, "Basic ", false},
		{"Basic empty user", "/v1/t", keyless, basic(":x"), false},
		{"none", "/v1/t", keyless, "", false},
		{"empty", "/v1/t", `{"userId":"u","event":"e","writeKey":""}`, "", false},
		{"short", "/v1/t", `{"userId":"u","event":"e","writeKey":"abc"}`, "", false},
		{"long", "/v1/t", `{"userId":"u","event":"e","writeKey":"` + strings.Repeat("k", 300) + `"}`, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newRig(t, Source{})
			res := b.post(test.path, test.body, "Authorization", test.auth)
			if !test.known {
				b.want(res, 400)
				return
			}
			b.want(res, 200)
			if r, m := b.only(eventlog.Event); r.WriteKey != key || m["writeKey"] != key {
				t.Errorf("record of %q, event of %v", r.WriteKey, m["writeKey"])
			}
		})
	}
}

func TestRecord(t *testing.T) {
	b := newRig(t, Source{})
	b.want(b.post("/v1/t", track), 200)
	r, m := b.only(eventlog.Event)
	now := b.now.Truncate(time.Millisecond)
	if r.WriteKey != key || r.MessageID != "m-1" || !r.ReceivedAt.Equal(now) || r.Key != events.Key(key, "", "u-1", "m-1") {
		t.Errorf("record %+v", r)
	}
	if m["receivedAt"] != now.Format("2006-01-02T15:04:05.000Z") {
		t.Errorf("receivedAt %v, want %v", m["receivedAt"], now)
	}
	b.count(b.metrics.accepted, 1)
}

func TestOneBadEventNeverRefusesItsBatch(t *testing.T) {
	b := newRig(t, Source{})
	b.want(b.post("/v1/b", `{"batch":[7,{"type":"track","userId":"u"},`+track+`,{"type":"nap"}],"writeKey":"`+key+`"}`), 200)
	records := b.records()
	if len(records) != 4 || records[0].Kind != eventlog.Event || records[0].MessageID != "m-1" {
		t.Fatalf("records %v", brief(records))
	}
	if got := fmt.Sprint(b.codes()); got != "[bad_request event_not_defined bad_request]" {
		t.Errorf("codes %s", got)
	}
	b.count(b.metrics.discarded[events.BadRequest], 2)
	b.count(b.metrics.accepted, 1)

	b = newRig(t, Source{})
	b.want(b.post("/v1/b", `{"batch":[],"writeKey":"`+key+`"}`), 200)
	b.want(b.post("/v1/b", `{"batch":[`+strings.Repeat(`0,`, 2600)+`0],"writeKey":"`+key+`"}`), 200)
	codes := b.codes()
	if len(codes) != 2502 || codes[0] != events.EmptyBatch || codes[2501] != events.TooManyEvents {
		t.Errorf("%d codes: %v ...", len(codes), codes[0])
	}
	b.count(b.metrics.discarded[events.TooManyEvents], 101)
}

func TestRepairsAreCounted(t *testing.T) {
	b := newRig(t, Source{})
	b.want(b.post("/v1/t", "{\"userId\":7,\"event\":\"\xff\",\"x\":1,\"x\":2,\"timestamp\":\"now\",\"writeKey\":\""+key+"\"}"), 200)
	b.only(eventlog.Event)
	b.count(b.metrics.repaired.text, 1)
	b.count(b.metrics.repaired.duplicates, 1)
	b.count(b.metrics.repaired.ids, 1)
	b.count(b.metrics.repaired.times, 1)
}

func TestOff(t *testing.T) {
	b := newRig(t, Source{Off: []string{"mixpanel", `a"b</script>`}})
	res := b.post("/v1/t", track)
	b.want(res, 200)
	var got struct{ Off []string }
	if err := json.Unmarshal(res.Body(), &got); err != nil || !slices.Equal(got.Off, b.sources.byKey[key].Off) || bytes.Contains(res.Body(), []byte("<")) {
		t.Errorf("answer %s (%v)", res.Body(), err)
	}
}

func TestRequestsAtOnceDoNotMix(t *testing.T) {
	b := newRig(t, Source{})
	const workers, each = 8, 50
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%d-%d", w, i)
				event := fmt.Sprintf(`{"type":"track","event":"e%s","userId":"%s","messageId":"%s","properties":{"pad":"%s"}}`, id, id, id, strings.Repeat("x", i*7))
				body := `{"batch":[` + event + `,` + event + `],"writeKey":"` + key + `"}`
				if i%2 == 0 {
					body = zip(t, body)
				}
				b.want(b.post("/v1/b", body), 200)
			}
		})
	}
	wg.Wait()
	records := b.records()
	if len(records) != 2*workers*each {
		t.Fatalf("%d records", len(records))
	}
	for _, r := range records {
		if !bytes.Contains(r.Value, []byte(`"event":"e`+r.MessageID+`","userId":"`+r.MessageID+`"`)) {
			t.Fatalf("record %s holds %s", r.MessageID, r.Value)
		}
	}
}
