package web

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// misframed says what is wrong with a request that fasthttp let through but
// that another server on the way could read differently: the stuff of request
// smuggling. Refusing such requests, and closing the connection, means that
// nothing hidden in one is ever acted on. "" when all is well. Allocates
// nothing.
//
// fasthttp itself refuses repeated or malformed Content-Length and Host,
// unknown transfer codings, white space before a colon, control bytes and
// broken chunks.
func misframed(h *fasthttp.RequestHeader) string {
	if len(h.Host()) == 0 && h.IsHTTP11() {
		return "an HTTP/1.1 request needs a Host header"
	}
	var length, chunked bool
	for raw := h.RawHeaders(); len(raw) > 0; {
		end := bytes.IndexByte(raw, '\n')
		if end < 1 || raw[end-1] != '\r' {
			return "a header line ends in a bare line feed"
		}
		name, value, _ := bytes.Cut(raw[:end], colon)
		if bytes.IndexByte(name, ' ') >= 0 || bytes.IndexByte(name, '\t') >= 0 {
			return "a folded header line, or white space in a header's name"
		}
		switch len(name) {
		case len(contentLength):
			length = length || bytes.EqualFold(name, contentLength)
		case len(transferEncoding):
			if bytes.EqualFold(name, transferEncoding) {
				if chunked = bytes.EqualFold(bytes.TrimSpace(value), codingChunked); !chunked {
					return "a transfer coding other than chunked"
				}
			}
		}
		raw = raw[end+1:]
	}
	// RFC 9112 section 6.3 lets us refuse the two together.
	if length && chunked {
		return "both Content-Length and Transfer-Encoding"
	}
	return ""
}

var (
	colon            = []byte{':'}
	contentLength    = []byte("Content-Length")
	transferEncoding = []byte("Transfer-Encoding")
	codingChunked    = []byte("chunked")
)
