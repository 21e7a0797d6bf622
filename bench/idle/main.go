// Command idle measures what the product costs when nothing happens: the time
// until it is ready and the memory it then holds, with one source.
package main

import (
	"flag"
	"os"
	"time"

	"github.com/tagmill/tagmill/bench/measure"
)

func main() {
	rounds := flag.Int("rounds", 5, "starts")
	flag.Parse()
	var ready, resident []float64
	for range *rounds {
		s, err := measure.Serve("")
		if err != nil {
			measure.Fail(err)
		}
		time.Sleep(5 * time.Second) // idle is what remains after start-up's garbage is gone
		rss, err := s.ResidentBytes()
		s.Stop()
		if err != nil {
			measure.Fail(err)
		}
		ready = append(ready, float64(s.Ready.Milliseconds()))
		resident = append(resident, rss/1e6)
	}
	err := measure.Print(os.Stdout, []measure.Result{
		{Name: "serve: start to ready", Value: measure.Median(ready), Unit: "ms", Rounds: ready, Goal: "value <= 1000"},
		{Name: "serve: idle, resident", Value: measure.Median(resident), Unit: "MB", Rounds: resident, Goal: "value <= 60"},
	})
	if err != nil {
		measure.Fail(err)
	}
}
