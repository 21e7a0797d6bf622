package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// server is a running product as its clients see it.
type server struct {
	edge, admin, token string
	http               *http.Client
}

func (p *process) server(t *testing.T, data string) *server {
	return newServer(t, p.ready.Edge, p.ready.Admin, token(t, data))
}

func newServer(t *testing.T, edge, admin, token string) *server {
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	return &server{edge, admin, token, &http.Client{Transport: transport}}
}

// answer is a response, read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, tail(a.body)) }

func (s *server) request(ctx context.Context, method, url, contentType, auth string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if auth != "" {
		req.Header.Set("Authorization", "Bearer "+auth)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(raw)}, err
}

// get asks either listener for a path, with the token where it is private.
func (s *server) get(t *testing.T, url string) answer {
	t.Helper()
	auth := ""
	if strings.HasPrefix(url, s.admin) {
		auth = s.token
	}
	a, err := s.request(t.Context(), http.MethodGet, url, "", auth, nil)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return a
}

// post sends a body to the collector as the runtime does.
func (s *server) post(t *testing.T, route string, body []byte) answer {
	t.Helper()
	a, err := s.request(t.Context(), http.MethodPost, s.edge+route, "text/plain", "", body)
	if err != nil {
		t.Fatalf("POST %s: %v", route, err)
	}
	return a
}

const source = "/api/v1/workspaces/default/sources/website"

// call uses the API; body may be nil.
func (s *server) call(t *testing.T, method, path string, body any) answer {
	t.Helper()
	var raw []byte
	contentType := ""
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
		contentType = "application/json"
	}
	a, err := s.request(t.Context(), method, s.admin+path, contentType, s.token, raw)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// ok is call for what must succeed; the answer is decoded into out.
func (s *server) ok(t *testing.T, method, path string, body, out any) {
	t.Helper()
	a := s.call(t, method, path, body)
	if a.status/100 != 2 {
		t.Fatalf("%s %s: %v", method, path, a)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(a.body), out); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, a.body)
		}
	}
}

// writeKey is the first key of the default source.
func (s *server) writeKey(t *testing.T) string {
	t.Helper()
	var view struct{ WriteKey string }
	s.ok(t, http.MethodGet, source, nil, &view)
	return view.WriteKey
}

func (s *server) bundleURL(key string) string {
	return s.edge + "/analytics.js/v1/" + key + "/analytics.min.js"
}

type bundleReport struct {
	Revision int64
	State    string
	BuildID  string `json:"buildId"`
	ETag     string
}

// live waits until a revision, or a later one, is served.
func (s *server) live(t *testing.T, revision int64) (report bundleReport) {
	t.Helper()
	eventually(t, fmt.Sprintf("revision %d live", revision), func() (bool, any) {
		a := s.call(t, http.MethodGet, source+"/bundle", nil)
		report = bundleReport{}
		if err := json.Unmarshal([]byte(a.body), &report); err != nil {
			t.Fatalf("%v: %v", err, a)
		}
		if report.State == "failed" {
			t.Fatalf("revision %d did not go live: %v", revision, a)
		}
		return report.State == "live" && report.Revision >= revision, a
	})
	return report
}

// flip switches an integration and returns the revision.
func (s *server) flip(t *testing.T, slug string, change map[string]any) int64 {
	t.Helper()
	var view struct{ Revision int64 }
	s.ok(t, http.MethodPut, source+"/integrations/"+slug, change, &view)
	return view.Revision
}
