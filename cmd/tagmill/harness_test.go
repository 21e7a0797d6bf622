package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tagmill/tagmill/app"
)

// said is what a command printed; it may be read while the command runs.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// tagmill runs one command as main does.
func tagmill(t *testing.T, stdin string, args ...string) (out, errOut string, err error) {
	t.Helper()
	var o, e said
	err = run(t.Context(), args, strings.NewReader(stdin), &o, &e)
	return o.String(), e.String(), err
}

// must is tagmill for a command that has to succeed; it returns its output.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, errOut, err := tagmill(t, stdin, args...)
	if err != nil {
		t.Fatalf("tagmill %s: %v\n%s", strings.Join(args, " "), err, errOut)
	}
	return out
}

// refused is tagmill for a command that has to fail and to say all of wants.
func refused(t *testing.T, args []string, wants ...string) {
	t.Helper()
	_, _, err := tagmill(t, "", args...)
	if err == nil {
		t.Errorf("tagmill %s succeeded", strings.Join(args, " "))
		return
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("tagmill %s: it does not say %q: %v", strings.Join(args, " "), want, err)
		}
	}
}

// serve runs the product on a folder through the command line until stop.
func serve(t *testing.T, data string, args ...string) (ready app.Ready, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	stdout, out := io.Pipe()
	var errOut said
	ended := make(chan error, 1)
	// Ends with stop.
	go func() {
		err := run(ctx, append([]string{"serve", "--data", data, "--edge", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--demo", "off"}, args...),
			strings.NewReader(""), out, &errOut)
		out.Close()
		ended <- err
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("serve ended with %v", err)
			}
		})
	}
	t.Cleanup(stop)
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("serve: %v\n%s", <-ended, errOut.String())
	}
	if err := json.Unmarshal(lines.Bytes(), &ready); err != nil || ready.Msg != "ready" {
		t.Fatalf("ready line %q: %v", lines.Text(), err)
	}
	return ready, stop
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// post sends an event and wants it durable.
func post(t *testing.T, r app.Ready, key, event string) {
	t.Helper()
	res, err := http.Post(r.Edge+"/v1/t", "text/plain", strings.NewReader(`{"writeKey":"`+key+`","type":"track","event":"`+event+`","anonymousId":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("event %s: %s", event, res.Status)
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}
