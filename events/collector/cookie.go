package collector

import (
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"
	"golang.org/x/net/publicsuffix"
)

const (
	idCookie       = "ajs_anonymous_id"
	idCookieMaxAge = "31536000" // one year, as the browser client sets it
)

// refreshIDCookie sets the anonymous id cookie again, to the value it has.
// Safari keeps a cookie that a script wrote for a week at most; one that a
// server of the same site wrote, for as long as it says.
//
// The domain is the registrable one, by the same public suffix list that
// browsers have, because the browser client finds that same domain by trial: a
// cookie under any other would be a second one. Hosts without one (addresses,
// localhost) are left alone.
func refreshIDCookie(ctx *fasthttp.RequestCtx, origin string) {
	value := string(ctx.Request.Header.Cookie(idCookie))
	if !isCookieValue(value) {
		return
	}
	scheme, originHost, ok := strings.Cut(origin, "://")
	if !ok {
		return
	}
	domain := registrable(string(ctx.Host()))
	if domain == "" || domain != registrable(originHost) {
		return
	}
	if site := ctx.Request.Header.Peek("Sec-Fetch-Site"); len(site) > 0 && string(site) != "same-site" && string(site) != "same-origin" {
		return
	}
	cookie := idCookie + "=" + value + "; Max-Age=" + idCookieMaxAge + "; Domain=" + domain + "; Path=/; SameSite=Lax"
	if scheme == "https" {
		cookie += "; Secure"
	}
	ctx.Response.Header.Add("Set-Cookie", cookie)
}

// registrable is the domain under which a host's site can set cookies, or "".
func registrable(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
		return ""
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return "" // localhost, or a public suffix itself
	}
	return domain
}

// isCookieValue reports whether a value can be sent back as it came: what RFC
// 6265 allows, at a length that an id may have.
func isCookieValue(v string) bool {
	for i := range len(v) {
		if c := v[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\' {
			return false
		}
	}
	return v != "" && len(v) <= 200
}
