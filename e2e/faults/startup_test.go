package faults

import (
	"database/sql"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// used is a data folder that a server has used and left in order: a secret,
// a published integration, events in a table of the log. Each test gets a copy.
func used(t *testing.T) string {
	t.Helper()
	data := t.TempDir()
	p := serve(t, data)
	s := p.server(t, data)
	s.live(t, s.flip(t, "customerio", map[string]any{"enabled": true, "settings": map[string]any{
		"mode": "cdp", "writeKey": "0123456789abcdef0123", "apiKey": "a-secret-of-the-vendor",
	}}))
	key := s.writeKey(t)
	events := newLoad(t)
	events.pad = 500
	for range 20 {
		if a, err := events.post(t.Context(), s, key, 50); err != nil || a.status != http.StatusOK {
			t.Fatal(a, err)
		}
	}
	p.stop(t)
	return data
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// A start that cannot be ends at once, exit code 1, with a message that names
// the thing and the remedy, and the folder is as it was.
func TestRefusedStarts(t *testing.T) {
	data := used(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() }) // after the parallel parts
	taken := busy.Addr().String()

	write := func(t *testing.T, name, content string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	replace := func(name, content string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string) // done to a copy of the used folder
		env    []string
		args   func(t *testing.T) []string
		says   []string
	}{
		{name: "unknown flag", args: words("--bogus"), says: []string{"--bogus", "--help"}},
		{name: "unknown key in the file", args: func(t *testing.T) []string {
			return []string{"--config", write(t, "tagmill.yaml", "log-level: warn\nedeg: 127.0.0.1:0\nfoo: 1\n")}
		}, says: []string{"tagmill.yaml:2", `"edeg"`, "tagmill.yaml:3", `"foo"`, "edge"}},
		{name: "invalid YAML", args: func(t *testing.T) []string {
			return []string{"--config", write(t, "tagmill.yaml", "edge: [unclosed\n")}
		}, says: []string{"tagmill.yaml", "line 1"}},
		{name: "no such file", args: words("--config", "/nowhere/tagmill.yaml"), says: []string{"/nowhere/tagmill.yaml", "no such file"}},
		{name: "wrong type in the file", args: func(t *testing.T) []string {
			return []string{"--config", write(t, "tagmill.yaml", "disk-budget: plenty\n")}
		}, says: []string{"disk-budget", `"plenty"`}},
		{name: "wrong type in the environment", env: []string{"TAGMILL_RETENTION=forever"}, says: []string{"retention", "forever"}},

		{name: "edge port in use", args: words("--edge", taken), says: []string{taken, "in use", "--edge"}},
		{name: "admin port in use", args: words("--admin", taken), says: []string{taken, "in use", "--admin"}},
		{name: "demo port in use", args: words("--demo", taken), says: []string{taken, "in use", "--demo"}},
		{name: "no such address", args: words("--edge", "203.0.113.9:8080"), says: []string{"203.0.113.9:8080", "no interface", "--edge"}},
		{name: "no such admin address", args: words("--admin", "203.0.113.9:8080"), says: []string{"203.0.113.9:8080", "--admin"}},
		{name: "no address", args: words("--admin", "nonsense"), says: []string{"--admin", "nonsense", "host:port"}},
		{name: "bad TLS pair", args: func(t *testing.T) []string {
			return []string{"--tls-cert", write(t, "cert.pem", "not PEM"), "--tls-key", write(t, "key.pem", "not PEM")}
		}, says: []string{"cert.pem", "key.pem", "PEM"}},
		{name: "half a TLS pair", args: words("--tls-cert", "cert.pem"), says: []string{"--tls-key"}},
		{name: "unknown role", args: words("--roles", "juggler"), says: []string{`"juggler"`, "origin, collector, console"}},
		{name: "a role of later", args: words("--roles", "origin,collector,console,warehouse"), says: []string{"warehouse", "not part of this version"}},
		{name: "split roles on the disk", args: words("--roles", "origin"), says: []string{"--roles", "sqlite:", "disk:", "one process"}},
		{name: "budget below the headroom", args: words("--disk-budget", "1000"), says: []string{"budget", "at least 1024 MB"}},
		{name: "short admin token", env: []string{"TAGMILL_ADMIN_TOKEN=abc"}, says: []string{"TAGMILL_ADMIN_TOKEN", "16"}},
		{name: "malformed secret key", env: []string{"TAGMILL_SECRET_KEY=short"}, says: []string{"TAGMILL_SECRET_KEY", "32 bytes", "openssl rand"}},
		{name: "another secret key", env: []string{"TAGMILL_SECRET_KEY=" + strings.Repeat("ab", 32)}, says: []string{"settings", "secret", "key"}},

		{name: "data folder is a file", args: func(t *testing.T) []string {
			return []string{"--data", write(t, "file", "")}
		}, says: []string{"not a directory", "--data"}},
		{name: "data folder cannot be made", args: words("--data", "/proc/tagmill"), says: []string{"/proc/tagmill", "--data"}},
		{name: "newer data folder", damage: replace("format", "99\n"), says: []string{"format 99", "newer tagmill"}},
		{name: "not a data folder", damage: replace("format", "hello\n"), says: []string{"hello", "not a tagmill data folder"}},
		{name: "settings are no database", damage: func(t *testing.T, dir string) {
			// Without the copy, from which it would otherwise go on.
			os.Remove(filepath.Join(dir, "snapshot"))
			replace("settings.db", strings.Repeat("no database at all\n", 1000))(t, dir)
		}, says: []string{"settings.db", "not a settings database", "restore"}},
		{name: "settings are another program's", damage: func(t *testing.T, dir string) {
			os.Remove(filepath.Join(dir, "settings.db"))
			query(t, dir, `CREATE TABLE bookmarks (url TEXT)`)
		}, says: []string{"settings.db", "not of tagmill"}},
		{name: "newer settings", damage: func(t *testing.T, dir string) {
			query(t, dir, `PRAGMA user_version = 99`)
		}, says: []string{"settings.db", "version 99", "tagmill at least as new"}},
		{name: "empty secret key file", damage: replace("secret-key", ""), says: []string{"secret-key", "empty"}},
		{name: "damaged session key", damage: replace("session-key", "zz\n"), says: []string{"session-key", "32 bytes"}},
		{name: "newer log", damage: replace("log/FORMAT", `{"format":99,"log":"0123456789abcdef"}`), says: []string{"log", "format 99", "newer tagmill"}},
		{name: "log without its identity", damage: func(t *testing.T, dir string) {
			os.Remove(filepath.Join(dir, "log", "FORMAT"))
		}, says: []string{"FORMAT", "backup"}},
		{name: "log's list of tables damaged", damage: func(t *testing.T, dir string) {
			flip(t, filepath.Join(dir, "log", "MANIFEST-*"))
		}, says: []string{"log", "restore"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := copyOf(t, data)
			if c.damage != nil {
				c.damage(t, dir)
			}
			var more []string
			if c.args != nil {
				more = c.args(t)
			}
			p, ready := launch(t, dir, c.env, more...)
			if err := <-ready; err == nil {
				t.Fatalf("it started; its log: %s", tail(p.stderr.String()))
			}
			<-p.ended
			if p.code != 1 {
				t.Errorf("exit code %d, want 1", p.code)
			}
			said := p.stderr.String()
			for _, want := range c.says {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			if strings.Contains(said, "goroutine ") {
				t.Errorf("it panicked:\n%s", said)
			}
		})
	}
}

func words(args ...string) func(*testing.T) []string {
	return func(*testing.T) []string { return args }
}

// query changes a stopped server's settings file behind its back.
func query(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "settings.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// flip changes a byte in every 64 of each file that matches.
func flip(t *testing.T, pattern string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v, %v", pattern, paths, err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 20; i < len(raw); i += 64 {
			raw[i] ^= 0x55
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Two processes on one folder: the second is told who has it, the first goes on.
func TestSecondProcess(t *testing.T) {
	data := t.TempDir()
	p := serve(t, data)
	second, ready := launch(t, data, nil)
	if err := <-ready; err == nil {
		t.Fatal("a second process started on the same data folder")
	}
	<-second.ended
	said := second.stderr.String()
	for _, want := range []string{data, "in use", "--data", "process " + strconv.Itoa(p.cmd.Process.Pid)} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
	for _, args := range [][]string{{"log", "dump"}, {"log", "verify"}, {"backup", filepath.Join(t.TempDir(), "b")}} {
		code, _, errOut := tagmill(t, nil, append(args, "--data", data)...)
		if code != 1 || !strings.Contains(errOut, "in use") {
			t.Errorf("%v on a running server's folder: exit code %d, %s", args, code, errOut)
		}
	}
	s := p.server(t, data)
	if a := s.get(t, s.edge+"/readyz"); a.status != http.StatusOK {
		t.Errorf("the first process: %v", a)
	}
	p.stop(t)
}
