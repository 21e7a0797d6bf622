package events

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// browserEvent is what Segment's browser client sends, write key and all.
const browserEvent = `{"timestamp":"2026-11-22T10:00:00.123Z","integrations":{},"type":"track","event":"Product Viewed","properties":{"product_id":"507f1f77bcf86cd799439011","sku":"G-32","category":"Games","name":"Monopoly: 3rd Edition","price":18.99,"quantity":1,"currency":"usd","url":"https://www.example.com/product/path"},"context":{"page":{"path":"/product/path","referrer":"","search":"","title":"Monopoly","url":"https://www.example.com/product/path"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36","locale":"en-US","library":{"name":"analytics.js","version":"next-1.84.3"},"timezone":"Europe/Berlin"},"messageId":"ajs-next-1732269600123-8b6b5fb5-9e0b-4d0a-a4b5-0c6c8e6d1f5a","anonymousId":"2f1c8f0e-5b5e-4a57-9a2e-3c0f6d9e7b1a","userId":null,"writeKey":"dQ3kT0pYwXlq8m5nB2vC7rZs","sentAt":"2026-11-22T10:00:00.456Z","_metadata":{"bundled":["Segment.io"],"unbundled":[],"bundledIds":[]}}`

var benchStamp = Stamp{
	ReceivedAt: time.Date(2026, 11, 22, 10, 0, 1, 0, time.UTC),
	WriteKey:   "dQ3kT0pYwXlq8m5nB2vC7rZs",
	Client:     true,
	IP:         netip.MustParseAddr("203.0.113.7"),
	UserAgent:  []byte("Mozilla/5.0"),
}

func batchOf(n int, event string) []byte {
	var body bytes.Buffer
	body.WriteString(`{"batch":[`)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		body.WriteString(event)
	}
	body.WriteString(`],"writeKey":"dQ3kT0pYwXlq8m5nB2vC7rZs","sentAt":"2026-11-22T10:00:00.456Z"}`)
	return body.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 20, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			body, implied := batchOf(n, browserEvent), Type("")
			if n == 1 {
				body, implied = []byte(browserEvent), Track
			}
			var batch Batch
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				if err := batch.Decode(body, implied, DefaultLimits); err != nil {
					b.Fatal(err)
				}
				out = out[:0]
				for i := range batch.Events {
					out = batch.AppendEvent(out, &batch.Events[i], &benchStamp)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
