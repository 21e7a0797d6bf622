package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/tagmill/tagmill/bench/measure"
)

// load is one way of posting events.
type load struct {
	name   string
	events int // in one request
	conns  int
	cores  string // of the server; wrk is on core 1
}

var loads = []load{
	{"single events, one core", 1, 256, "0"},
	{"batches of 20, one core", 20, 128, "0"},
	{"batches of 20, two cores", 20, 128, "0,1"},
}

var modes = []string{"answer", "append", "log"}

func compare(rounds, seconds int) ([]measure.Result, error) {
	scratch, err := os.MkdirTemp("bin", "bench-collector-") // beside the repository: a real disk
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	var results []measure.Result
	for _, l := range loads {
		script := filepath.Join(scratch, "post.lua")
		if err := os.WriteFile(script, lua(l.events), 0o600); err != nil {
			return nil, err
		}
		rates := map[string][]float64{}
		for round := range rounds {
			for _, mode := range modes {
				rate, err := once(l, mode, script, filepath.Join(scratch, fmt.Sprint(round)), seconds)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", l.name, mode, err)
				}
				rates[mode] = append(rates[mode], rate*float64(l.events))
			}
			fmt.Fprintf(os.Stderr, "%s, round %d: answer %.0f, append %.0f, log %.0f events/s\n", l.name, round+1,
				rates["answer"][round], rates["append"][round], rates["log"][round])
		}
		ours := rates["log"]
		result := func(peer, goal string) measure.Result {
			ratios := measure.Ratios(ours, rates[peer])
			names := map[string]string{"answer": "the same server, body not read", "append": "bare append + fdatasync"}
			return measure.Result{Name: "durable POST, " + l.name, Value: measure.Median(ours), Unit: "events/s",
				Peer: names[peer], Ratio: measure.Median(ratios), Rounds: ours, Goal: goal}
		}
		switch {
		case l.events == 1:
			results = append(results, result("answer", "ratio >= 0.38"), result("append", "ratio >= 0.7"))
		case l.cores == "0":
			results = append(results, result("append", "ratio >= 0.6"))
		default:
			results = append(results, result("append", "value >= 300000"))
		}
	}
	return results, nil
}

// lua is wrk's script: 256 requests of one size in turn, each with messageIds of its own.
func lua(events int) []byte {
	event := func(id string) string {
		raw, _ := json.Marshal(map[string]any{
			"type": "track", "event": "Product Viewed", "messageId": id, "anonymousId": "6f0b5b1e-4c52-4f0e-9c7e-2f6f2f9a7d11",
			"timestamp":  "2026-11-22T10:00:00.000Z",
			"properties": map[string]any{"product_id": "507f1f77", "sku": "G-32", "name": "Monopoly: 3rd Edition", "price": 18.99, "quantity": 1, "currency": "usd", "position": 3, "url": "https://www.example.com/product/path"},
			"context": map[string]any{"library": map[string]any{"name": "analytics.js", "version": "tagmill-1"}, "locale": "en-US", "timezone": "Europe/Berlin",
				"page": map[string]any{"path": "/product/path", "referrer": "https://www.example.com/", "title": "Monopoly", "url": "https://www.example.com/product/path"}},
		})
		return string(raw)
	}
	var parts []string
	for i := range events {
		parts = append(parts, event("m-%d-"+strconv.Itoa(i)))
	}
	body := strings.Join(parts, ",")
	if events > 1 {
		body = `{"writeKey":"` + writeKey + `","sentAt":"2026-11-22T10:00:01.000Z","batch":[` + body + `]}`
	} else {
		body = strings.Replace(body, "{", `{"writeKey":"`+writeKey+`","sentAt":"2026-11-22T10:00:01.000Z",`, 1)
	}
	// string.format would want every %d filled; gsub fills them all with the same number.
	return fmt.Appendf(nil, `
local body = %q
wrk.method = "POST"
wrk.headers["Content-Type"] = "text/plain"
local path = %q
local requests, n = {}, 0
init = function()
  -- Made beforehand: making them is work that the server's core must not wait for.
  for i = 1, 256 do
    requests[i] = wrk.format(nil, path, nil, (body:gsub("%%%%d", tostring(100000 + i))))
  end
end
request = function()
  n = n %% 256 + 1
  return requests[n]
end
done = function(summary, latency)
  io.write("RESULT ", summary.requests / (summary.duration / 1e6), " ", summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout, "\n")
end
`, body, map[bool]string{true: "/v1/b", false: "/v1/t"}[events > 1])
}

// once starts a server, loads it and stops it. It returns requests a second.
func once(l load, mode, script, dir string, seconds int) (float64, error) {
	if err := os.RemoveAll(dir); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	server := exec.Command("taskset", "-c", l.cores, self, "-serve", mode, "-dir", dir)
	server.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(len(strings.Split(l.cores, ","))))
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := server.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	}()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("server did not start: %w", err)
	}
	wrk := exec.Command("taskset", "-c", "1", "wrk", "-t1", "-c"+strconv.Itoa(l.conns), "-d"+strconv.Itoa(seconds)+"s", "-s", script, strings.TrimSpace(url))
	wrk.Stderr = os.Stderr
	raw, err := wrk.Output()
	if err != nil {
		return 0, err
	}
	_, line, ok := bytes.Cut(raw, []byte("RESULT "))
	var rate float64
	var failed int
	if _, err := fmt.Sscan(string(line), &rate, &failed); !ok || err != nil {
		return 0, fmt.Errorf("wrk said %q", raw)
	}
	if failed > 0 {
		return 0, fmt.Errorf("%d requests failed", failed)
	}
	return rate, nil
}
