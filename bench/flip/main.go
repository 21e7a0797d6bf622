// Command flip measures how long a flip takes until this origin serves the
// new bytes: from the moment the API has committed the revision to the first
// answer with the new build, all eight integrations on, run check included.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tagmill/tagmill/bench/measure"
)

const source = "/workspaces/default/sources/website"

func main() {
	rounds := flag.Int("rounds", 5, "rounds; 40 flips each")
	flag.Parse()
	results, err := run(*rounds * 40)
	if err != nil {
		measure.Fail(err)
	}
	if err := measure.Print(os.Stdout, results); err != nil {
		measure.Fail(err)
	}
}

func run(flips int) ([]measure.Result, error) {
	s, err := measure.Serve("")
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	if err := enableEight(s); err != nil {
		return nil, err
	}
	var src struct{ WriteKey string }
	if err := s.Call("GET", source, nil, &src); err != nil {
		return nil, err
	}
	bundle := s.Edge + "/analytics.js/v1/" + src.WriteKey + "/analytics.min.js"
	var took, reported []float64
	for i := range flips {
		// Each flip has new bytes: a setting that was never there before.
		want := fmt.Sprintf("G-FLIP%04d", i)
		if err := s.Call("PUT", source+"/integrations/ga4", map[string]any{"enabled": true, "settings": map[string]any{"measurementId": want}}, nil); err != nil {
			return nil, err
		}
		committed := time.Now()
		for {
			body, err := get(bundle)
			if err != nil {
				return nil, err
			}
			if strings.Contains(body, want) {
				break
			}
			if time.Since(committed) > 10*time.Second {
				return nil, fmt.Errorf("flip %d was not served after ten seconds", i)
			}
			time.Sleep(500 * time.Microsecond)
		}
		took = append(took, float64(time.Since(committed).Microseconds())/1000)
		var report struct{ FlipToLiveMs float64 }
		if err := s.Call("GET", source+"/bundle", nil, &report); err != nil {
			return nil, err
		}
		reported = append(reported, report.FlipToLiveMs)
		// Let the final compression of this flip begin and be overtaken, as in life.
		time.Sleep(20 * time.Millisecond)
	}
	return []measure.Result{
		{Name: "flip to served, 8 integrations, p50", Value: measure.Median(took), Unit: "ms", Rounds: took, Goal: "value <= 25"},
		{Name: "flip to served, 8 integrations, p99", Value: measure.Percentile(took, 99), Unit: "ms", Goal: "value <= 80"},
		{Name: "flip to live as the product reports it, p50", Value: measure.Median(reported), Unit: "ms"},
	}, nil
}

// firstEight are the integrations of the first release.
var firstEight = []string{"ga4", "kissmetrics", "mixpanel", "intercom", "customerio", "crazyegg", "olark", "chartbeat"}

// enableEight switches them on with their test values.
func enableEight(s *measure.Server) error {
	var catalog []struct {
		Slug     string
		Settings []struct {
			Key       string
			Required  bool
			TestValue any
		}
	}
	if err := s.Call("GET", "/catalog", nil, &catalog); err != nil {
		return err
	}
	for _, m := range catalog {
		if !slices.Contains(firstEight, m.Slug) {
			continue
		}
		settings := map[string]any{}
		for _, f := range m.Settings {
			if f.Required {
				settings[f.Key] = f.TestValue
			}
		}
		if err := s.Call("PUT", source+"/integrations/"+m.Slug, map[string]any{"enabled": true, "settings": settings}, nil); err != nil {
			return err
		}
	}
	return nil
}

func get(url string) (string, error) {
	res, err := http.Get(url) // transparently unzipped
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return string(raw), err
}
