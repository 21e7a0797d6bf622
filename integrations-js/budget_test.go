package integrations_test

import (
	"slices"
	"testing"

	"github.com/tagmill/tagmill/bundler"
	integrations "github.com/tagmill/tagmill/integrations-js"
	runtimejs "github.com/tagmill/tagmill/runtime-js"
)

// Ceilings of the catalog, in brotli-11 bytes.
const (
	medianBudget = 450
	eightBudget  = 4800 // what firstEight add to the runtime together
)

var firstEight = []string{"chartbeat", "crazyegg", "customerio", "ga4", "intercom", "kissmetrics", "mixpanel", "olark"}

// TestBudgets holds each integration to its manifest's budget by what it adds to
// a bundle that has nothing else, settings, names and shared helpers included:
// the most it can ever cost. The median is of what each adds to a bundle that
// has the others too, which is what people with several pay.
func TestBudgets(t *testing.T) {
	c, err := integrations.Open()
	if err != nil {
		t.Fatal(err)
	}
	b := bundler.New(bundler.Sources{Runtime: runtimejs.FS, Integrations: integrations.FS})
	size := func(destinations []bundler.Destination) int {
		bundle, err := b.Build(bundler.Input{WriteKey: "0123456789abcdef", Collector: "https://c.example.com/v1", Destinations: destinations})
		if err != nil {
			t.Fatal(err)
		}
		return len(bundler.Compress(bundle.JS, true).Brotli)
	}
	runtime := size(nil)
	var all []bundler.Destination
	for _, m := range c.Manifests() {
		values := map[string]any{}
		for _, f := range m.Settings {
			if f.Required {
				values[f.Key] = f.TestValue
			}
		}
		settings, err := c.Public(m.Slug, values)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bundler.Destination{ID: "dst_" + m.Slug, Slug: m.Slug, Names: c.Names(m.Slug), Settings: settings})
	}
	together := size(all)
	var added []int
	for i, m := range c.Manifests() {
		alone := size(all[i:i+1]) - runtime
		added = append(added, together-size(slices.Delete(slices.Clone(all), i, i+1)))
		t.Logf("%-12s alone %5d of %d bytes, beside the others %d", m.Slug, alone, m.BudgetBytes, added[i])
		if alone > m.BudgetBytes {
			t.Errorf("%s/manifest.json: budgetBytes: it costs %d bytes, the budget is %d", m.Slug, alone, m.BudgetBytes)
		}
		if alone < m.BudgetBytes/2 {
			t.Errorf("%s/manifest.json: budgetBytes: it costs %d bytes; a budget of %d watches nothing", m.Slug, alone, m.BudgetBytes)
		}
	}
	slices.Sort(added)
	n := len(added)
	median := (added[n/2] + added[(n-1)/2]) / 2
	t.Logf("runtime %d, all integrations %d more, median %d", runtime, together-runtime, median)
	if median > medianBudget {
		t.Errorf("the median integration costs %d bytes, at most %d are allowed", median, medianBudget)
	}
	eight := size(slices.DeleteFunc(all, func(d bundler.Destination) bool { return !slices.Contains(firstEight, d.Slug) })) - runtime
	if eight > eightBudget {
		t.Errorf("the first eight together cost %d bytes, at most %d are allowed", eight, eightBudget)
	}
}
