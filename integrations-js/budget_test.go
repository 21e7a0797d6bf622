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
	eightBudget  = 4800 // what the first eight add to the runtime together
)

// TestBudgets measures what each integration adds to a bundle that has nothing
// else, settings and shared helpers included: the most it can ever cost.
func TestBudgets(t *testing.T) {
	c, err := integrations.Open()
	if err != nil {
		t.Fatal(err)
	}
	b := bundler.New(bundler.Sources{Runtime: runtimejs.FS, Integrations: integrations.FS})
	size := func(destinations ...bundler.Destination) int {
		bundle, err := b.Build(bundler.Input{WriteKey: "0123456789abcdef", Collector: "https://c.example.com/v1", Destinations: destinations})
		if err != nil {
			t.Fatal(err)
		}
		return len(bundler.Compress(bundle.JS, true).Brotli)
	}
	runtime := size()
	var all []bundler.Destination
	var costs []int
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
		d := bundler.Destination{ID: "dst_" + m.Slug, Slug: m.Slug, Names: c.Names(m.Slug), Settings: settings}
		all = append(all, d)
		cost := size(d) - runtime
		costs = append(costs, cost)
		t.Logf("%-12s %5d of %d bytes", m.Slug, cost, m.BudgetBytes)
		if cost > m.BudgetBytes {
			t.Errorf("%s/manifest.json: budgetBytes: it costs %d bytes, the budget is %d", m.Slug, cost, m.BudgetBytes)
		}
		if cost < m.BudgetBytes/2 {
			t.Errorf("%s/manifest.json: budgetBytes: it costs %d bytes; a budget of %d watches nothing", m.Slug, cost, m.BudgetBytes)
		}
	}
	slices.Sort(costs)
	n := len(costs)
	if median := (costs[n/2] + costs[(n-1)/2]) / 2; median > medianBudget {
		t.Errorf("the median integration costs %d bytes, at most %d are allowed", median, medianBudget)
	}
	together := size(all...) - runtime
	t.Logf("runtime %d, all of them %d more", runtime, together)
	if together > eightBudget {
		t.Errorf("all together cost %d bytes, at most %d are allowed", together, eightBudget)
	}
}
