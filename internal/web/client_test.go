package web

import (
	"net"
	"net/netip"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestClientAddr(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("130.176.0.0/16")}
	const client, proxy = "198.51.100.7", "10.0.0.1"
	for name, c := range map[string]struct {
		peer    string
		header  string // Proxies.Header
		headers [][2]string
		want    string
	}{
		"no proxy":                        {peer: client, want: client},
		"an untrusted peer is not asked":  {peer: client, headers: [][2]string{{"X-Forwarded-For", "1.1.1.1"}, {"Forwarded", "for=1.1.1.1"}}, want: client},
		"proxy without a word":            {peer: proxy, want: proxy},
		"one hop":                         {peer: proxy, headers: [][2]string{{"X-Forwarded-For", client}}, want: client},
		"what the client made up":         {peer: proxy, headers: [][2]string{{"X-Forwarded-For", "1.1.1.1, " + client}}, want: client},
		"past trusted hops":               {peer: proxy, headers: [][2]string{{"X-Forwarded-For", "1.1.1.1, " + client + " ,130.176.1.1,\t10.9.9.9"}}, want: client},
		"two lines":                       {peer: proxy, headers: [][2]string{{"X-Forwarded-For", "1.1.1.1, " + client}, {"X-Forwarded-For", "10.2.2.2"}}, want: client},
		"only trusted hops":               {peer: proxy, headers: [][2]string{{"X-Forwarded-For", "10.3.3.3, 10.2.2.2"}}, want: "10.3.3.3"},
		"rubbish":                         {peer: proxy, headers: [][2]string{{"X-Forwarded-For", "unknown"}}, want: proxy},
		"rubbish behind a trusted hop":    {peer: proxy, headers: [][2]string{{"X-Forwarded-For", client + ", <script>, 10.2.2.2"}}, want: "10.2.2.2"},
		"empty element":                   {peer: proxy, headers: [][2]string{{"X-Forwarded-For", client + ","}}, want: proxy},
		"with port":                       {peer: proxy, headers: [][2]string{{"X-Forwarded-For", client + ":4711"}}, want: client},
		"IPv6":                            {peer: proxy, headers: [][2]string{{"X-Forwarded-For", "2001:db8::7"}}, want: "2001:db8::7"},
		"IPv6 with port":                  {peer: proxy, headers: [][2]string{{"X-Forwarded-For", "[2001:db8::7]:4711"}}, want: "2001:db8::7"},
		"IPv4 in IPv6":                    {peer: "::ffff:10.0.0.1", headers: [][2]string{{"X-Forwarded-For", "::ffff:198.51.100.7"}}, want: client},
		"IPv6 zone":                       {peer: "fd00::1", headers: [][2]string{{"X-Forwarded-For", "fe80::7%eth0"}}, want: "fe80::7"},
		"Forwarded":                       {peer: proxy, headers: [][2]string{{"Forwarded", `for=1.1.1.1, proto=https;FOR="198.51.100.7:80";by=10.0.0.1, for=10.2.2.2`}}, want: client},
		"Forwarded IPv6":                  {peer: proxy, headers: [][2]string{{"Forwarded", `for="[2001:db8::7]:4711"`}}, want: "2001:db8::7"},
		"Forwarded obfuscated":            {peer: proxy, headers: [][2]string{{"Forwarded", `for=_hidden, for=10.2.2.2`}}, want: "10.2.2.2"},
		"X-Forwarded-For before the rest": {peer: proxy, headers: [][2]string{{"Forwarded", "for=1.1.1.1"}, {"CloudFront-Viewer-Address", "1.1.1.1:1"}, {"X-Forwarded-For", client}}, want: client},
		"CloudFront":                      {peer: proxy, headers: [][2]string{{"CloudFront-Viewer-Address", client + ":4711"}}, want: client},
		"CloudFront IPv6":                 {peer: proxy, headers: [][2]string{{"CloudFront-Viewer-Address", "2001:db8:0:0:0:0:0:7:4711"}}, want: "2001:db8::7"},
		"CloudFront short IPv6":           {peer: proxy, headers: [][2]string{{"CloudFront-Viewer-Address", "2001:db8::7:4711"}}, want: "2001:db8::7"},
		"the one header named":            {peer: proxy, header: "CloudFront-Viewer-Address", headers: [][2]string{{"X-Forwarded-For", "1.1.1.1"}, {"CloudFront-Viewer-Address", client + ":4711"}}, want: client},
		"another header named":            {peer: proxy, header: "CF-Connecting-IP", headers: [][2]string{{"X-Forwarded-For", "1.1.1.1"}, {"cf-connecting-ip", client}}, want: client},
		"the one named is not there":      {peer: proxy, header: "CF-Connecting-IP", headers: [][2]string{{"X-Forwarded-For", "1.1.1.1"}}, want: proxy},
	} {
		var req fasthttp.Request
		for _, h := range c.headers {
			req.Header.Add(h[0], h[1])
		}
		ctx := &fasthttp.RequestCtx{}
		ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(c.peer), Port: 1}, nil)
		p := Proxies{Trusted: trusted, Header: c.header}
		if got := p.ClientAddr(ctx); got != netip.MustParseAddr(c.want) {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
		if got := (Proxies{}).ClientAddr(ctx); got != netip.MustParseAddr(c.peer).Unmap() {
			t.Errorf("%s, trusting nobody: %v", name, got)
		}
	}
}

func TestClientAddrOfNoIP(t *testing.T) {
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&fasthttp.Request{}, &net.UnixAddr{Name: "/run/x"}, nil)
	if got := (Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}).ClientAddr(ctx); got.IsValid() {
		t.Errorf("got %v", got)
	}
}
