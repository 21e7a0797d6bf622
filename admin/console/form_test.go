package console

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// What a form shows of a setting, sent back untouched, is that setting.
func TestShownValuesComeBack(t *testing.T) {
	word := rapid.StringMatching(`[a-zA-Z0-9][a-zA-Z0-9 ._:/-]{0,20}[a-zA-Z0-9]`)
	rapid.Check(t, func(t *rapid.T) {
		var items []any
		for _, s := range rapid.SliceOfN(word, 1, 5).Draw(t, "list") {
			items = append(items, s)
		}
		pairs := map[string]any{}
		for k, v := range rapid.MapOfN(word, word, 1, 5).Draw(t, "map") {
			pairs[k] = v
		}
		for kind, v := range map[string]any{
			"string": word.Draw(t, "string"), "list": items, "map": pairs,
			"number": rapid.Float64Range(-1e15, 1e15).Draw(t, "number"),
		} {
			text := strings.ReplaceAll(showValue(v), "\n", "\r\n") // as browsers send it
			if got := parseValue(kind, strings.ReplaceAll(text, "\r\n", "\n")); !reflect.DeepEqual(got, v) {
				t.Fatalf("%s %v came back as %v", kind, v, got)
			}
		}
	})
}

func TestSlugOf(t *testing.T) {
	for name, want := range map[string]string{
		"My Shop (EU)": "my-shop-eu", "  x ": "x", "2024 Shop": "shop", "Ünïcode": "n-code", "!!!": "", "a--b": "a-b", "Été": "t",
	} {
		if got := slugOf(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestShownFigures(t *testing.T) {
	for n, want := range map[int]string{0: "0 B", 999: "999 B", 6488: "6.5 KB", 3_400_000: "3.4 MB", 20_000_000_000: "20.0 GB"} {
		if got := showBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int]string{30: "30 s", 150: "2.5 min", 7200: "2 h", 86400: "24 h"} {
		if got := showSeconds(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "just now", 30 * time.Second: "30 s ago", 5 * time.Minute: "5 min ago", 72 * time.Hour: "3 days ago"} {
		if got := showAgo(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
