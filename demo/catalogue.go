package demo

import (
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
)

// product is one thing on the shelves. Prices are in cents.
type product struct {
	Slug, Name, Line, Story, Category, SKU string
	Cents                                  int
	Facts                                  []string
}

const currency = "EUR"

var products = []product{
	{"cloud-jar", "Cloud Jar", "A small cumulus, kept indoors.", "Shake it gently in the morning and a cloud forms under the lid, drifts about until noon, and is gone by tea. No two are alike, and none has ever rained on a desk.", "Indoors", "LW-101", 3400, []string{"Mouth-blown glass", "11 cm tall", "Refills itself overnight"}},
	{"rain-gauge", "Rain Gauge", "Knows what fell while you slept.", "Brass below, glass above, and a float that rises a finger's width on a proper wet night. Reads to half a millimetre, which is more than the neighbours need to know.", "Garden", "LW-204", 4800, []string{"Brass and glass", "Holds 80 mm", "Frost-proof to -20°"}},
	{"tern-vane", "Tern Wind Vane", "Always facing the news.", "A sea bird cut from one sheet of copper, balanced on a single steel point. It turns before you feel the wind, and goes green where the sea air finds it.", "Garden", "LW-207", 12900, []string{"Hand-cut copper", "62 cm wingspan", "Fits any 20 mm pole"}},
	{"pocket-sundial", "Pocket Sundial", "Right twice an hour, in good weather.", "Folds flat, opens with a click, and comes with a table of corrections for anywhere between Lisbon and Tallinn. Needs no charging, only patience.", "Pocket", "LW-310", 5600, []string{"Boxwood and brass", "7 cm across", "Latitudes 36° to 60°"}},
	{"storm-candle", "Storm Candle", "Smells of the minute before.", "Wet stone, tomato leaf and a little ozone. Burns for forty hours, and somewhat brighter when the pressure falls, or so we like to think.", "Indoors", "LW-115", 2200, []string{"Rapeseed wax", "40 hours", "In a lidded tin"}},
	{"frost-thermometer", "Frost Thermometer", "For those who ask how cold, exactly.", "A long thread of blue spirit in a slim glass stem. Mounted on larch with two screws, and readable through a kitchen window at six in the morning.", "Garden", "LW-221", 3900, []string{"Larch and glass", "-35° to +50°", "28 cm tall"}},
}

func find(slug string) (product, bool) {
	i := slices.IndexFunc(products, func(p product) bool { return p.Slug == slug })
	if i < 0 {
		return product{}, false
	}
	return products[i], true
}

// properties are the ones of the ecommerce events, as vendors know them.
func (p product) properties(quantity int) map[string]any {
	return map[string]any{
		"product_id": p.Slug, "sku": p.SKU, "name": p.Name, "category": p.Category, "brand": "Little Weather",
		"price": euros(p.Cents), "currency": currency, "quantity": quantity,
	}
}

func euros(cents int) float64 { return float64(cents) / 100 }

var functions = template.FuncMap{
	"money": func(cents int) string { return fmt.Sprintf("€%d.%02d", cents/100, cents%100) },
	// Into an attribute, which html/template escapes.
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	"added": func(p product) map[string]any { return p.properties(1) },
}
