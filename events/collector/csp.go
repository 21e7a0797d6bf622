package collector

import (
	"encoding/json"
	"net/url"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"
)

// Reports come from anybody, so what is counted of them is bounded: directives
// by the list below, blocked hosts by the first maxBlocked seen.
const (
	maxReportBytes = 64 << 10
	maxReports     = 100 // in one post
	maxBlocked     = 200
)

var directives = map[string]bool{
	"default-src": true, "script-src": true, "script-src-elem": true, "script-src-attr": true,
	"style-src": true, "style-src-elem": true, "style-src-attr": true, "img-src": true,
	"connect-src": true, "font-src": true, "frame-src": true, "child-src": true,
	"worker-src": true, "media-src": true, "object-src": true, "manifest-src": true,
	"form-action": true, "frame-ancestors": true, "base-uri": true,
	"require-trusted-types-for": true, "trusted-types": true, "sandbox": true,
}

// cspCounter remembers which blocked hosts have a series of their own.
type cspCounter struct {
	mu      sync.Mutex // held for a map look-up, a few times a report
	blocked map[string]bool
}

// label returns the host, or "other" when there are too many.
func (c *cspCounter) label(host string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.blocked[host] {
		return host
	}
	if len(c.blocked) >= maxBlocked {
		return "other"
	}
	if c.blocked == nil {
		c.blocked = map[string]bool{}
	}
	c.blocked[host] = true
	return host
}

// violation is one report in either form browsers send: report-uri writes
// names with dashes, the Reporting API in camel case.
type violation struct {
	BlockedURI         string `json:"blocked-uri"`
	BlockedURL         string `json:"blockedURL"`
	ViolatedDirective  string `json:"violated-directive"`
	EffectiveDirective string `json:"effective-directive"`
	EffectiveCamel     string `json:"effectiveDirective"`
}

// cspReport counts the violations that a page's browser reports.
func (c *Collector) cspReport(ctx *fasthttp.RequestCtx) {
	body := ctx.PostBody()
	if len(body) > maxReportBytes {
		c.refuse(ctx, fasthttp.StatusBadRequest, "report is larger than 64 KB")
		return
	}
	violations, ok := parseReports(body)
	if !ok {
		c.refuse(ctx, fasthttp.StatusBadRequest, "not a violation report; point report-uri or a Reporting-Endpoints entry here")
		return
	}
	for _, v := range violations {
		c.metrics.csp.WithLabelValues(v.directive(), c.csp.label(v.blocked())).Inc()
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	c.metrics.request(fasthttp.StatusNoContent)
}

func parseReports(body []byte) ([]violation, bool) {
	var old struct {
		Report *violation `json:"csp-report"`
	}
	if json.Unmarshal(body, &old) == nil {
		if old.Report == nil {
			return nil, false
		}
		return []violation{*old.Report}, true
	}
	var reports []struct {
		Type string    `json:"type"`
		Body violation `json:"body"`
	}
	if json.Unmarshal(body, &reports) != nil {
		return nil, false
	}
	var list []violation
	for _, r := range reports[:min(len(reports), maxReports)] {
		if r.Type == "csp-violation" {
			list = append(list, r.Body)
		}
	}
	return list, true
}

func (v *violation) directive() string {
	d := v.EffectiveCamel
	if d == "" {
		d = v.EffectiveDirective
	}
	if d == "" {
		d, _, _ = strings.Cut(v.ViolatedDirective, " ")
	}
	if !directives[d] {
		return "other"
	}
	return d
}

// blocked is the host of what was blocked, or one of the words that browsers
// write in place of a URL.
func (v *violation) blocked() string {
	at := v.BlockedURL
	if at == "" {
		at = v.BlockedURI
	}
	switch at {
	case "inline", "eval", "wasm-eval", "data", "blob", "trusted-types-policy", "trusted-types-sink":
		return at
	}
	u, err := url.Parse(at)
	if err != nil || u.Hostname() == "" || len(u.Hostname()) > 253 {
		return "other"
	}
	return strings.ToValidUTF8(strings.ToLower(u.Hostname()), "")
}
