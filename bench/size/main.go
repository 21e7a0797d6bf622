// Command size measures what a page downloads: the runtime alone, and with the
// eight integrations of the first release, brotli-11, test settings in.
package main

import (
	"flag"
	"os"

	"github.com/tagmill/tagmill/bench/measure"
	"github.com/tagmill/tagmill/bundler"
	integrations "github.com/tagmill/tagmill/integrations-js"
	runtimejs "github.com/tagmill/tagmill/runtime-js"
)

var firstEight = []string{"ga4", "kissmetrics", "mixpanel", "intercom", "customerio", "crazyegg", "olark", "chartbeat"}

func main() {
	flag.Int("rounds", 1, "ignored: sizes do not vary")
	flag.Parse()
	alone, err := brotli(nil)
	if err != nil {
		measure.Fail(err)
	}
	eight, err := brotli(firstEight)
	if err != nil {
		measure.Fail(err)
	}
	if err := measure.Print(os.Stdout, []measure.Result{
		{Name: "bundle: runtime alone, brotli-11", Value: alone, Unit: "bytes", Goal: "value <= 7000",
			Peer: "Segment's core alone, measured in 2026", Ratio: alone / 27445},
		{Name: "bundle: runtime and eight integrations, brotli-11", Value: eight, Unit: "bytes", Goal: "value <= 12000"},
	}); err != nil {
		measure.Fail(err)
	}
}

func brotli(slugs []string) (float64, error) {
	catalog, err := integrations.Open()
	if err != nil {
		return 0, err
	}
	in := bundler.Input{WriteKey: "k0123456789abcdefghijklmnopqrstu", Collector: "https://t.example.com/v1"}
	for _, slug := range slugs {
		values := map[string]any{}
		for _, f := range catalog.Manifest(slug).Settings {
			if f.Required {
				values[f.Key] = f.TestValue
			}
		}
		public, err := catalog.Public(slug, values)
		if err != nil {
			return 0, err
		}
		in.Destinations = append(in.Destinations, bundler.Destination{ID: "dst_" + slug, Slug: slug, Names: catalog.Names(slug), Settings: public})
	}
	b, err := bundler.New(bundler.Sources{Runtime: runtimejs.FS, Integrations: integrations.FS}).Build(in)
	if err != nil {
		return 0, err
	}
	return float64(len(bundler.Compress(b.JS, true).Brotli)), nil
}
