package cdn

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// entityTag is the strong validator of a body. It hashes the encoded bytes,
// so that every encoding has one of its own and two origins with the same
// bytes agree; the suffix is for people.
func entityTag(body []byte, e encoding) []byte {
	sum := sha256.Sum256(body)
	return []byte(`"` + hex.EncodeToString(sum[:12]) + "-" + e.String() + `"`)
}

// matches evaluates one line of If-None-Match: a list of entity tags, or "*".
// The comparison is weak (RFC 9110, section 13.1.2): caches may have weakened
// the tag, and the bytes are the same. A malformed list matches nothing from
// the mistake on.
func matches(line, etag []byte) bool {
	if bytes.Equal(line, etag) { // what browsers send
		return true
	}
	rest := trimOWS(line)
	if len(rest) == 1 && rest[0] == '*' {
		return true
	}
	for len(rest) > 0 {
		switch {
		case rest[0] == ',' || rest[0] == ' ' || rest[0] == '\t':
			rest = rest[1:]
			continue
		case rest[0] == 'W' && len(rest) > 1 && rest[1] == '/':
			rest = rest[2:]
		}
		if len(rest) == 0 || rest[0] != '"' {
			return false
		}
		end := bytes.IndexByte(rest[1:], '"')
		if end < 0 {
			return false
		}
		if bytes.Equal(rest[:end+2], etag) {
			return true
		}
		rest = trimOWS(rest[end+2:])
		if len(rest) > 0 && rest[0] != ',' {
			return false
		}
	}
	return false
}

// BrotliETag is the ETag that browsers get with a brotli body.
func BrotliETag(body []byte) string { return string(entityTag(body, brotli)) }
