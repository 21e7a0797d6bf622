// Command bench runs every benchmark against its peer in the same run, writes
// bench/results.json and prints a table. Each benchmark is a program of its
// own below this folder that prints its results as one JSON array on stdout.
//
//	go run ./bench [-only origin,collector] [-rounds 5]
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tagmill/tagmill/bench/measure"
)

// programs are the benchmarks, in the order they run.
var programs = []string{"size", "idle", "flip", "origin", "collector"}

func main() {
	only := flag.String("only", "", "run these, comma-separated")
	rounds := flag.Int("rounds", 5, "rounds of each comparison")
	out := flag.String("out", "bench/results.json", "where the results go")
	flag.Parse()
	if err := run(*only, *rounds, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(only string, rounds int, out string) error {
	var all []measure.Result
	for _, p := range programs {
		if only != "" && !strings.Contains(","+only+",", ","+p+",") {
			continue
		}
		fmt.Fprintf(os.Stderr, "== %s\n", p)
		cmd := exec.Command("go", "run", "./bench/"+p, "-rounds", strconv.Itoa(rounds))
		cmd.Stderr = os.Stderr
		raw, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		var results []measure.Result
		if err := json.Unmarshal(raw, &results); err != nil {
			return fmt.Errorf("%s: read its results: %w", p, err)
		}
		all = append(all, results...)
	}
	file := struct {
		At      time.Time        `json:"at"`
		Go      string           `json:"go"`
		Cores   int              `json:"cores"`
		Results []measure.Result `json:"results"`
	}{time.Now().UTC().Truncate(time.Second), runtime.Version(), runtime.NumCPU(), all}
	raw, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(out, append(raw, '\n'), 0o644); err != nil {
		return err
	}
	return table(os.Stdout, all)
}

func table(w io.Writer, results []measure.Result) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "what\tmedian\tratio\tagainst\tgoal\t")
	for _, r := range results {
		met, err := r.Met()
		if err != nil {
			return err
		}
		ratio, verdict := "", ""
		if r.Ratio != 0 {
			ratio = fmt.Sprintf("%.2fx", r.Ratio)
		}
		if r.Goal != "" {
			verdict = "reached"
			if !met {
				verdict = "NOT reached"
			}
		}
		fmt.Fprintf(tw, "%s\t%s %s\t%s\t%s\t%s\t%s\n", r.Name, number(r.Value), r.Unit, ratio, r.Peer, r.Goal, verdict)
	}
	return tw.Flush()
}

func number(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
