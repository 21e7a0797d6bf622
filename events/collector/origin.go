package collector

import (
	"strings"
)

// originAllowed reports whether a page of origin may send events to a source.
func originAllowed(allowed []string, origin string) bool {
	if len(allowed) == 0 || origin == "" {
		return true
	}
	for _, pattern := range allowed {
		if originMatches(pattern, origin) {
			return true
		}
	}
	return false
}

// originMatches compares case-insensitively, as scheme and host are. "*" in
// place of the first label stands for one or more labels.
func originMatches(pattern, origin string) bool {
	scheme, rest, ok := strings.Cut(pattern, "://*.")
	if !ok {
		return strings.EqualFold(pattern, origin)
	}
	originScheme, host, ok := strings.Cut(origin, "://")
	if !ok || !strings.EqualFold(scheme, originScheme) || len(host) <= len(rest)+1 {
		return false
	}
	at := len(host) - len(rest)
	return host[at-1] == '.' && strings.EqualFold(host[at:], rest)
}
