package settings

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Rules are the limits that depend on how this installation is set up.
type Rules struct {
	// LongSMaxAge allows s-maxage above 60 seconds: only where a CDN is told
	// of every change does a long one not mean stale bundles.
	LongSMaxAge bool
	// ReservedEnv are the environment variables that no setting may name:
	// the process's own secrets.
	ReservedEnv []string
}

const (
	day  = 86400
	year = 365 * day
	// maxSMaxAge holds without invalidation.
	maxSMaxAge         = 60
	maxEventsPerSecond = 1_000_000
	maxOrigins         = 200
)

// The choices of Options.Address and Options.Bots, the default first.
var (
	addressChoices = []string{"full", "truncated", "off"}
	botsChoices    = []string{"mark", "drop"}
)

// cachingFields is Caching without its methods, for decoding into.
type cachingFields Caching

// UnmarshalJSON takes the contract's figure for each field left out, so that
// {"maxAge": 300} does not silently set the others to 0.
func (c *Caching) UnmarshalJSON(b []byte) error {
	p := cachingFields(DefaultCaching)
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	*c = Caching(p)
	return nil
}

// UnmarshalYAML is UnmarshalJSON for documents.
func (c *Caching) UnmarshalYAML(decode func(any) error) error {
	p := cachingFields(DefaultCaching)
	if err := decode(&p); err != nil {
		return err
	}
	*c = Caching(p)
	return nil
}

// WorstCase is the longest, in seconds, that a page may go on getting the old
// bundle after a change, while the origin is well.
func (c Caching) WorstCase() int { return c.MaxAge + c.SMaxAge + c.StaleWhileRevalidate }

// Effective adds up a source's options: product defaults, then the
// workspace's, then its own. Every pointer and choice in the result is set;
// AllowedOrigins nil means all, EventsPerSecond 0 unlimited.
func Effective(workspace, source Options) Options {
	caching, no := DefaultCaching, false
	sum := Options{Caching: &caching, Address: addressChoices[0], Bots: botsChoices[0], RefreshIDCookie: &no, SPA: &no}
	for _, o := range []Options{workspace, source} {
		if o.Caching != nil {
			c := *o.Caching
			sum.Caching = &c
		}
		if len(o.AllowedOrigins) > 0 {
			sum.AllowedOrigins = slices.Clone(o.AllowedOrigins)
		}
		if o.Address != "" {
			sum.Address = o.Address
		}
		if o.Bots != "" {
			sum.Bots = o.Bots
		}
		if o.EventsPerSecond != 0 {
			sum.EventsPerSecond = o.EventsPerSecond
		}
		if o.RefreshIDCookie != nil {
			sum.RefreshIDCookie = new(*o.RefreshIDCookie)
		}
		if o.SPA != nil {
			sum.SPA = new(*o.SPA)
		}
	}
	if slices.Equal(sum.AllowedOrigins, []string{"*"}) {
		sum.AllowedOrigins = nil
	}
	sum.EventsPerSecond = max(sum.EventsPerSecond, 0)
	return sum
}

// pin sets in own whatever is needed for Effective(workspace, own) to be want.
func pin(workspace, own, want Options) Options {
	got := Effective(workspace, own)
	if *got.Caching != *want.Caching {
		own.Caching = want.Caching
	}
	if !slices.Equal(got.AllowedOrigins, want.AllowedOrigins) {
		own.AllowedOrigins = want.AllowedOrigins
		if len(want.AllowedOrigins) == 0 {
			own.AllowedOrigins = []string{"*"}
		}
	}
	if got.Address != want.Address {
		own.Address = want.Address
	}
	if got.Bots != want.Bots {
		own.Bots = want.Bots
	}
	if got.EventsPerSecond != want.EventsPerSecond {
		own.EventsPerSecond = want.EventsPerSecond
		if want.EventsPerSecond == 0 {
			own.EventsPerSecond = -1
		}
	}
	if *got.RefreshIDCookie != *want.RefreshIDCookie {
		own.RefreshIDCookie = want.RefreshIDCookie
	}
	if *got.SPA != *want.SPA {
		own.SPA = want.SPA
	}
	return own
}

// normal checks options and returns them in the one form in which they are
// kept: a copy, origins lower-case without default ports and repetitions.
func (o Options) normal(r Rules, problem func(path, message string)) Options {
	if c := o.Caching; c != nil {
		o.Caching = new(*c)
		sMost, sWhy := maxSMaxAge, ": longer only where CDN invalidation is configured"
		if r.LongSMaxAge {
			sMost, sWhy = year, ""
		}
		for _, f := range []struct {
			name   string
			v, max int
			why    string
		}{
			{"maxAge", c.MaxAge, day, ": browsers cannot be told to forget sooner"},
			{"sMaxAge", c.SMaxAge, sMost, sWhy},
			{"staleWhileRevalidate", c.StaleWhileRevalidate, day, ""},
			{"staleIfError", c.StaleIfError, year, ""},
		} {
			if f.v < 0 || f.v > f.max {
				problem("caching."+f.name, fmt.Sprintf("%d is out of range: 0 to %d seconds%s", f.v, f.max, f.why))
			}
		}
	}
	o.AllowedOrigins = normalOrigins(o.AllowedOrigins, problem)
	choice := func(path, v string, of []string) {
		if v != "" && !slices.Contains(of, v) {
			problem(path, fmt.Sprintf("%s is none of %s", quote(v), strings.Join(of, ", ")))
		}
	}
	choice("address", o.Address, addressChoices)
	choice("bots", o.Bots, botsChoices)
	if n := o.EventsPerSecond; n < -1 || n > maxEventsPerSecond {
		problem("eventsPerSecond", fmt.Sprintf("%d is out of range: 1 to %d, 0 for the workspace's, -1 for no limit", n, maxEventsPerSecond))
	}
	if o.RefreshIDCookie != nil {
		o.RefreshIDCookie = new(*o.RefreshIDCookie)
	}
	if o.SPA != nil {
		o.SPA = new(*o.SPA)
	}
	return o
}

func normalOrigins(patterns []string, problem func(path, message string)) []string {
	if len(patterns) > maxOrigins {
		problem("allowedOrigins", fmt.Sprintf("has %d patterns, at most %d are possible: use https://*.example.com", len(patterns), maxOrigins))
		return nil
	}
	var out []string
	for i, p := range patterns {
		n, wrong := normalOrigin(p)
		switch {
		case wrong != "":
			problem(fmt.Sprintf("allowedOrigins[%d]", i), wrong)
		case !slices.Contains(out, n):
			out = append(out, n)
		}
	}
	if len(out) > 1 && slices.Contains(out, "*") {
		problem("allowedOrigins", `"*" allows all and must stand alone`)
	}
	return out
}

// normalOrigin returns an origin pattern as a browser would write it in an
// Origin header, or what is wrong with it.
func normalOrigin(p string) (normal, wrong string) {
	const want = "write it like https://shop.example, https://*.shop.example or http://localhost:3000"
	if p == "*" {
		return p, ""
	}
	u, err := url.Parse(strings.ToLower(strings.TrimSuffix(p, "/")))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", fmt.Sprintf("%s is not an origin: %s", quote(p), want)
	}
	if u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.ForceQuery || strings.HasSuffix(p, "#") {
		return "", fmt.Sprintf("%s is more than an origin: %s, without path, query or user", quote(p), want)
	}
	host, port := u.Hostname(), u.Port()
	if port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "", fmt.Sprintf("%s has an impossible port", quote(p))
		}
	}
	if port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https" {
		port = ""
	}
	name := strings.TrimPrefix(host, "*.")
	if ip := net.ParseIP(host); ip != nil {
		host = ip.String()
		if ip.To4() == nil {
			host = "[" + host + "]"
		}
	} else if wrong := checkHost(name); wrong != "" {
		return "", fmt.Sprintf("%s %s: %s", quote(p), wrong, want)
	} else if name != host && !strings.Contains(name, ".") {
		return "", fmt.Sprintf("%s would allow every site under .%s: name a domain", quote(p), name)
	}
	if port != "" {
		host += ":" + port
	}
	return u.Scheme + "://" + host, ""
}

func checkHost(host string) string {
	if len(host) > 253 {
		return "has too long a host"
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 {
			return "has an empty or too long part in its host"
		}
		for _, c := range label {
			switch {
			case c > 127:
				return "has letters beyond ASCII in its host (use the xn-- form)"
			case c == '*':
				return "has a * that is not the whole first part of the host"
			case c != '-' && c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9'):
				return fmt.Sprintf("has %q in its host", c)
			}
		}
	}
	return ""
}

// OriginAllowed reports whether an Origin header matches one of the patterns
// of Effective options; no patterns allow all. "https://*.shop.example"
// matches any depth below, not shop.example itself.
func OriginAllowed(patterns []string, origin string) bool {
	if len(patterns) == 0 {
		return true
	}
	origin = strings.ToLower(origin)
	for _, p := range patterns {
		if p == "*" || p == origin {
			return true
		}
		scheme, suffix, wild := strings.Cut(p, "://*")
		if !wild {
			continue
		}
		rest, ok := strings.CutPrefix(origin, scheme+"://")
		// A host before the suffix and nothing of a path or user in it.
		if ok && len(rest) > len(suffix) && strings.HasSuffix(rest, suffix) && !strings.ContainsAny(rest, "/@?#") {
			return true
		}
	}
	return false
}
