package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// one is settings with one source whose write key and integration are given.
func one(key, account, secret string) string {
	return `workspaces:
  default:
    sources:
      website:
        writeKeys:
          - key: ` + key + `
        destinations:
          crazyegg:
            settings:
              accountNumber: "` + account + `"
          customerio:
            settings:
              mode: cdp
              writeKey: 0123456789abcdef0123
              apiKey: ` + secret + `
`
}

const ownKey = "ownkeyownkeyownkey12"

func TestApplyAndExport(t *testing.T) {
	t.Setenv("CIO_KEY", "the-vendor-secret")
	data := t.TempDir()
	r, _ := serve(t, data)
	file := write(t, "settings.yaml", one(ownKey, "11", `"${env:CIO_KEY}"`))

	out := must(t, "", "apply", "-f", file, "--dry-run", "--data", data)
	for _, want := range []string{"crazyegg", "website: bundle", "hosts", "nothing was changed"} {
		if !strings.Contains(out, want) {
			t.Errorf("the dry run does not say %q:\n%s", want, out)
		}
	}
	if doc := must(t, "", "export", "--data", data); strings.Contains(doc, "crazyegg") {
		t.Errorf("a dry run changed something:\n%s", doc)
	}
	if out = must(t, "", "apply", "-f", file, "--data", data); !strings.Contains(out, "applied") {
		t.Errorf("apply: %s", out)
	}
	if out = must(t, "", "apply", "-f", file, "--data", data); out != "nothing to change\n" {
		t.Errorf("apply again: %s", out)
	}
	doc := must(t, "", "export", "--data", data)
	for _, want := range []string{ownKey, "crazyegg", "${env:CIO_KEY}"} {
		if !strings.Contains(doc, want) {
			t.Errorf("the export does not have %q:\n%s", want, doc)
		}
	}
	if strings.Contains(doc, "the-vendor-secret") {
		t.Errorf("the export tells a secret:\n%s", doc)
	}
	// What was exported is what is: from standard input, and at an address.
	tok, err := os.ReadFile(filepath.Join(data, "admin-token"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TAGMILL_ADMIN_TOKEN", strings.TrimSpace(string(tok)))
	if out = must(t, doc, "apply", "-f", "-", "--server", r.Admin, "--data", "no/such"); out != "nothing to change\n" {
		t.Errorf("apply of the export: %s", out)
	}

	// All mistakes at once, with their lines, and nothing applied.
	bad := write(t, "bad.yaml", one(ownKey, "eleven", "{}")+"          nosuch: {}\n")
	refused(t, []string{"apply", "-f", bad, "--data", data}, "accountNumber", "nosuch", "apiKey")
	refused(t, []string{"apply", "-f", write(t, "broken.yaml", "workspaces: [\n"), "--data", data}, "line")
	refused(t, []string{"apply", "-f", "no/such.yaml", "--data", data}, "no/such.yaml")
	if again := must(t, "", "export", "--data", data); again != doc {
		t.Errorf("a refused file changed something:\n%s", again)
	}

	// Deletes only with --prune.
	smaller := write(t, "smaller.yaml", "workspaces:\n  default:\n    sources:\n      website:\n        destinations: {}\n")
	if out = must(t, "", "apply", "-f", smaller, "--data", data); out != "nothing to change\n" {
		t.Errorf("apply of less without --prune: %s", out)
	}
	must(t, "", "apply", "-f", smaller, "--prune", "--data", data)
	if doc := must(t, "", "export", "--data", data); strings.Contains(doc, "crazyegg") || !strings.Contains(doc, ownKey) {
		t.Errorf("after --prune:\n%s", doc)
	}
}

func TestWrongTokenAndAbsentServer(t *testing.T) {
	data := t.TempDir()
	r, stop := serve(t, data)
	refused(t, []string{"export", "--data", data, "--admin-token", "not-the-token-of-it"}, "token", "TAGMILL_ADMIN_TOKEN")
	refused(t, []string{"bundle", "nosuch", "--data", data}, "nosuch")
	refused(t, []string{"bundle", "nosuch/website", "--data", data}, "nosuch")
	stop()
	refused(t, []string{"export", "--data", data}, r.Admin, "refused", "is it running")
}

func TestBundle(t *testing.T) {
	data := t.TempDir()
	r, _ := serve(t, data)
	must(t, one(ownKey, "11", "given"), "apply", "-f", "-", "--data", data)
	// A page that asks for a new key waits for its bundle, and so does this test.
	if status, js := get(t, r.Edge+"/analytics.js/v1/"+ownKey+"/analytics.min.js"); status != http.StatusOK || !strings.Contains(js, ownKey) {
		t.Errorf("the applied write key's bundle: %d", status)
	}
	js, report, err := tagmill(t, "", "bundle", "website", "--data", data)
	if err != nil {
		t.Fatal(err)
	}
	var view struct {
		Bytes struct{ Raw int }
		State string
	}
	if err := json.Unmarshal([]byte(report), &view); err != nil || view.Bytes.Raw == 0 {
		t.Errorf("the report %q: %v", report, err)
	}
	if len(js) == 0 || strings.Contains(js, "given") {
		t.Errorf("%d bytes of bundle", len(js))
	}
}

func TestSignin(t *testing.T) {
	data := t.TempDir()
	r, _ := serve(t, data)
	link := strings.TrimSpace(must(t, "", "signin", "--data", data))
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(link, r.Admin+"/signin?link=") {
		t.Fatalf("link %q: %v", link, err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for n, want := range []int{http.StatusSeeOther, http.StatusForbidden} { // once only
		res, err := client.PostForm(r.Admin+"/signin", url.Values{"link": {u.Query().Get("link")}})
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("use %d of the link: %s", n+1, res.Status)
		}
		if cookies := res.Cookies(); (len(cookies) == 1) != (want == http.StatusSeeOther) {
			t.Errorf("use %d of the link: cookies %v", n+1, cookies)
		}
	}
}

func TestEventsTail(t *testing.T) {
	data := t.TempDir()
	r, _ := serve(t, data)
	must(t, one(ownKey, "11", "given"), "apply", "-f", "-", "--data", data)
	post(t, r, ownKey, "Before")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, out := io.Pipe()
	ended := make(chan error, 1)
	// Ends with cancel.
	go func() {
		err := run(ctx, []string{"events", "tail", "website", "--data", data}, strings.NewReader(""), out, io.Discard)
		out.Close()
		ended <- err
	}()
	lines := bufio.NewScanner(in)
	wait := func(event string) {
		t.Helper()
		for lines.Scan() {
			if !json.Valid(lines.Bytes()) {
				t.Errorf("a line that is not JSON: %s", lines.Text())
			}
			if strings.Contains(lines.Text(), event) {
				return
			}
		}
		t.Fatalf("%s did not come", event)
	}
	wait("Before")
	post(t, r, ownKey, "After")
	wait("After")
	cancel()
	for lines.Scan() {
	}
	if err := <-ended; err != nil {
		t.Errorf("a tail that was stopped: %v", err)
	}
}
