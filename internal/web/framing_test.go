package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// echo answers with what it took for method, path and body.
func echo(ctx *fasthttp.RequestCtx) {
	fmt.Fprintf(ctx, "%s %s %q", ctx.Method(), ctx.Request.Header.RequestURI(), ctx.PostBody())
}

// raw sends bytes on a connection of its own and returns all answers until
// the server closes, or until n came.
func raw(t testing.TB, addr net.Addr, request string, n int) (answers []string, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	for range n {
		method, _, _ := strings.Cut(request, " ")
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Errorf("no answer and no end to %.40q", request)
		}
		if err != nil {
			return answers, true
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, fmt.Sprintf("%d %s", res.StatusCode, body))
		if res.Close {
			_, err := r.ReadByte()
			return answers, err == io.EOF
		}
	}
	return answers, false
}

const smuggled = "GET /x/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

func TestAmbiguousRequestsAreRefusedAndTheConnectionClosed(t *testing.T) {
	s := start(t, Config{}, Route{"/x/", "echo", echo})
	const post = "POST /x/a HTTP/1.1\r\nHost: h\r\n"
	for name, request := range map[string]string{
		"length and chunked":         post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"chunked and length":         post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + smuggled,
		"length and identity":        post + "Content-Length: 0\r\nTransfer-Encoding: identity\r\n\r\n" + smuggled,
		"identity":                   post + "Transfer-Encoding: identity\r\n\r\n" + smuggled,
		"two equal lengths":          post + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + smuggled,
		"two lengths":                post + "Content-Length: 0\r\nContent-Length: 38\r\n\r\n" + smuggled,
		"a list of lengths":          post + "Content-Length: 0, 0\r\n\r\n" + smuggled,
		"signed length":              post + "Content-Length: +0\r\n\r\n" + smuggled,
		"negative length":            post + "Content-Length: -1\r\n\r\n" + smuggled,
		"hex length":                 post + "Content-Length: 0x0\r\n\r\n" + smuggled,
		"empty length":               post + "Content-Length:\r\n\r\n" + smuggled,
		"huge length":                post + "Content-Length: 99999999999999999999999\r\n\r\n" + smuggled,
		"two codings":                post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"a list of codings":          post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"unknown coding":             post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled,
		"vertical tab in coding":     post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + smuggled,
		"space before colon":         post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"coding in HTTP/1.0":         "POST /x/a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"folded line":                post + "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n" + smuggled,
		"folded coding":              post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + smuggled,
		"fold at the first header":   "POST /x/a HTTP/1.1\r\n Host: h\r\n\r\n" + smuggled,
		"bare LF in a header":        post + "X-A: b\nContent-Length: 0\r\n\r\n" + smuggled,
		"bare LF at the end":         post + "Content-Length: 0\r\n\n" + smuggled,
		"bare CR in a value":         post + "X-A: b\rContent-Length: 5\r\n\r\n" + smuggled,
		"bare CR for a bare LF":      post + "X-A: b\rc\nContent-Length: 0\r\n\r\n" + smuggled,
		"NUL in a value":             post + "X-A: b\x00\r\n\r\n" + smuggled,
		"no colon":                   post + "X-A\r\n\r\n" + smuggled,
		"empty name":                 post + ": b\r\n\r\n" + smuggled,
		"space in a name":            post + "X A: b\r\n\r\n" + smuggled,
		"no host":                    "GET /x/a HTTP/1.1\r\n\r\n" + smuggled,
		"two hosts":                  "GET /x/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + smuggled,
		"bad chunk size":             post + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n" + smuggled,
		"0x chunk size":              post + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n" + smuggled,
		"signed chunk size":          post + "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n" + smuggled,
		"negative chunk size":        post + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n" + smuggled,
		"huge chunk size":            post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n" + smuggled,
		"empty chunk size":           post + "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n" + smuggled,
		"chunk longer than its size": post + "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n" + smuggled,
		"bare LF after a chunk size": post + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" + smuggled,
		"bare LF after a chunk":      post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n" + smuggled,
		"bare LF in an extension":    post + "Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n" + smuggled,
		"bare CR in an extension":    post + "Transfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n" + smuggled,
		"no target":                  "GET HTTP/1.1\r\nHost: h\r\n\r\n" + smuggled,
		"space in the target":        "GET /x/a b HTTP/1.1\r\nHost: h\r\n\r\n" + smuggled,
		"HTTP/0.9":                   "GET /x/a\r\n\r\n" + smuggled,
		"HTTP/2 preface":             "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + smuggled,
		"TLS hello":                  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n" + smuggled,
	} {
		answers, closed := raw(t, s.Addr(), request, 2)
		if len(answers) != 1 || !strings.HasPrefix(answers[0], "400 ") || !closed {
			t.Errorf("%s: answers %q, closed %v", name, answers, closed)
		}
	}
}

func TestPlainFramingIsRead(t *testing.T) {
	s := start(t, Config{}, Route{"/x/", "echo", echo})
	const post = "POST /x/a HTTP/1.1\r\nHost: h\r\n"
	for name, c := range map[string]struct{ request, want string }{
		"length":               {post + "Content-Length: 5\r\n\r\nhello", `200 POST /x/a "hello"`},
		"length and spaces":    {post + "Content-Length: \t5 \t\r\n\r\nhello", `200 POST /x/a "hello"`},
		"chunked":              {post + "Transfer-Encoding: Chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", `200 POST /x/a "hello"`},
		"chunked and empty":    {post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", `200 POST /x/a ""`},
		"chunked with trailer": {post + "Transfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", `200 POST /x/a "hello"`},
		"closing and length":   {post + "Connection: close\r\nContent-Length: 5\r\n\r\nhello", `200 POST /x/a "hello"`},
		"closing and chunked":  {post + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", `200 POST /x/a "hello"`},
		"no body":              {post + "\r\n", `200 POST /x/a ""`},
		"GET with a body":      {"GET /x/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", `200 GET /x/a "hello"`},
		"HTTP/1.0":             {"GET /x/a HTTP/1.0\r\n\r\n", `200 GET /x/a ""`},
		"absolute form":        {"GET HTTP://other.example:80/x/a?b HTTP/1.1\r\nHost: h\r\n\r\n", `200 GET /x/a?b ""`},
	} {
		if answers, _ := raw(t, s.Addr(), c.request, 1); len(answers) != 1 || answers[0] != c.want {
			t.Errorf("%s: %q, want %q", name, answers, c.want)
		}
	}
	// What follows on the connection is the next request, and no more.
	answers, _ := raw(t, s.Addr(), post+"Content-Length: 5\r\n\r\nhello"+smuggled, 2)
	if len(answers) != 2 || answers[1] != `200 GET /x/smuggled ""` {
		t.Errorf("pipelined: %q", answers)
	}
}
