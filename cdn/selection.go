package cdn

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"
)

// KeyHeader is a request header that may change the bytes of an answer, and
// so belongs into a CDN's cache key.
type KeyHeader struct {
	Name string
	// Values is what a CDN may narrow the header to without changing any
	// answer, best first.
	Values []string
}

// keyHeaders is the one table that says which request headers may change a
// byte. Selection reads it, Vary and KeyHeaders are made from it, and so no
// header can matter that caches do not know of. The functions take and return
// values: a pointer passed through the table would escape to the heap.
var keyHeaders = []struct {
	KeyHeader
	apply func(selection, []byte) selection // once for each field line
}{
	{KeyHeader{"Accept-Encoding", []string{"br", "gzip", "identity"}}, selection.acceptEncoding},
}

// KeyHeaders lists the request headers that may change an answer's bytes: the
// cache key of the CDN in front, besides the path. The query is never part of it.
func KeyHeaders() []KeyHeader {
	list := make([]KeyHeader, len(keyHeaders))
	for i, k := range keyHeaders {
		list[i] = KeyHeader{k.Name, append([]string(nil), k.Values...)}
	}
	return list
}

// Vary is the Vary header of every answer that has bytes to choose between.
func Vary() string {
	names := make([]string, len(keyHeaders))
	for i, k := range keyHeaders {
		names[i] = k.Name
	}
	return strings.Join(names, ", ")
}

// encoding is a content coding, best first: the order breaks ties.
type encoding uint8

const (
	brotli encoding = iota
	gzip
	identity
	encodings
)

func (e encoding) String() string { return [encodings]string{"br", "gzip", "identity"}[e] }

// selection is what the key headers of one request ask for.
type selection struct {
	variant Variant
	// weights holds 1 + q in thousandths for each encoding named, 0 for one
	// that was not; star is the same for "*".
	weights [encodings]int16
	star    int16
}

// selected reads the key headers of a request. Allocates nothing.
func selected(h *fasthttp.RequestHeader) selection {
	s := selection{variant: Default}
	for i := range keyHeaders {
		for _, line := range h.PeekAll(keyHeaders[i].Name) {
			s = keyHeaders[i].apply(s, line)
		}
	}
	return s
}

// acceptEncoding adds one Accept-Encoding line (RFC 9110, section 12.5.3). A
// member with a malformed weight is passed over, as if it were not there; of
// one named twice the higher weight counts.
func (s selection) acceptEncoding(line []byte) selection {
	for len(line) > 0 {
		var member []byte
		member, line, _ = bytes.Cut(line, comma)
		coding, params, weighted := bytes.Cut(member, semicolon)
		w := int16(1 + 1000)
		if weighted {
			q, ok := parseWeight(params)
			if !ok {
				continue
			}
			w = 1 + q
		}
		coding = trimOWS(coding)
		switch {
		case equalFold(coding, "br"):
			s.weights[brotli] = max(s.weights[brotli], w)
		case equalFold(coding, "gzip"), equalFold(coding, "x-gzip"):
			s.weights[gzip] = max(s.weights[gzip], w)
		case equalFold(coding, "identity"):
			s.weights[identity] = max(s.weights[identity], w)
		case len(coding) == 1 && coding[0] == '*':
			s.star = max(s.star, w)
		}
	}
	return s
}

// pick chooses the best acceptable response among those offered (nil: not
// offered), or nil when the client accepts none of them. A client that names
// no coding gets identity, which is acceptable until it is refused, but is
// never preferred to a coding that was asked for.
func (s selection) pick(offers *[encodings]*response) *response {
	var best *response
	var bestWeight int16
	for e, offer := range offers {
		w := s.weights[e]
		if w == 0 {
			w = s.star
		}
		switch {
		case w > 0:
			w--
		case encoding(e) == identity:
			w = 1 // no more than the smallest weight: the order decides then
		}
		if w > bestWeight && offer != nil {
			best, bestWeight = offer, w
		}
	}
	return best
}

// parseWeight reads the parameters of a member: OWS "q=" qvalue OWS, q in
// thousandths.
func parseWeight(p []byte) (int16, bool) {
	p = trimOWS(p)
	if len(p) < 3 || p[0]|0x20 != 'q' || p[1] != '=' {
		return 0, false
	}
	p = p[2:]
	if p[0] != '0' && p[0] != '1' || len(p) > 5 || len(p) > 1 && p[1] != '.' {
		return 0, false
	}
	q := int16(p[0]-'0') * 1000
	scale := int16(100)
	for _, d := range p[min(2, len(p)):] {
		if d < '0' || d > '9' {
			return 0, false
		}
		q += int16(d-'0') * scale
		scale /= 10
	}
	return q, q <= 1000
}

var (
	comma     = []byte{','}
	semicolon = []byte{';'}
)

// trimOWS cuts optional white space as RFC 9110 knows it: spaces and tabs.
func trimOWS(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// equalFold compares b with an all lower-case ASCII token.
func equalFold(b []byte, token string) bool {
	if len(b) != len(token) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != token[i] {
			return false
		}
	}
	return true
}
