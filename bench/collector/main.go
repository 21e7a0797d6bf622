// Command collector measures the durable event path against two peers in the
// same run: the same server answering without reading the body, and the same
// collector on a bare file, appended and fdatasynced in groups.
//
//	go run ./bench/collector [-rounds 5] [-seconds 4]
package main

import (
	"flag"
	"os"

	"github.com/tagmill/tagmill/bench/measure"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each comparison")
	seconds := flag.Int("seconds", 4, "length of one measurement")
	mode := flag.String("serve", "", "be the server under test: answer, append or log; used by the benchmark itself")
	dir := flag.String("dir", "", "with -serve: where events go")
	flag.Parse()
	if *mode != "" {
		if err := serve(*mode, *dir); err != nil {
			measure.Fail(err)
		}
		return
	}
	results, err := compare(*rounds, *seconds)
	if err != nil {
		measure.Fail(err)
	}
	if err := measure.Print(os.Stdout, results); err != nil {
		measure.Fail(err)
	}
}
