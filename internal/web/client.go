package web

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// Proxies are the reverse proxies whose word about a client's address counts.
// The zero value trusts none.
type Proxies struct {
	// Trusted are their networks.
	Trusted []netip.Prefix
	// Header is the one header they are known to set, such as
	// "CloudFront-Viewer-Address". Empty takes the first that is present of
	// X-Forwarded-For, Forwarded and CloudFront-Viewer-Address.
	Header string
}

// ClientAddr is the address of the client behind a request: the peer's own,
// or what trusted proxies say. A list of hops is read from the nearest one
// back, past every trusted one; the first that is not trusted is the client,
// since what stands before it, anyone could have written. The zero Addr when
// the connection has no IP address. IPv4 in IPv6 is returned as IPv4, without
// zones.
func (p Proxies) ClientAddr(ctx *fasthttp.RequestCtx) netip.Addr {
	peer := peerAddr(ctx)
	if !p.trusts(peer) {
		return peer
	}
	h := &ctx.Request.Header
	if p.Header != "" {
		return p.read(h, p.Header, peer)
	}
	for _, name := range []string{"X-Forwarded-For", "Forwarded", viewerAddress} {
		if len(h.Peek(name)) > 0 {
			return p.read(h, name, peer)
		}
	}
	return peer
}

const viewerAddress = "Cloudfront-Viewer-Address" // as fasthttp writes it

// read walks the hops of one header, nearest first. It stops at what it
// cannot read, with the last address that it could.
func (p Proxies) read(h *fasthttp.RequestHeader, name string, peer netip.Addr) netip.Addr {
	client := peer
	lines := h.PeekAll(name)
	for i := len(lines) - 1; i >= 0; i-- {
		for hops := lines[i]; ; {
			cut := bytes.LastIndexByte(hops, ',')
			hop := string(bytes.TrimSpace(hops[cut+1:]))
			switch {
			case strings.EqualFold(name, "Forwarded"):
				hop = forwardedFor(hop)
			case strings.EqualFold(name, viewerAddress):
				hop = withoutPort(hop)
			}
			addr, ok := parseHop(hop)
			if !ok {
				return client
			}
			client = addr
			if !p.trusts(addr) {
				return client
			}
			if cut < 0 {
				break
			}
			hops = hops[:cut]
		}
	}
	return client
}

func (p Proxies) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(p.Trusted, func(n netip.Prefix) bool { return n.Contains(a) })
}

func peerAddr(ctx *fasthttp.RequestCtx) netip.Addr {
	if a, ok := ctx.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// forwardedFor takes the for parameter out of one element of Forwarded (RFC 7239).
func forwardedFor(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok && strings.EqualFold(name, "for") {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}

// withoutPort cuts the port that CloudFront always writes, after IPv6
// addresses too, which it puts in no brackets.
func withoutPort(s string) string {
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		return s[:i]
	}
	return s
}

// parseHop reads an address with or without port and brackets.
func parseHop(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
