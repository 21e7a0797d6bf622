package disk

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tagmill/tagmill/events/eventlog"
)

// realistic returns events as the collector writes them: one shape, with ids,
// times, pages and names that differ.
func realistic(n int) []eventlog.Record {
	rng := rand.New(rand.NewPCG(1, 2))
	pages := strings.Fields("/ /pricing /docs/start /docs/api /blog/launch /cart /checkout /account /search /product/1234 /product/88")
	names := strings.Fields("Viewed Clicked Added Removed Started Completed Searched Signed")
	out := make([]eventlog.Record, n)
	for i := range out {
		id := fmt.Sprintf("ajs-next-%016x%016x", rng.Uint64(), rng.Uint64())
		value := fmt.Appendf(nil, `{"type":"track","event":"%s Product","messageId":%q,"anonymousId":"%08x-%04x-4%03x-%04x-%012x","timestamp":"2026-11-22T1%d:%02d:%02d.%03dZ","properties":{"price":%d.%02d,"sku":"sku-%d","quantity":%d,"currency":"EUR"},"context":{"page":{"path":%q,"url":"https://shop.example%s","title":"The shop of example","referrer":"https://search.example/?q=%x"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36","locale":"en-US","library":{"name":"tagmill","version":"1.0.0"}}}`,
			names[rng.IntN(len(names))], id, rng.Uint32(), rng.IntN(1<<16), rng.IntN(1<<12), rng.IntN(1<<16), rng.Uint64()>>16,
			rng.IntN(10), rng.IntN(60), rng.IntN(60), rng.IntN(1000), rng.IntN(300), rng.IntN(100), rng.IntN(9000), 1+rng.IntN(4),
			pages[rng.IntN(len(pages))], pages[rng.IntN(len(pages))], rng.Uint32(), 120+rng.IntN(20))
		out[i] = eventlog.Record{Kind: eventlog.Event, Key: rng.Uint64(), WriteKey: "wk_4f9a8c2be01d", MessageID: id, Value: value}
	}
	return out
}

// bareLog is the floor that the log is measured against: one file, records
// appended with a length and a checksum, group commit, fdatasync.
type bareLog struct {
	f *os.File

	mu      sync.Mutex
	buf     []byte
	other   []byte
	done    chan struct{}
	flushes sync.Mutex
}

func (b *bareLog) append(records []eventlog.Record) error {
	b.mu.Lock()
	leader := b.done == nil
	if leader {
		b.done = make(chan struct{})
	}
	for i := range records {
		b.buf = binary.LittleEndian.AppendUint32(b.buf, uint32(len(records[i].Value)))
		b.buf = binary.LittleEndian.AppendUint32(b.buf, crc32.Checksum(records[i].Value, castagnoli))
		b.buf = append(b.buf, records[i].Value...)
	}
	done := b.done
	b.mu.Unlock()
	if !leader {
		<-done
		return nil
	}
	b.flushes.Lock()
	defer b.flushes.Unlock()
	b.mu.Lock()
	group := b.buf
	b.buf, b.done = b.other[:0], nil
	b.mu.Unlock()
	_, err := b.f.Write(group)
	if err == nil {
		err = unix.Fdatasync(int(b.f.Fd()))
	}
	b.mu.Lock()
	b.other = group
	b.mu.Unlock()
	close(done)
	return err
}

// benchmarkAppend has writers append batches of a size, all at once, and
// reports events per second.
func benchmarkAppend(b *testing.B, writers, batch int, appendTo func([]eventlog.Record) error) {
	records := realistic(4096)
	bytes := 0
	for _, r := range records {
		bytes += len(r.Value)
	}
	b.SetBytes(int64(bytes / len(records) * batch))
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range writers {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				at := int(n) * batch % (len(records) - batch)
				if err := appendTo(records[at : at+batch]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkAppend(b *testing.B) {
	for _, shape := range []struct{ writers, batch int }{{1, 1}, {256, 1}, {128, 20}, {64, 100}} {
		name := fmt.Sprintf("writers=%d/batch=%d", shape.writers, shape.batch)
		b.Run(name+"/log=bare", func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			bare := &bareLog{f: f}
			benchmarkAppend(b, shape.writers, shape.batch, bare.append)
		})
		b.Run(name+"/log=disk", func(b *testing.B) {
			l := open(b, Options{Dir: b.TempDir()})
			benchmarkAppend(b, shape.writers, shape.batch, func(r []eventlog.Record) error { return l.Append(b.Context(), r) })
			b.ReportMetric(float64(l.Stats().Bytes)/float64(l.Stats().Records), "B/event")
		})
	}
}
