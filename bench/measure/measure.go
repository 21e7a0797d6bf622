// Package measure is what the benchmarks share: the shape of a figure,
// medians, and a tagmill process to measure.
package measure

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Result is one figure: what was measured, against what, how far it should go.
type Result struct {
	Name   string    `json:"name"`
	Value  float64   `json:"value"` // median over the rounds
	Unit   string    `json:"unit"`
	Peer   string    `json:"peer,omitempty"`
	Ratio  float64   `json:"ratio,omitempty"` // median of the rounds' own ratios to the peer
	Rounds []float64 `json:"rounds,omitempty"`
	// Goal is "ratio >= 0.85" or "value <= 25".
	Goal string `json:"goal,omitempty"`
}

// Met reports whether the goal was reached; true where there is none.
func (r Result) Met() (bool, error) {
	if r.Goal == "" {
		return true, nil
	}
	f := strings.Fields(r.Goal)
	if len(f) != 3 || f[0] != "ratio" && f[0] != "value" || f[1] != "<=" && f[1] != ">=" {
		return false, fmt.Errorf("%s: goal %q is not of the form \"ratio >= 0.85\"", r.Name, r.Goal)
	}
	limit, err := strconv.ParseFloat(f[2], 64)
	if err != nil {
		return false, fmt.Errorf("%s: goal %q: %w", r.Name, r.Goal, err)
	}
	got := r.Value
	if f[0] == "ratio" {
		got = r.Ratio
	}
	if f[1] == "<=" {
		return got <= limit, nil
	}
	return got >= limit, nil
}

// Print writes results as the JSON array the runner reads.
func Print(w io.Writer, results []Result) error {
	return json.NewEncoder(w).Encode(results)
}

// Fail ends a benchmark.
func Fail(err error) {
	fmt.Fprintln(os.Stderr, filepath.Base(os.Args[0])+":", err)
	os.Exit(1)
}

// Median of xs, which must not be empty. It leaves xs as it is.
func Median(xs []float64) float64 { return Percentile(xs, 50) }

// Percentile is the nearest-rank percentile p of xs.
func Percentile(xs []float64, p float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	i := int(float64(len(s))*p/100+0.5) - 1
	if p == 50 && len(s)%2 == 0 {
		return (s[len(s)/2-1] + s[len(s)/2]) / 2
	}
	return s[min(max(i, 0), len(s)-1)]
}

// Ratios divides a by b, round by round.
func Ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

// Server is a tagmill process on a data folder of its own.
type Server struct {
	Edge, Admin string // addresses
	Token       string
	Ready       time.Duration // from start to the ready line
	cmd         *exec.Cmd
	data        string
}

// Serve starts `bin/tagmill serve`, pinned to the given CPUs ("0", "" for
// all). The data folder is made beside the repository's bin folder, so that it
// is on a real disk.
func Serve(cpus string, args ...string) (*Server, error) {
	data, err := os.MkdirTemp("bin", "bench-data-")
	if err != nil {
		return nil, err
	}
	argv := append([]string{"bin/tagmill", "serve", "--data", data, "--edge", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--demo", "off"}, args...)
	if cpus != "" {
		argv = append([]string{"taskset", "-c", cpus}, argv...)
	}
	s := &Server{data: data, cmd: exec.Command(argv[0], argv[1:]...)}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("tagmill did not become ready: %w", err)
	}
	s.Ready = time.Since(began)
	if err := json.Unmarshal(line, s); err != nil {
		return nil, fmt.Errorf("ready line %q: %w", line, err)
	}
	token, err := os.ReadFile(filepath.Join(data, "admin-token"))
	if err != nil {
		return nil, err
	}
	s.Token = strings.TrimSpace(string(token))
	// What it still prints must not fill the pipe.
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return s, nil
}

// UnmarshalJSON reads the ready line.
func (s *Server) UnmarshalJSON(raw []byte) error {
	var r struct{ Edge, Admin string }
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	s.Edge, s.Admin = r.Edge, r.Admin
	return nil
}

// Call asks the admin API and decodes the answer into out, which may be nil.
func (s *Server) Call(method, route string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, s.Admin+"/api/v1"+route, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %s %w", method, route, res.Status, raw, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// ResidentBytes is the process's resident memory.
func (s *Server) ResidentBytes() (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", s.cmd.Process.Pid)
}

// Stop ends the process and removes its data.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.data)
}
