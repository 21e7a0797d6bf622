package faults

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func gzipped(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// well says that a server answers everybody.
func well(t *testing.T, s *server, key string) {
	t.Helper()
	for url, want := range map[string]int{s.edge + "/livez": 200, s.bundleURL(key): 200, s.admin + source: 200} {
		if a := s.get(t, url); a.status != want {
			t.Errorf("%s: %v", url, a)
		}
	}
	a := s.post(t, "/v1/t", []byte(`{"writeKey":"`+key+`","type":"track","event":"Well","anonymousId":"a"}`))
	if a.status != http.StatusOK {
		t.Errorf("an event: %v", a)
	}
}

// Bodies that are too large, broken or nothing at all get 400 (or are refused
// at the door) with a reason, never a crash and never a 200 that kept nothing.
func TestHostileBodies(t *testing.T) {
	s := open(t, nil, nil)
	key := s.writeKey(t)
	event := `{"writeKey":"` + key + `","type":"track","event":"E","anonymousId":"a"`
	bomb := gzipped(t, bytes.Repeat([]byte(" "), 50<<20))
	whole := gzipped(t, []byte(event+`}`))
	deep := event + `,"properties":` + strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat(`}`, 5001)
	for _, c := range []struct {
		name, route string
		body        []byte
		want        []int
	}{
		{"oversize", "/v1/t", []byte(event + `,"pad":"` + strings.Repeat("x", 2<<20) + `"}`), []int{400, 413}},
		{"oversize batch", "/v1/b", []byte(`{"writeKey":"` + key + `","batch":[` + strings.Repeat(event+`},`, 6000) + event + `}]}`), []int{400, 413}},
		{"zip bomb", "/v1/b", bomb, []int{400}},
		{"zip in zip", "/v1/b", gzipped(t, bomb), []int{400}},
		{"gzip cut off", "/v1/t", whole[:len(whole)-9], []int{400}},
		{"gzip of a byte", "/v1/t", whole[:2], []int{400}},
		{"gzip with a wrong sum", "/v1/t", append(bytes.Clone(whole[:len(whole)-8]), 0, 0, 0, 0, 0, 0, 0, 0), []int{400}},
		{"too deep", "/v1/t", []byte(deep), []int{400}},
		{"nothing", "/v1/t", nil, []int{400}},
		{"bytes", "/v1/t", []byte("\x00\xff\xfe\x80garbage"), []int{400}},
		{"more after it", "/v1/t", []byte(event + `}{}`), []int{400}},
		{"unfinished", "/v1/t", []byte(event), []int{400}},
	} {
		a := s.post(t, c.route, c.body)
		ok := false
		for _, want := range c.want {
			ok = ok || a.status == want
		}
		if !ok || a.body == "" {
			t.Errorf("%s: %v, want %v and a reason", c.name, a, c.want)
		}
	}
	well(t, s.server, key)
}

// raw sends bytes on a connection of its own and returns all that comes back
// until the server closes or patience ends.
func raw(t *testing.T, addr string, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return "" // refused while we were still writing
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return ""
	}
	got, _ := io.ReadAll(conn) // a reset after the answer is as good as its end
	return string(got)
}

// What two servers could frame differently is refused, and what is hidden in
// it is never answered.
func TestSmuggling(t *testing.T) {
	s := open(t, nil, nil)
	key := s.writeKey(t)
	addr := strings.TrimPrefix(s.edge, "http://")
	hidden := "GET /livez HTTP/1.1\r\nHost: smuggled\r\n\r\n"
	head := "POST /v1/t HTTP/1.1\r\nHost: x\r\n"
	for name, request := range map[string]string{
		"CL.TE":           head + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", len(hidden)+5) + hidden,
		"TE.CL":           head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden),
		"two lengths":     head + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + hidden,
		"odd coding":      head + "Transfer-Encoding: xchunked\r\n\r\n" + hidden,
		"space in a name": head + "Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n" + hidden,
		"folded":          head + "X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + hidden,
		"bare line feeds": "POST /v1/t HTTP/1.1\nHost: x\nContent-Length: 0\n\n" + hidden,
		"signed length":   head + "Content-Length: +0\r\n\r\n" + hidden,
		"broken chunk":    head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + hidden,
	} {
		got := raw(t, addr, request)
		if n := strings.Count(got, "HTTP/1.1 "); n > 1 || strings.HasPrefix(got, "HTTP/1.1 2") {
			t.Errorf("%s: %d answers: %q", name, n, got)
		}
	}
	well(t, s.server, key)
}

// Bytes that are no HTTP, thousands of them, and requests cut off anywhere.
func TestGarbage(t *testing.T) {
	s := open(t, nil, nil)
	key := s.writeKey(t)
	rng := rand.New(rand.NewPCG(1, 2))
	body := `{"writeKey":"` + key + `","type":"track","event":"Cut","anonymousId":"a"}`
	request := fmt.Sprintf("POST /v1/t HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	for _, target := range []string{s.edge, s.admin} {
		addr := strings.TrimPrefix(target, "http://")
		for range 100 {
			noise := make([]byte, 1+rng.IntN(3000))
			for i := range noise {
				noise[i] = byte(rng.Uint32())
			}
			if got := raw(t, addr, string(noise)); strings.HasPrefix(got, "HTTP/1.1 2") {
				t.Errorf("noise was answered %q", got)
			}
			if cut := rng.IntN(len(request)); strings.HasPrefix(raw(t, addr, request[:cut]), "HTTP/1.1 2") {
				t.Errorf("a request cut off after %d bytes was answered 200", cut)
			}
		}
	}
	well(t, s.server, key)
	if logs := s.logs.String(); strings.Contains(logs, "panic") {
		t.Errorf("it panicked: %s", tail(logs))
	}
}

// Hundreds of clients that send a byte and then nothing keep nobody else out.
func TestSlowClients(t *testing.T) {
	s := open(t, nil, nil)
	key := s.writeKey(t)
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	parts := []string{"P", "POST /v1/t HTTP/1.1\r\nHost: x\r\nX-Slow: ", "POST /v1/t HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"}
	for i := range 600 {
		target := s.edge
		if i%3 == 0 {
			target = s.admin
		}
		c, err := net.Dial("tcp", strings.TrimPrefix(target, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		if _, err := io.WriteString(c, parts[i%len(parts)]); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				well(t, s.server, key)
			}
		})
	}
	wg.Wait()

	// One that sends slowly but does send is answered.
	c, err := net.Dial("tcp", strings.TrimPrefix(s.edge, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body := `{"writeKey":"` + key + `","type":"track","event":"Slow","anonymousId":"a"}`
	for _, b := range []byte(fmt.Sprintf("POST /v1/t HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)) {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("a slow client: %v, %v", res, err)
	}
}
