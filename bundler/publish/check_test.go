package publish

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tagmill/tagmill/bundler"
)

func checked(t *testing.T, s bundler.Sources, slugs ...string) error {
	t.Helper()
	in := bundler.Input{WriteKey: "key1", Collector: "https://c.test/v1"}
	hosts := map[string][]string{}
	for _, slug := range slugs {
		in.Destinations = append(in.Destinations, destination(slug))
		hosts[slug] = []string{"https://cdn.vendor.test", "*.wild.test"}
		if slug == "alpha" { // another vendor
			hosts[slug] = []string{"https://cdn.alpha.test"}
		}
	}
	b, err := bundler.New(s).Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return check(context.Background(), b, in, hosts, checkLimits)
}

// Each fixture is an integration that must not go live, beside one that could.
func TestCheckRefusesIntegrations(t *testing.T) {
	const script = `env.script('https://cdn.vendor.test/x.js')`
	tests := map[string]struct{ code, want string }{
		"honest":                    {honest, ""},
		"wildcard host":             {`export default (s: any, env: any) => ({ load() { env.script('//a.b.wild.test/x.js'); } });`, ""},
		"vendor's own snippet":      {`export default (s: any, env: any) => ({ load() { const s = env.d.createElement('script'), t = env.d.getElementsByTagName('script')[0]; s.async = 1; s.src = '//cdn.vendor.test/v.js'; t.parentNode.insertBefore(s, t); } });`, ""},
		"throws when evaluated":     {`(window as any).nothing.here(); export default () => ({ load() {} });`, "the bundle throws TypeError"},
		"throws when made":          {`export default () => { throw new Error('boom'); };`, "integration broken: its factory: Error: boom"},
		"throws in load":            {`export default (s: any, env: any) => ({ load() { ` + script + `; throw new Error('boom'); } });`, "integration broken: load(): Error: boom"},
		"rejects in load":           {`export default (s: any, env: any) => ({ load() { ` + script + `; return Promise.reject(new Error('boom')); } });`, "integration broken: load(): Error: boom"},
		"throws in track":           {`export default (s: any, env: any) => ({ load() { ` + script + `; }, track() { throw new Error('boom'); } });`, "integration broken: track(): Error: boom"},
		"throws in reset":           {`export default (s: any, env: any) => ({ load() { ` + script + `; }, reset() { null.x; } });`, "integration broken: reset(): TypeError"},
		"throws later":              {`export default (s: any, env: any) => ({ load() { ` + script + `; setTimeout(() => { throw new Error('boom'); }, 100); } });`, "a timer: Error: boom"},
		"swallows its own error":    {`export default (s: any, env: any) => ({ load() { try { env.nosuch(); ` + script + `; } catch (e) {} } });`, "integration broken: asked for no script"},
		"does nothing":              {`export default () => ({ load() {} });`, "integration broken: asked for no script"},
		"makes nothing":             {`export default () => undefined;`, "integration broken: its factory: TypeError"},
		"has no load":               {`export default () => ({ track() {} });`, "integration broken: its factory: Error: has no load()"},
		"foreign script":            {`export default (s: any, env: any) => ({ load() { ` + script + `; env.script('https://evil.test/x.js'); } });`, "integration broken: asked for the script https://evil.test/x.js, which is on none of its manifest's hosts"},
		"look-alike host":           {`export default (s: any, env: any) => ({ load() { ` + script + `; env.script('https://cdn.vendor.test.evil.test/x.js'); } });`, "none of its manifest's hosts"},
		"bare wildcard domain":      {`export default (s: any, env: any) => ({ load() { ` + script + `; env.script('https://wild.test/x.js'); } });`, "none of its manifest's hosts"},
		"wrong scheme":              {`export default (s: any, env: any) => ({ load() { ` + script + `; env.script('http://cdn.vendor.test/x.js'); } });`, "none of its manifest's hosts"},
		"script from a timer":       {`export default (s: any, env: any) => ({ load() { ` + script + `; setTimeout(() => env.script('https://evil.test/x.js'), 100); } });`, "none of the hosts of any manifest"},
		"posts the event again":     {`export default (s: any, env: any) => ({ load() { ` + script + `; }, track(e: any) { env.w.fetch('https://c.test/v1/t', { method: 'POST', body: JSON.stringify({ type: 'track', event: e.event, writeKey: 'key1', context: { library: { build: 'x' } } }) }); } });`, "one track call made 2 posts"},
		"posts again by XHR":        {`export default (s: any, env: any) => ({ load() { ` + script + `; }, track(e: any) { const x = new env.w.XMLHttpRequest(); x.open('POST', 'https://c.test/v1/t'); x.send(JSON.stringify(e)); } });`, "one track call made 2 posts"},
		"posts again by beacon":     {`export default (s: any, env: any) => ({ load() { ` + script + `; }, track(e: any) { env.w.navigator.sendBeacon('https://c.test/v1/t', new Blob([JSON.stringify({ batch: [e] })])); } });`, "one track call made 2 posts"},
		"takes analytics away":      {`export default (s: any, env: any) => ({ load() { ` + script + `; setTimeout(() => { delete env.w.analytics; }, 1); } });`, "analytics.track()"},
		"breaks fetch for everyone": {`export default (s: any, env: any) => ({ load() { ` + script + `; env.w.fetch = () => { throw new Error('mine now'); }; } });`, "mine now"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := checked(t, fixtureSources(files{
				"alpha/browser.ts": strings.Replace(honest, "vendor", "alpha", 1), "broken/browser.ts": test.code,
			}), "alpha", "broken")
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var refused *CheckError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want *CheckError", err)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q does not say %q", err, test.want)
			}
			if strings.Contains(err.Error(), "integration alpha") {
				t.Errorf("%q blames the honest one", err)
			}
		})
	}
}

// Two products of a vendor may share a library: whoever comes second finds it
// there and asks for nothing.
func TestCheckLetsIntegrationsShareALibrary(t *testing.T) {
	err := checked(t, fixtureSources(files{
		"beta/browser.ts":   `export default (s: any, env: any) => ({ load() { env.w.shared = 1; env.script('https://cdn.vendor.test/x.js'); } });`,
		"broken/browser.ts": `export default (s: any, env: any) => ({ load() { if (!env.w.shared) throw new Error('not shared'); } });`,
	}), "beta", "broken")
	if err != nil {
		t.Error(err)
	}
}

// A runtime that hides what goes wrong does not get past the check either.
func TestCheckRefusesRuntimes(t *testing.T) {
	const boom = `export default () => ({ load() { throw new Error('boom'); } });`
	tests := map[string]struct {
		old, new string // in the runtime
		code     string // of the integration
		want     string
	}{
		"swallows what load throws": {"/*REPORT*/", "return;", boom, "integration broken: load(): Error: boom"},
		"never loads":               {"/*LOAD*/", "if (0)", honest, "integration broken: load was reached 0 times for 1 destinations"},
		"loads twice":               {"/*LOAD*/", "alive.forEach((i: any) => i.load());", honest, "load was reached 2 times"},
		"starts twice":              {"/*LOAD*/", "factories.broken({}, env);", honest, "started 2 times for 1 destinations"},
		"reports":                   {"/*LOAD*/", "w.__tagmill_error('runtime', new Error('hm'));", honest, "the runtime: reported by the runtime: Error: hm"},
		"posts nothing":             {"setTimeout(() => send(", "(() => (", honest, "made 0 posts"},
		"posts twice":               {"setTimeout(() => send(", "setTimeout(() => (send({ type, event, writeKey: 'key1', context: { library: { build: config.buildId } } }), send)(", honest, "made 2 posts"},
		"posts much too late":       {"}), 10)", "}), 20000)", honest, "made 0 posts"},
		"no build id":               {"build: config.buildId", "", honest, `carries the build id ""`},
		"another write key":         {"writeKey: config.writeKey", "writeKey: 'other'", honest, `carries the write key "other"`},
		"posts garbage":             {"body: JSON.stringify(event)", "body: 'event'", honest, "is not JSON"},
		"posts elsewhere":           {"config.collector + '/t'", "'https://elsewhere.test/v1/t'", honest, "made 0 posts"},
		"takes over nothing":        {"w.analytics = {", "w.other = {", honest, "analytics.track()"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if strings.Count(fixtureStart, test.old) != 1 {
				t.Fatalf("the runtime does not have %q once", test.old)
			}
			s := fixtureSources(files{"broken/browser.ts": test.code})
			s.Runtime = files{"start.ts": strings.Replace(fixtureStart, test.old, test.new, 1)}.fs()
			err := checked(t, s, "broken")
			var refused *CheckError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a *CheckError that says %q", err, test.want)
			}
		})
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	err := checked(t, fixtureSources(files{
		"alpha/browser.ts": `export default () => ({ load() { throw new Error('one'); } });`,
		"beta/browser.ts":  `export default () => ({ load() { throw new Error('two'); } });`,
	}), "alpha", "beta")
	for _, want := range []string{"integration alpha: load(): Error: one", "integration beta: load(): Error: two"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestCheckStopsWhatDoesNotEnd(t *testing.T) {
	tests := map[string]struct {
		code    string
		limit   limits
		want    string
		passing bool // worth another try
	}{
		"for ever":      {`for (;;) {}`, limits{time: 50 * time.Millisecond, memory: 1 << 40}, "integration broken: the bundle ran for more than 50ms", true},
		"timers":        {`const f = () => setTimeout(f, 0); f()`, limits{time: 50 * time.Millisecond, memory: 1 << 40}, "ran for more than 50ms", true},
		"promises":      {`const f = (): any => Promise.resolve().then(f); f()`, limits{time: 50 * time.Millisecond, memory: 1 << 40}, "ran for more than 50ms", true},
		"memory":        {`const a: any[] = []; for (;;) a.push(new Array(1000).fill(1))`, limits{time: time.Minute, memory: 64 << 20}, "used more than 64 MB", true},
		"caught memory": {`for (;;) try { const a: any[] = []; for (;;) a.push(new Array(1000).fill(1)) } catch (e) {}`, limits{time: time.Minute, memory: 64 << 20}, "used more than 64 MB", true},
		"deep":          {`const f = (): any => f() + 1; f()`, limits{time: time.Minute, memory: 1 << 40}, "integration broken: calls itself more than 2000 deep", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := bundler.Input{WriteKey: "key1", Collector: "https://c.test/v1", Destinations: []bundler.Destination{destination("broken")}}
			b, err := bundler.New(fixtureSources(files{"broken/browser.ts": `export default () => ({ load() { ` + test.code + ` } });`})).Build(in)
			if err != nil {
				t.Fatal(err)
			}
			err = check(context.Background(), b, in, map[string][]string{"broken": nil}, test.limit)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			var passing *passingError
			if errors.As(err, &passing) != test.passing {
				t.Errorf("%T: to be tried again: %v", err, !test.passing)
			}
		})
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b, err := bundler.New(fixtureSources(nil)).Build(bundler.Input{WriteKey: "k", Collector: "https://c.test/v1"})
	if err != nil {
		t.Fatal(err)
	}
	b.JS = []byte("for (;;) {}")
	if err := check(ctx, b, bundler.Input{}, nil, limits{time: time.Hour, memory: 1 << 40}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCheckRefusesWhatIsNoScript(t *testing.T) {
	err := check(context.Background(), &bundler.Bundle{JS: []byte("<!doctype html>")}, bundler.Input{}, nil, checkLimits)
	if err == nil || !strings.Contains(err.Error(), "not valid JavaScript") {
		t.Errorf("got %v", err)
	}
}

func TestHostPatterns(t *testing.T) {
	tests := []struct {
		src, pattern string
		want         bool
	}{
		{"https://a.test/x.js", "https://a.test", true},
		{"https://a.test/x.js", "a.test", true},
		{"//a.test/x.js", "https://a.test", true},
		{"http://a.test/x.js", "https://a.test", false},
		{"http://a.test/x.js", "a.test", true},
		{"https://b.a.test/x.js", "*.a.test", true},
		{"https://b.a.test/x.js", "https://*.a.test", true},
		{"https://a.test/x.js", "*.a.test", false},
		{"https://xa.test/x.js", "*.a.test", false},
		{"https://a.test.evil.test/x.js", "a.test", false},
		{"https://a.test:8443/x.js", "a.test:8443", true},
		{"https://a.test:8443/x.js", "a.test", false},
		{"https://a.test@evil.test/x.js", "a.test", false},
		{"data:text/javascript,alert(1)", "a.test", false},
		{"blob:nothing", "a.test", false},
		{"https://a.test/x.js", "https://a.test/x.js", true},
		{"%zz", "a.test", false},
	}
	for _, test := range tests {
		if got := within(test.src, []string{"https://other.test", test.pattern}); got != test.want {
			t.Errorf("%s within %s: %v", test.src, test.pattern, got)
		}
	}
}
