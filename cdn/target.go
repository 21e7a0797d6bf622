package cdn

import "bytes"

// kind is what a request path asks for.
type kind uint8

const (
	nothing  kind = iota
	live          // the live bundle of a write key
	build         // one build of it
	settings      // its settings JSON
)

// target is a parsed request path. The slices point into the path.
type target struct {
	kind     kind
	writeKey []byte
	buildID  []byte // of kind build
}

const (
	scriptsPath  = "/analytics.js/v1/"
	projectsPath = "/v1/projects/"
	maxKey       = 128
	maxBuildID   = 64
)

// parse matches the raw request target, query left out, byte for byte:
// nothing is decoded or cleaned, so that one resource has one name in every
// cache. What is not canonical is nothing. Allocates nothing.
func parse(uri []byte) target {
	if i := bytes.IndexByte(uri, '?'); i >= 0 {
		uri = uri[:i]
	}
	switch {
	case hasPrefix(uri, scriptsPath):
		key, rest, ok := cutKey(uri[len(scriptsPath):])
		switch {
		case !ok:
		case string(rest) == "analytics.min.js", string(rest) == "platform/analytics.min.js":
			return target{kind: live, writeKey: key}
		case hasPrefix(rest, "r/") && bytes.HasSuffix(rest, dotMinJS):
			if id := rest[len("r/"):]; isBuildID(id[:len(id)-len(dotMinJS)]) {
				return target{kind: build, writeKey: key, buildID: id[:len(id)-len(dotMinJS)]}
			}
		}
	case hasPrefix(uri, projectsPath):
		if key, rest, ok := cutKey(uri[len(projectsPath):]); ok && string(rest) == "settings" {
			return target{kind: settings, writeKey: key}
		}
	}
	return target{}
}

var dotMinJS = []byte(".min.js")

func hasPrefix(b []byte, p string) bool { return len(b) >= len(p) && string(b[:len(p)]) == p }

// cutKey splits "KEY/rest". A key is 1 to 128 unreserved characters (RFC
// 3986), none of which a client would escape, and not a dot segment, which it
// would fold.
func cutKey(b []byte) (key, rest []byte, ok bool) {
	i := 0
	for i < len(b) && unreserved[b[i]] {
		i++
	}
	key = b[:i]
	if i == 0 || i > maxKey || i == len(b) || b[i] != '/' || string(key) == "." || string(key) == ".." {
		return nil, nil, false
	}
	return key, b[i+1:], true
}

// isBuildID accepts lower-case letters and digits: hashes in any usual form.
func isBuildID(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(b) > 0 && len(b) <= maxBuildID
}

var unreserved = func() (t [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~" {
		t[c] = true
	}
	return t
}()
