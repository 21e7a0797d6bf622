package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/tagmill/tagmill/app"
)

// process is one run of the binary.
type process struct {
	cmd    *exec.Cmd
	ready  app.Ready
	stderr lockedBuffer
	ended  chan struct{} // closed when it has ended; code is then set
	code   int           // -1: by a signal
}

// lockedBuffer is written by a process and read by a test.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// environment is what a process gets: nothing of the tester's settings.
func environment(more []string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	return append(env, more...)
}

// launch starts serve on free ports and returns at once.
func launch(t *testing.T, data string, env []string, args ...string) (*process, chan error) {
	t.Helper()
	p := &process{ended: make(chan struct{})}
	p.cmd = exec.Command(*binary, append([]string{"serve", "--data", data,
		"--edge", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--demo", "off"}, args...)...)
	p.cmd.Env = environment(env)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan error, 1)
	// Reads stdout to its end, so that Wait closes nothing under it; ends with the process.
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if err := json.Unmarshal(lines.Bytes(), &p.ready); err == nil && p.ready.Msg == "ready" {
				ready <- nil
			}
		}
		p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		if p.ready.Msg == "" {
			ready <- errors.New(p.stderr.String())
		}
	}()
	t.Cleanup(p.kill)
	return p, ready
}

// serve starts the product and waits until it is ready.
func serve(t *testing.T, data string, args ...string) *process {
	t.Helper()
	p, ready := launch(t, data, nil, args...)
	if err := <-ready; err != nil {
		t.Fatalf("serve %v ended before it was ready: %v", args, err)
	}
	return p
}

// kill is SIGKILL, or nothing when it has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop is SIGTERM; the end must be orderly.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if p.code != 0 {
		t.Errorf("exit code %d after SIGTERM:\n%s", p.code, tail(p.stderr.String()))
	}
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// tagmill runs a command to its end.
func tagmill(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(t.Context(), *binary, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environment(env), &out, &errOut
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

func token(t *testing.T, data string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(data, app.TokenFile))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

// tail is the end of a long text.
func tail(s string) string {
	if len(s) > 3000 {
		return "..." + s[len(s)-3000:]
	}
	return s
}
