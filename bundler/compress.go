package bundler

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
)

// Encodings are the bodies of one bundle. Immutable.
type Encodings struct {
	Identity, Gzip, Brotli []byte
	// Final says that these are the smallest we make; provisional ones are
	// replaced a moment later.
	Final bool
}

// The levels. Provisional costs about 1 ms for 12 KB, final about 25: it buys
// 8-9 percent, so it is worth doing once but not worth waiting for.
const (
	provisionalGzip, finalGzip     = 6, gzip.BestCompression
	provisionalBrotli, finalBrotli = 5, brotli.BestCompression
)

// Compress encodes a script: provisional is quick (gzip-6, brotli-5), final is
// small (gzip-9, brotli-11). The same script gives the same bytes. It keeps js
// as Identity and does not change it.
func Compress(js []byte, final bool) Encodings {
	g, b := provisionalGzip, provisionalBrotli
	if final {
		g, b = finalGzip, finalBrotli
	}
	return Encodings{Identity: js, Gzip: gzipped(js, g), Brotli: brotlied(js, b), Final: final}
}

// Measured is the report with the sizes of the encodings.
func (r Report) Measured(e Encodings) Report {
	r.Gzip, r.Brotli = len(e.Gzip), len(e.Brotli)
	return r
}

func gzipped(b []byte, level int) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, level) // no name and no time in the header
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(fmt.Sprintf("gzip to memory: %v", err)) // the levels are constants, memory takes all
	}
	return out.Bytes()
}

// window is the smallest brotli window, as a power of two, that holds n bytes:
// a larger one gains nothing and is memory to clear for the encoder and to
// keep for every browser.
func window(n int) int {
	const smallest, largest, reserved = 10, 24, 16
	return min(max(bits.Len(uint(n+reserved-1)), smallest), largest)
}

func brotlied(b []byte, level int) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterOptions(&out, brotli.WriterOptions{Quality: level, LGWin: window(len(b))})
	_, err := w.Write(b)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(fmt.Sprintf("brotli to memory: %v", err))
	}
	return out.Bytes()
}
