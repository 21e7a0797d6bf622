package faults

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A log that has used up --disk-budget says so, everything else goes on, and
// more budget at the next start lets it go on.
func TestFaultDiskBudget(t *testing.T) {
	data := t.TempDir()
	const headroom = 512 << 20
	p := serve(t, data, "--disk-budget", "560000000")
	s := p.server(t, data)
	events := newLoad(t)
	events.pad = 28 << 10
	fillLog(t, s, events, (560000000-headroom)/(400<<10)*3)
	stillServes(t, p, s)
	s.live(t, s.flip(t, "crazyegg", map[string]any{"enabled": true, "settings": map[string]any{"accountNumber": "1"}}))
	p.stop(t)

	p = serve(t, data)
	s = p.server(t, data)
	if a, err := events.post(t.Context(), s, s.writeKey(t), 1); err != nil || a.status != http.StatusOK {
		t.Errorf("with more budget: %v, %v", a, err)
	}
	p.stop(t)
	t.Logf("%d events acknowledged, %d in the log", len(events.acked), events.check(data))
}

// fillLog posts large batches until the log says that it is full, which must
// be within max posts.
func fillLog(t *testing.T, s *server, events *load, max int) {
	t.Helper()
	key := s.writeKey(t)
	for n := range max {
		a, err := events.post(t.Context(), s, key, 15)
		if err != nil {
			t.Fatalf("post %d: %v", n, err)
		}
		if a.status == http.StatusOK {
			continue
		}
		if n == 0 {
			t.Error("the log was full from the start")
		}
		wantFull(t, a)
		return
	}
	t.Fatalf("the log took %d posts and is not full", max)
}

func wantFull(t *testing.T, a answer) {
	t.Helper()
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "message") {
		t.Errorf("a full log is answered %v with Retry-After %q", a, a.header.Get("Retry-After"))
	}
}

// stillServes says that a process without room does all that needs none.
func stillServes(t *testing.T, p *process, s *server) {
	t.Helper()
	if !p.alive() {
		t.Fatalf("the process ended:\n%s", tail(p.stderr.String()))
	}
	key := s.writeKey(t)
	for _, url := range []string{s.bundleURL(key), s.edge + "/livez", s.edge + "/readyz", s.admin + "/api/v1/log", s.admin + "/metrics"} {
		if a := s.get(t, url); a.status != http.StatusOK {
			t.Errorf("%s: %v", url, a)
		}
	}
}

// A real disk that fills up, first slowly, then at once and to the last byte.
// Needs a file system of its own, which only root can mount; elsewhere the
// budget's test above stands for it.
func TestFaultDiskFull(t *testing.T) {
	disk, err := mountDisk(t, 3200<<20)
	if err != nil {
		t.Logf("no file system of its own (%v): see TestFaultDiskBudget", err)
		TestFaultDiskBudget(t)
		return
	}
	data := filepath.Join(disk, "data")
	ballast := &ballast{path: filepath.Join(disk, "ballast")}
	p := serve(t, data)
	s := p.server(t, data)
	key := s.writeKey(t)
	events := newLoad(t)
	events.pad = 28 << 10
	setting := func(n string) map[string]any {
		return map[string]any{"enabled": true, "settings": map[string]any{"accountNumber": n}}
	}
	s.live(t, s.flip(t, "crazyegg", setting("11")))

	// Others fill the disk until the log has 40 MB beside reserve and headroom.
	ballast.leave(t, 2<<30+512<<20+40<<20)
	fillLog(t, s, events, 400)
	free := ballast.free(t)
	t.Logf("the log stopped with %d MB free, after %d events", free>>20, len(events.acked))
	if free < 2<<30 {
		t.Errorf("the log took of the reserve: %d MB are free", free>>20)
	}
	stillServes(t, p, s)
	s.live(t, s.flip(t, "crazyegg", setting("22"))) // the reserve is there for this

	// Now to the last byte.
	ballast.leave(t, 0)
	a, err := events.post(t.Context(), s, key, 1)
	if err != nil {
		t.Fatal(err)
	}
	wantFull(t, a)
	refused := false
	for n := 0; n < 200 && !refused; n++ { // some fit into the space its journal has
		a := s.call(t, http.MethodPut, source+"/integrations/crazyegg", setting("33"+strings.Repeat("3", n%5)))
		if refused = a.status != http.StatusOK; refused {
			t.Logf("flip on a full disk: %v", a)
			if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "disk is full") {
				t.Errorf("flip on a full disk: %v; want 503 that names the disk", a)
			}
		}
	}
	if !refused {
		t.Log("every flip fitted into the journal")
	}
	stillServes(t, p, s)
	bundle := s.get(t, s.bundleURL(key))
	if !strings.Contains(bundle.body, `"22"`) && !strings.Contains(bundle.body, `"33`) {
		t.Error("the last good bundle is not live")
	}

	// Space returns: all goes on by itself.
	ballast.drop(t)
	eventually(t, "events accepted again", func() (bool, any) {
		a, err := events.post(t.Context(), s, key, 1)
		return err == nil && a.status == http.StatusOK, a
	})
	s.live(t, s.flip(t, "crazyegg", setting("44")))
	eventually(t, "the newest setting in the bundle", func() (bool, any) {
		a := s.get(t, s.bundleURL(key))
		return strings.Contains(a.body, `"44"`), a.status
	})

	p = fillUnderLoad(t, p, s, events, ballast, data)
	p.stop(t)
	t.Logf("%d events acknowledged, %d in the log", len(events.acked), events.check(data))
}

// fillUnderLoad takes all space at once while events arrive, so that the log
// may meet the end of the disk in the middle of a write. It returns the
// process that accepts events again.
func fillUnderLoad(t *testing.T, p *process, s *server, events *load, b *ballast, data string) *process {
	t.Helper()
	key := s.writeKey(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan struct{})
	go func() { defer close(done); events.run(ctx, s, key, 1, 15, 15) }()
	events.untilAcked(200, done)
	b.leave(t, 0)
	eventually(t, "503 on a full disk", func() (bool, any) {
		a, err := events.post(t.Context(), s, key, 1)
		return err == nil && a.status == http.StatusServiceUnavailable, a
	})
	stop()
	<-done
	stillServes(t, p, s)
	restart := strings.Contains(p.stderr.String(), "accepts nothing until a restart")
	t.Logf("filled at once under load; the log has to be started again: %v", restart)
	if !restart {
		b.drop(t)
		eventually(t, "events accepted again", func() (bool, any) {
			a, err := events.post(t.Context(), s, key, 1)
			return err == nil && a.status == http.StatusOK, a
		})
		b.leave(t, 0)
	}

	// A start on the full disk serves, or says what is wrong.
	p.kill()
	p, ready := launch(t, data, nil)
	if err := <-ready; err != nil {
		t.Logf("a start on a full disk: %v", err)
		for _, want := range []string{data, "disk is full", "free some space"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("it does not say %q", want)
			}
		}
		b.drop(t)
		p = serve(t, data)
	} else {
		t.Log("a start on a full disk serves")
		stillServes(t, p, p.server(t, data))
		b.drop(t)
	}
	s = p.server(t, data)
	eventually(t, "events accepted again", func() (bool, any) {
		a, err := events.post(t.Context(), s, key, 1)
		return err == nil && a.status == http.StatusOK, a
	})
	return p
}

// mountDisk makes a file system of its own in a sparse file.
func mountDisk(t *testing.T, size int64) (dir string, err error) {
	t.Helper()
	folder := t.TempDir()
	image, dir := filepath.Join(folder, "disk.img"), filepath.Join(folder, "disk")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"mkfs.ext4", "-q", "-F", "-m", "0", image},
		{"mount", "-o", "loop", image, dir},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", &commandError{args[0], strings.TrimSpace(string(out)), err}
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", dir, err, out)
		}
	})
	return dir, nil
}

type commandError struct {
	name, said string
	err        error
}

func (e *commandError) Error() string { return e.name + ": " + e.err.Error() + ": " + e.said }

// ballast is a file that takes the space of a disk.
type ballast struct{ path string }

func (b *ballast) free(t *testing.T) int64 {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(b.path), &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Bavail) * st.Bsize
}

// leave grows the file until no more than n bytes are free.
func (b *ballast) leave(t *testing.T, n int64) {
	t.Helper()
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// In shrinking steps: the file system needs some blocks for itself.
	for step := b.free(t) - n; step >= 4096; {
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		step = min(step, b.free(t)-n)
		if step < 4096 {
			return
		}
		err = syscall.Fallocate(int(f.Fd()), 0, info.Size(), step)
		if err == syscall.ENOSPC {
			step /= 2
		} else if err != nil && err != syscall.EINTR {
			t.Fatal(err)
		}
	}
}

// drop gives the space back.
func (b *ballast) drop(t *testing.T) {
	t.Helper()
	if err := os.Remove(b.path); err != nil {
		t.Fatal(err)
	}
}
