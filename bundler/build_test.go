package bundler

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/andybalholm/brotli"
	"github.com/dop251/goja"
	"github.com/evanw/esbuild/pkg/api"
	"github.com/klauspost/compress/gzip"
	"pgregory.net/rapid"

	runtimejs "github.com/tagmill/tagmill/runtime-js"
)

// run executes a bundle and returns the global it was asked for as JSON.
func run(t interface {
	Helper()
	Fatal(...any)
}, js []byte, expr string) string {
	t.Helper()
	vm := goja.New()
	if _, err := vm.RunString(`var window = this;`); err != nil {
		t.Fatal(err)
	}
	if _, err := vm.RunString(string(js)); err != nil {
		t.Fatal(err)
	}
	v, err := vm.RunString("JSON.stringify(" + expr + ")")
	if err != nil {
		t.Fatal(err)
	}
	return v.String()
}

// The minified bundle and the readable one do the same.
func TestBundleRuns(t *testing.T) {
	for _, debug := range []bool{false, true} {
		in := fixtureInput()
		in.Debug = debug
		in.Destinations = append(in.Destinations, Destination{ID: "d3", Slug: "new"}, Destination{ID: "d0", Slug: "alpha", Settings: json.RawMessage(`{"token":"second"}`)})
		b := mustBuild(t, fixture(), in)
		if got, want := run(t, b.JS, "said"), `["ALPHA SECOND!","ALPHA A!","beta b","a slug that is a word of the language"]`; got != want {
			t.Errorf("debug %v: %s, want %s", debug, got, want)
		}
		if got, want := run(t, b.JS, "[seen.slugs, seen.size, seen.config.destinations[2].names]"), `[["alpha","beta","new"],1,["beta"]]`; got != want {
			t.Errorf("debug %v: %s, want %s", debug, got, want)
		}
		if got, want := run(t, b.JS, "seen.config.buildId"), `"`+b.BuildID+`"`; got != want {
			t.Errorf("debug %v: build id %s, want %s", debug, got, want)
		}
	}
}

func TestOptionsOfASourceThatAreOffCostNothing(t *testing.T) {
	off := mustBuild(t, fixture(), fixtureInput())
	in := fixtureInput()
	in.SPA = true
	on := mustBuild(t, fixture(), in)
	if bytes.Contains(off.JS, []byte("watching history")) || !bytes.Contains(on.JS, []byte("watching history")) {
		t.Error("__SPA__ does not decide what is compiled in")
	}
	if got := run(t, on.JS, "seen.config.spa"); got != "true" {
		t.Errorf("config.spa is %s", got)
	}
	if bytes.Contains(off.JS, []byte("nobody uses this")) {
		t.Error("unused code is compiled in")
	}
}

func TestPrivateNamesAreMangledAndNoOthers(t *testing.T) {
	s := with(integrationSpace, "alpha/browser.ts", `
export default (settings: any, env: any) => { env.say(JSON.stringify({ __x__: settings.__x__, 'quoted_': settings['quoted_'] })); };`)
	in := fixtureInput()
	in.Destinations = []Destination{{ID: "d1", Slug: "alpha", Settings: json.RawMessage(`{"__x__":1,"quoted_":2}`)}}
	b := mustBuild(t, s, in)
	if bytes.Contains(b.JS, []byte("items_")) || bytes.Contains(b.JS, []byte("push_")) {
		t.Error("a private name is there in full")
	}
	if got, want := run(t, b.JS, "said[0]"), `"{\"__x__\":1,\"quoted_\":2}"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Nothing a customer can type gets out of the string it is in.
func TestHostileSettings(t *testing.T) {
	hostile := []string{
		`</script><script>alert(1)</script>`, `<!--`, `]]>`, "\u2028\u2029", "\x00\x1f\x7f", `"; alert(1); "`, "`${alert(1)}`",
		`\u003c/script>`, `\`, `*/`, "\u00e9\U0001F600", `__proto__`, `constructor`, "//# sourceMappingURL=/etc/passwd",
	}
	settings := map[string]any{"list": hostile, "__proto__": map[string]any{"polluted": true}, "constructor": "c"}
	for i, h := range hostile {
		settings[h] = i
	}
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	in := fixtureInput()
	in.WriteKey = hostile[0]
	in.Destinations[0].ID = hostile[2] + hostile[3]
	in.Destinations[0].Names = hostile
	in.Destinations[0].Settings = raw
	for _, debug := range []bool{false, true} {
		in.Debug = debug
		b := mustBuild(t, fixture(), in)
		if i := bytes.IndexFunc(b.JS, func(r rune) bool { return r > 127 }); i >= 0 {
			t.Errorf("byte %#x at %d is not ASCII", b.JS[i], i)
		}
		for _, bad := range []string{"</script", "<script><"} {
			if bytes.Contains(bytes.ToLower(b.JS), []byte(bad)) {
				t.Errorf("the bundle holds %q", bad)
			}
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(run(t, b.JS, "seen.config.destinations[0].settings")), &got); err != nil {
			t.Fatal(err)
		}
		var want map[string]any
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if !equalJSON(t, got, want) {
			t.Errorf("settings came out as %v", got)
		}
		// __proto__ is a key like any other, here and everywhere.
		if got := run(t, b.JS, "[({}).polluted === undefined, seen.config.destinations[0].settings.polluted === undefined, Object.keys(seen.config.destinations[0].settings).includes('__proto__')]"); got != "[true,true,true]" {
			t.Errorf("prototypes: %s", got)
		}
	}
}

func equalJSON(t interface{ Fatal(...any) }, a, b any) bool {
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}

// Whatever JSON object settings are, the page gets exactly that.
func TestAnySettingsArriveAsTheyAre(t *testing.T) {
	b := New(fixture())
	rapid.Check(t, func(rt *rapid.T) {
		settings := rapid.MapOf(rapid.String(), rapid.OneOf(
			rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.Int32().AsAny(),
			rapid.SliceOf(rapid.String()).AsAny(), rapid.MapOf(rapid.String(), rapid.String()).AsAny(),
		)).Draw(rt, "settings")
		raw, err := json.Marshal(settings)
		if err != nil {
			rt.Fatal(err)
		}
		in := fixtureInput()
		in.Destinations[0].Settings = raw
		bundle, err := b.Build(in)
		if err != nil {
			rt.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal(raw, &want); err != nil {
			rt.Fatal(err)
		}
		if err := json.Unmarshal([]byte(run(rt, bundle.JS, "seen.config.destinations[0].settings")), &got); err != nil {
			rt.Fatal(err)
		}
		if !equalJSON(rt, got, want) {
			rt.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestAnIntegrationImportsOnlyTheRuntimesKitAndItsOwnFolder(t *testing.T) {
	tests := map[string]string{ // what it imports -> what the error says; "" is allowed
		`import type { Factory } from '@tagmill/runtime/types'`:         ``,
		`import { shout } from '@tagmill/runtime/kit/shout'; shout('')`: ``,
		`import { own } from './own'; own()`:                            ``,
		`import { own } from './deep/../own'; own()`:                    ``,
		`import { own } from './deep/below'; own()`:                     ``,
		`import { say } from '@tagmill/runtime/say'; say('')`:           `integration "alpha" imports "@tagmill/runtime/say"`,
		`import { say } from '@tagmill/runtime/kit/../say'; say('')`:    `may import only`,
		`import { start } from '@tagmill/runtime/start'; start()`:       `may import only`,
		`import beta from '@tagmill/integrations/beta'; beta()`:         `integration "alpha" imports "@tagmill/integrations/beta"`,
		`import { prefix } from '../beta/prefix'; prefix()`:             `integration "alpha" imports "../beta/prefix"`,
		`import { prefix } from './../beta/prefix'; prefix()`:           `may import only`,
		`import { say } from '../../runtime-js/say'; say('')`:           `may import only`,
		`import _ from 'lodash'; _()`:                                   `imports "lodash"`,
		`import fs from 'node:fs'; fs()`:                                `imports "node:fs"`,
		`import p from '/etc/passwd'; p()`:                              `imports "/etc/passwd"`,
		`import config from 'tagmill:config'; config()`:                 `imports "tagmill:config"`,
		`import x from 'https://cdn.test/x.js'; x()`:                    `imports "https://cdn.test/x.js"`,
		`require('./own')`: `only import statements are bundled`,
		`import('./own')`:  `only import statements are bundled`,
		`export { say } from '@tagmill/runtime/say'`:                        `may import only`,
		`import { gone } from './gone'; gone()`:                             `there is no integrations-js/alpha/gone.ts`,
		`import { gone } from '@tagmill/runtime/kit/gone'; gone()`:          `there is no runtime-js/kit/gone.ts`,
		`import json from './data.json'; json()`:                            `there is no`,
		`import { missing } from '@tagmill/runtime/kit/shout'; missing('')`: `missing`,
	}
	for code, want := range tests {
		t.Run(code, func(t *testing.T) {
			s := with(integrationSpace, "alpha/browser.ts", "\n"+code+"\nexport default () => {};")
			in := s.Integrations.(fstest.MapFS)
			in["alpha/own.ts"] = text(`export function own() {}`)
			in["alpha/deep/below.ts"] = text(`export { own } from '../own';`)
			_, err := New(s).Build(fixtureInput())
			if want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var broken *BuildError
			if !errors.As(err, &broken) {
				t.Fatalf("got %v, want *BuildError", err)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
			p := broken.Problems[0]
			if p.Integration != "alpha" || p.File != "integrations-js/alpha/browser.ts" || p.Line != 2 || p.Column < 1 || p.Code == "" {
				t.Errorf("problem %+v does not name the place", p)
			}
		})
	}
}

func TestTheRuntimeKnowsNoIntegration(t *testing.T) {
	_, err := New(with(runtimeSpace, "say.ts", `import a from '@tagmill/integrations/alpha'; export const say = a;`)).Build(fixtureInput())
	if err == nil || !strings.Contains(err.Error(), "the runtime knows no integration") {
		t.Errorf("got %v", err)
	}
}

func TestMistakesInSourcesAreReportedWithTheirPlaces(t *testing.T) {
	s := with(integrationSpace, "alpha/browser.ts", "const a = 1;\n  const a = ;\nexport default () => {};")
	s.Integrations.(fstest.MapFS)["beta/prefix.ts"] = text("export const prefix = (;")
	_, err := New(s).Build(fixtureInput())
	var broken *BuildError
	if !errors.As(err, &broken) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"integrations-js/alpha/browser.ts:2:13: ", "integrations-js/beta/prefix.ts:1:24: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestCompressedBundlesAreTheBundle(t *testing.T) {
	js := mustBuild(t, fixture(), fixtureInput()).JS
	for _, final := range []bool{false, true} {
		e := Compress(js, final)
		if e.Final != final || !bytes.Equal(e.Identity, js) {
			t.Errorf("final %v: %+v", final, e)
		}
		zr, err := gzip.NewReader(bytes.NewReader(e.Gzip))
		if err != nil {
			t.Fatal(err)
		}
		for name, r := range map[string]io.Reader{"gzip": zr, "brotli": brotli.NewReader(bytes.NewReader(e.Brotli))} {
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, js) {
				t.Errorf("final %v, %s: %v", final, name, err)
			}
		}
		if again := Compress(js, final); !bytes.Equal(again.Gzip, e.Gzip) || !bytes.Equal(again.Brotli, e.Brotli) {
			t.Errorf("final %v: two compressions differ", final)
		}
	}
	report := Report{}.Measured(Compress(js, true))
	if report.Gzip == 0 || report.Brotli == 0 {
		t.Error("no sizes")
	}
}

func TestPricesAreWhatRemovingSaves(t *testing.T) {
	b := New(fixture())
	in := fixtureInput()
	prices, err := b.Prices(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	size := func(in Input) (raw, gz, br int) {
		e := Compress(mustBuild(t, fixture(), in).JS, true)
		return len(e.Identity), len(e.Gzip), len(e.Brotli)
	}
	raw, gz, br := size(in)
	for i, slug := range []string{"alpha", "beta"} {
		rest := fixtureInput()
		rest.Destinations = append(rest.Destinations[:i:i], rest.Destinations[i+1:]...)
		r, g, bb := size(rest)
		if want := (Share{Raw: raw - r, Gzip: gz - g, Brotli: br - bb, Exact: true}); prices[slug] != want || want.Raw <= 0 {
			t.Errorf("%s: %+v, want %+v", slug, prices[slug], want)
		}
	}
	if prices["runtime"].Raw <= 0 || len(prices) != 3 {
		t.Errorf("prices %+v", prices)
	}
	// The estimate at build time knows the same integrations and adds up.
	sum := 0
	estimate := mustBuild(t, fixture(), in).Report
	for slug, share := range estimate.Integrations {
		if _, ok := prices[slug]; !ok || share.Exact {
			t.Errorf("estimate of %s: %+v", slug, share)
		}
		sum += share.Raw
	}
	if sum != estimate.Raw {
		t.Errorf("shares add up to %d of %d", sum, estimate.Raw)
	}
}

// Around the sizes where the window grows.
func TestBrotliWindowsHoldTheWholeScript(t *testing.T) {
	for _, n := range []int{0, 1, 1<<10 - 17, 1<<10 - 16, 1<<10 - 15, 1<<16 - 16, 1<<16 - 15, 1 << 16, 1<<16 + 1} {
		js := make([]byte, n)
		for i := range js {
			js[i] = byte('a' + (i*i+i/7)%26)
		}
		e := Compress(js, true)
		got, err := io.ReadAll(brotli.NewReader(bytes.NewReader(e.Brotli)))
		if err != nil || !bytes.Equal(got, js) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if w := window(n); 1<<w-16 < n || w > 10 && 1<<(w-1)-16 >= n {
			t.Errorf("%d bytes: window 2^%d", n, w)
		}
	}
}

// A constant that the runtime counts on and nobody defines would be an error
// on every page.
func TestEveryFlagOfTheRuntimeIsDefined(t *testing.T) {
	flags, err := runtimejs.FS.ReadFile("flags.ts")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`\bconst (__\w+__)`).FindAllSubmatch(flags, -1)
	if len(declared) == 0 {
		t.Fatal("flags.ts declares nothing")
	}
	defined := options(Input{}, api.Plugin{}).Define
	for _, d := range declared {
		if defined[string(d[1])] == "" {
			t.Errorf("%s is not defined", d[1])
		}
	}
	if len(defined) != len(declared) {
		t.Errorf("%d constants are defined, flags.ts declares %d", len(defined), len(declared))
	}
}
