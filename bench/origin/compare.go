package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/tagmill/tagmill/bench/measure"
)

// contender is a running server under test.
type contender struct {
	name string
	url  string
	pid  int // of the process that does the work
	etag string
	stop func()
}

// figure is one measurement of one contender.
type figure struct{ perSecond, cpuMicros float64 }

func compare(rounds, seconds, size int) ([]measure.Result, error) {
	dir, err := os.MkdirTemp("", "tagmill-bench-origin-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ours, err := startOurs(size)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	theirs, err := startNginx(dir, size)
	if err != nil {
		return nil, err
	}
	defer theirs.stop()
	both := []*contender{ours, theirs}
	if err := sameAnswers(both); err != nil {
		return nil, err
	}

	var results []measure.Result
	for _, kind := range []struct {
		name, perSecondGoal, cpuGoal string
		conditional                  bool
	}{
		{name: "origin hit", perSecondGoal: "ratio >= 0.85", cpuGoal: "ratio <= 1.1"},
		{name: "origin 304", perSecondGoal: "ratio >= 0.8", conditional: true},
	} {
		var rate, cpu [2][]float64
		for round := -1; round < rounds; round++ { // the first one warms up
			for i := range both {
				which := (i + round + 2) % 2 // neither always goes first
				f, err := measureOnce(both[which], seconds, kind.conditional)
				if err != nil {
					return nil, err
				}
				fmt.Fprintf(os.Stderr, "%s round %d %-7s %7.0f req/s %6.2f us CPU\n", kind.name, round+1, both[which].name, f.perSecond, f.cpuMicros)
				if round >= 0 {
					rate[which] = append(rate[which], f.perSecond)
					cpu[which] = append(cpu[which], f.cpuMicros)
				}
			}
		}
		results = append(results,
			measure.Result{Name: kind.name, Unit: "req/s", Value: measure.Median(rate[0]), Peer: "nginx static file",
				Ratio: measure.Median(measure.Ratios(rate[0], rate[1])), Rounds: rate[0], Goal: kind.perSecondGoal},
			measure.Result{Name: kind.name + ", CPU a request", Unit: "us", Value: measure.Median(cpu[0]), Peer: "nginx static file",
				Ratio: measure.Median(measure.Ratios(cpu[0], cpu[1])), Rounds: cpu[0], Goal: kind.cpuGoal})
	}
	return results, nil
}

var (
	countLine = regexp.MustCompile(`(\d+) requests in ([\d.]+)(m?s)`)
	rateLine  = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	errorLine = regexp.MustCompile(`(?m)^\s*(Socket errors|Non-2xx or 3xx responses):.*$`)
)

func measureOnce(c *contender, seconds int, conditional bool) (figure, error) {
	args := []string{"-c", "1", "wrk", "-t1", "-c64", "-d" + strconv.Itoa(seconds) + "s", "-H", "Accept-Encoding: gzip, deflate, br"}
	if conditional {
		args = append(args, "-H", "If-None-Match: "+c.etag)
	}
	before, err := cpuTicks(c.pid)
	if err != nil {
		return figure{}, err
	}
	out, err := exec.Command("taskset", append(args, c.url+path)...).CombinedOutput()
	if err != nil {
		return figure{}, fmt.Errorf("wrk against %s: %w: %s", c.name, err, out)
	}
	after, err := cpuTicks(c.pid)
	if err != nil {
		return figure{}, err
	}
	if e := errorLine.Find(out); e != nil {
		return figure{}, fmt.Errorf("wrk against %s: %s", c.name, bytes.TrimSpace(e))
	}
	count, rate := countLine.FindSubmatch(out), rateLine.FindSubmatch(out)
	if count == nil || rate == nil {
		return figure{}, fmt.Errorf("wrk against %s printed no figures: %s", c.name, out)
	}
	n, _ := strconv.ParseFloat(string(count[1]), 64)
	r, _ := strconv.ParseFloat(string(rate[1]), 64)
	if n == 0 {
		return figure{}, fmt.Errorf("wrk against %s: no request was answered", c.name)
	}
	const microsPerTick = 10_000 // USER_HZ is 100 on Linux
	return figure{perSecond: r, cpuMicros: float64(after-before) * microsPerTick / n}, nil
}

// cpuTicks is the user and system time of a process, all its threads, in
// ticks of 10 ms.
func cpuTicks(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; count fields after it.
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	utime, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, err
	}
	stime, err := strconv.ParseInt(string(fields[12]), 10, 64)
	return utime + stime, err
}

// sameAnswers refuses to compare servers that do not do the same work: equal
// body, and every header of ours with the same value (ETag: any), and a 304.
func sameAnswers(both []*contender) error {
	var bodies [2][]byte
	var headers [2]http.Header
	for i, c := range both {
		res, raw, err := get(c.url+path, "")
		if err != nil {
			return err
		}
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", c.name, res.Status)
		}
		bodies[i], headers[i], c.etag = raw, res.Header, res.Header.Get("ETag")
		if res, _, err = get(c.url+path, c.etag); err != nil || res.StatusCode != http.StatusNotModified {
			return fmt.Errorf("%s does not answer its own ETag %q with 304: %v", c.name, c.etag, err)
		}
	}
	if !bytes.Equal(bodies[0], bodies[1]) {
		return fmt.Errorf("bodies differ: %d and %d bytes", len(bodies[0]), len(bodies[1]))
	}
	for name := range maps.Keys(headers[0]) {
		a, b := headers[0].Get(name), headers[1].Get(name)
		if name != "Date" && name != "Etag" && a != b {
			return fmt.Errorf("header %s differs: %q and %q", name, a, b)
		}
	}
	return nil
}

func get(url, ifNoneMatch string) (*http.Response, []byte, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept-Encoding", "gzip, deflate, br")
	if ifNoneMatch != "" {
		req.Header.Set("If-None-Match", ifNoneMatch)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return res, raw, err
}
