package cdn

import (
	"fmt"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"pgregory.net/rapid"
)

var all = &[encodings]*response{
	brotli: {body: []byte("br")}, gzip: {body: []byte("gzip")}, identity: {body: []byte("identity")},
}

func choose(offers *[encodings]*response, lines ...string) string {
	var h fasthttp.RequestHeader
	for _, l := range lines {
		h.Add("Accept-Encoding", l)
	}
	if r := selected(&h).pick(offers); r != nil {
		return string(r.body)
	}
	return "none"
}

func TestAcceptEncoding(t *testing.T) {
	for _, c := range []struct{ accept, want string }{
		{"gzip, deflate, br, zstd", "br"}, // browsers
		{"gzip, deflate", "gzip"},
		{"br", "br"},
		{"", "identity"},
		{"identity", "identity"},
		{"deflate, zstd", "identity"},
		{"BR;Q=0.5, GZip;q=0.4", "br"},
		{"x-gzip", "gzip"},
		{"br;q=0.1, gzip;q=0.2", "gzip"},
		{"br;q=0.001, gzip;q=0", "br"},
		{"gzip;q=0.5", "gzip"},               // asked for, unlike identity
		{"gzip;q=0.5, identity", "identity"}, // preferred by weight
		{"gzip;q=0.5, identity;q=0.5", "gzip"},
		{"br;q=0, gzip;q=0", "identity"},
		{"*", "br"},
		{"*;q=0.5, br;q=0", "gzip"},
		{"gzip, *;q=0", "gzip"},
		{"*;q=0", "none"},
		{"identity;q=0", "none"},
		{"*;q=0, identity;q=0.1", "identity"},
		{"identity;q=0, *;q=0.1", "br"},
		{"identity;q=0, deflate", "none"},
		{"\t gzip \t;\t q=1 \t", "gzip"},
		{",, ,br,,", "br"},
		{"br;q=1.000", "br"},
		{"br;q=1.", "br"},
		{"br;q=0.", "identity"},
		// A malformed weight: as if not named.
		{"br;q=1.001", "identity"},
		{"br;q=2", "identity"},
		{"br;q=0.1234", "identity"},
		{"br;q=-1", "identity"},
		{"br;q=", "identity"},
		{"br;q", "identity"},
		{"br;level=4", "identity"},
		{"br;q=0.5;q=1", "identity"},
		{"br;q=abc, gzip", "gzip"},
		{"brotli", "identity"},
		{"brx, xbr, b r", "identity"},
	} {
		if got := choose(all, c.accept); got != c.want {
			t.Errorf("%q: got %s, want %s", c.accept, got, c.want)
		}
	}
}

func TestAcceptEncodingOverSeveralLines(t *testing.T) {
	if got := choose(all, "br;q=0", "gzip"); got != "gzip" {
		t.Errorf("two lines: got %s, want gzip", got)
	}
	if got := choose(all); got != "identity" {
		t.Errorf("no line: got %s, want identity", got)
	}
}

func TestWhatIsNotThereIsNotChosen(t *testing.T) {
	some := &[encodings]*response{gzip: all[gzip], identity: all[identity]}
	if got := choose(some, "br, gzip;q=0.1"); got != "gzip" {
		t.Errorf("without brotli: got %s, want gzip", got)
	}
	if got := choose(&[encodings]*response{identity: all[identity]}, "br, gzip"); got != "identity" {
		t.Errorf("with identity alone: got %s, want identity", got)
	}
}

// The rules of RFC 9110 once more, in the plainest way.
func TestAcceptEncodingAgainstTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := map[string]int{} // thousandths
		var members []string
		for _, coding := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"br", "gzip", "identity", "*", "zstd"}), 0, 5, rapid.ID).Draw(t, "codings") {
			q := rapid.IntRange(0, 1000).Draw(t, "q")
			weights[coding] = q
			members = append(members, fmt.Sprintf("%s;q=%d.%03d", coding, q/1000, q%1000))
		}
		want, best := "none", 0.0
		for _, coding := range []string{"br", "gzip", "identity"} {
			weight := 0.0
			if q, ok := weights[coding]; ok {
				weight = float64(q)
			} else if q, ok := weights["*"]; ok {
				weight = float64(q)
			} else if coding == "identity" {
				weight = 0.5 // acceptable, after everything named
			}
			if weight > best {
				want, best = coding, weight
			}
		}
		header := strings.Join(members, ", ")
		if got := choose(all, header); got != want {
			t.Fatalf("%q: got %s, want %s", header, got, want)
		}
	})
}

func TestVaryAndThePolicyComeFromTheTable(t *testing.T) {
	if Vary() != "Accept-Encoding" {
		t.Errorf("Vary: %q", Vary())
	}
	keys := KeyHeaders()
	if len(keys) != len(keyHeaders) || strings.Join(keys[0].Values, " ") != "br gzip identity" {
		t.Errorf("KeyHeaders: %v", keys)
	}
	keys[0].Values[0] = "changed"
	if keyHeaders[0].Values[0] != "br" {
		t.Error("KeyHeaders gives away the table itself")
	}
	// What the policy says a CDN may narrow the header to gives what the
	// whole header gives.
	for _, v := range KeyHeaders()[0].Values {
		if got := choose(all, v); got != v {
			t.Errorf("narrowed to %q: got %s", v, got)
		}
	}
}

func FuzzAcceptEncoding(f *testing.F) {
	f.Add("gzip;q=0.5, br")
	f.Add("*;q=0,identity;q=\x00")
	f.Fuzz(func(t *testing.T, line string) {
		s := selection{}.acceptEncoding([]byte(line))
		for _, w := range append(s.weights[:], s.star) {
			if w < 0 || w > 1001 {
				t.Fatalf("%q: weight %d", line, w)
			}
		}
	})
}
