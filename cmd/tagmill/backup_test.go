package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A backup restored into an empty folder has the same write keys, secrets that
// still open, the same token and, with --events, the same log.
func TestBackupAndRestore(t *testing.T) {
	for name, events := range map[string][]string{"settings": nil, "with events": {"--events"}} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			r, stop := serve(t, data)
			must(t, one(ownKey, "11", "the-vendor-secret"), "apply", "-f", "-", "--data", data)
			for _, e := range []string{"First", "Second", "Third"} {
				post(t, r, ownKey, e)
			}
			refused(t, []string{"backup", filepath.Join(t.TempDir(), "b"), "--data", data}, "in use")
			stop()

			file := filepath.Join(t.TempDir(), "backup.tar.gz")
			must(t, "", append([]string{"backup", file, "--data", data}, events...)...)
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the backup, which has keys in it: %v, %v", info.Mode(), err)
			}
			refused(t, []string{"backup", file, "--data", data}, file, "exists")
			refused(t, []string{"restore", file, "--data", data}, data, "not empty")

			to := filepath.Join(t.TempDir(), "new")
			must(t, "", "restore", file, "--data", to)
			dump := must(t, "", "log", "dump", "--data", data)
			if events != nil {
				if got := must(t, "", "log", "dump", "--data", to); got != dump || strings.Count(got, "\n") != 3 {
					t.Errorf("the log restored:\n%swant\n%s", got, dump)
				}
				must(t, "", "log", "verify", "--data", to)
			}
			if out := must(t, "", "check", "--data", to); out != "ok\n" { // opens every secret
				t.Errorf("check of what was restored: %s", out)
			}

			r, _ = serve(t, to)
			if status, js := get(t, r.Edge+"/analytics.js/v1/"+ownKey+"/analytics.min.js"); status != http.StatusOK || !strings.Contains(js, "0123456789abcdef0123") {
				t.Errorf("bundle: %d, %d bytes", status, len(js))
			}
			post(t, r, ownKey, "Fourth")
			for _, f := range []string{"admin-token", "secret-key", "session-key"} {
				was, err1 := os.ReadFile(filepath.Join(data, f))
				is, err2 := os.ReadFile(filepath.Join(to, f))
				if err1 != nil || err2 != nil || string(was) != string(is) {
					t.Errorf("%s is another one: %v, %v", f, err1, err2)
				}
			}
		})
	}
}

// A damaged backup leaves nothing behind that could be taken for a restore.
func TestDamagedBackups(t *testing.T) {
	data := t.TempDir()
	_, stop := serve(t, data)
	stop()
	file := filepath.Join(t.TempDir(), "b")
	must(t, "", "backup", file, "--events", "--data", data)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{"nothing": "", "text": "hello, this is no backup"}
	for _, part := range []int{2, 3, 10} {
		cases["cut to 1/"+string(rune('0'+part%10))] = string(whole[:len(whole)/part])
	}
	cases["last byte gone"] = string(whole[:len(whole)-1])
	for name, content := range cases {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "new")
			refused(t, []string{"restore", write(t, "b", content), "--data", to}, "backup")
			if _, err := os.Stat(to); !os.IsNotExist(err) {
				t.Errorf("a folder was left behind: %v", err)
			}
		})
	}
	refused(t, []string{"restore", "no/such", "--data", t.TempDir()}, "no/such")
}

// A log and settings kept elsewhere are found where the server had them, and
// come back into the folder.
func TestBackupOfWhatIsKeptElsewhere(t *testing.T) {
	data, elsewhere := t.TempDir(), t.TempDir()
	t.Setenv("TAGMILL_LOG_URL", "disk:"+filepath.Join(elsewhere, "log"))
	t.Setenv("TAGMILL_SETTINGS_URL", "sqlite:"+filepath.Join(elsewhere, "settings.db"))
	r, stop := serve(t, data)
	must(t, one(ownKey, "11", "given"), "apply", "-f", "-", "--data", data)
	post(t, r, ownKey, "Kept")
	stop()
	file, to := filepath.Join(t.TempDir(), "b"), filepath.Join(t.TempDir(), "new")
	must(t, "", "backup", file, "--events", "--data", data)
	dump := must(t, "", "log", "dump", "--data", data)

	t.Setenv("TAGMILL_LOG_URL", "disk:")
	t.Setenv("TAGMILL_SETTINGS_URL", "sqlite:")
	must(t, "", "restore", file, "--data", to)
	if got := must(t, "", "log", "dump", "--data", to); got != dump || !strings.Contains(got, "Kept") {
		t.Errorf("the log restored: %q, want %q", got, dump)
	}
	r, _ = serve(t, to)
	if status, js := get(t, r.Edge+"/analytics.js/v1/"+ownKey+"/analytics.min.js"); status != http.StatusOK || !strings.Contains(js, "0123456789abcdef0123") {
		t.Errorf("bundle: %d, %d bytes", status, len(js))
	}
}
