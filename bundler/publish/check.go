package publish

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	gometrics "runtime/metrics"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/tagmill/tagmill/bundler"
)

const (
	checkStack = 2000 // calls deep
	checkEvent = "Tagmill Run Check"
)

// limits are what a bundle may use while it is run.
type limits struct {
	time   time.Duration
	memory uint64 // bytes the process's heap may grow by
}

// checkLimits are fuses, far above what a bundle needs: milliseconds, and a
// few megabytes on a heap that others grow too.
var checkLimits = limits{time: 2 * time.Second, memory: 1 << 30}

//go:embed page.js
var pageSource string

// pageProgram is compiled once; engines share programs.
var pageProgram = sync.OnceValues(func() (*goja.Program, error) { return compile("page.js", pageSource) })

// CheckError is a bundle that must not go live because of what it did when it
// was run. At least one problem.
type CheckError struct{ Problems []string }

func (e *CheckError) Error() string { return "run check: " + strings.Join(e.Problems, "; ") }

// sighting is what page.js saw the bundle do.
type sighting struct {
	Errors []struct {
		Who, Where, Error string
	}
	Factories map[string]int // by slug: times called
	Loads     map[string]int // by slug: times load ran
	Scripts   []struct{ Src, Slug string }
	Posts     []struct{ How, URL, Body string }
}

// check runs a bundle, the very bytes that would go live, on a stubbed page and
// says what is wrong with it: *CheckError, or a passing error when it took
// longer than the machine should.
func check(ctx context.Context, b *bundler.Bundle, in bundler.Input, hosts map[string][]string, limit limits) error {
	saw, err := runBundle(ctx, b.JS, in.WriteKey, limit)
	if err != nil {
		return err
	}
	if problems := judge(saw, b.BuildID, in, hosts); problems != nil {
		return &CheckError{Problems: problems}
	}
	return nil
}

// runBundle runs the script as a page would, with a few calls of its API.
func runBundle(ctx context.Context, js []byte, writeKey string, limit limits) (*sighting, error) {
	page, err := pageProgram()
	if err != nil {
		return nil, fmt.Errorf("run check: compile the page: %w", err)
	}
	program, err := compile("bundle.js", string(js))
	if err != nil {
		return nil, &CheckError{Problems: []string{"the bundle is not valid JavaScript: " + err.Error()}}
	}
	vm := goja.New()
	vm.SetMaxCallStackSize(checkStack)
	e := &engine{vm: vm}
	vm.SetTimeSource(func() time.Time { return time.Unix(1_700_000_000, 0).Add(time.Duration(e.virtual) * time.Millisecond) })
	vm.SetRandSource(e.random)

	ctx, cancel := context.WithTimeout(ctx, limit.time)
	watched := make(chan struct{})
	// Ends when the run does, or stops the run; waited for below.
	go func() {
		defer close(watched)
		e.watch(ctx, limit)
	}()
	err = e.visit(page, program, writeKey)
	var report string
	if err == nil {
		report, err = e.text("report")
	}
	cancel()
	<-watched
	if err != nil {
		return nil, e.verdict(err)
	}
	var saw sighting
	if err := json.Unmarshal([]byte(report), &saw); err != nil {
		return nil, fmt.Errorf("run check: read the page's report: %w", err)
	}
	return &saw, nil
}

func compile(name, source string) (*goja.Program, error) {
	// A source map comment must not make the parser open files.
	ast, err := goja.Parse(name, source, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, err
	}
	return goja.CompileAST(ast, false)
}

// engine is one page being visited.
type engine struct {
	vm      *goja.Runtime
	page    *goja.Object
	virtual int64 // ms since the page was opened
	seed    uint64
}

// random is the same sequence in every run: a bundle that passes once passes again.
func (e *engine) random() float64 {
	e.seed = e.seed*6364136223846793005 + 1442695040888963407
	return float64(e.seed>>11) / (1 << 53)
}

func (e *engine) visit(page, bundle *goja.Program, writeKey string) error {
	if _, err := e.vm.RunProgram(page); err != nil {
		return err
	}
	e.page = e.vm.Get("__page").ToObject(e.vm)
	if err := e.do("begin", writeKey); err != nil {
		return err
	}
	if _, err := e.vm.RunProgram(bundle); err != nil {
		return err
	}
	if err := e.do("bundleRan"); err != nil {
		return err
	}
	if err := e.pass(500); err != nil {
		return err
	}
	// The snippet's page call has run by now. These are the calls with the most
	// code behind them; each costs a flip more than half a millisecond with
	// eight integrations on.
	for _, call := range [][]any{
		{"track", checkEvent, map[string]any{"n": 1}},
		{"identify", "check", map[string]any{"email": "check@page.test"}},
		{"track", "Order Completed", map[string]any{"order_id": "1", "revenue": 2.5, "currency": "EUR",
			"products": []any{map[string]any{"product_id": "1", "name": "x", "price": 2.5, "quantity": 1}}}},
		{"reset"},
	} {
		if err := e.do("call", call[0], call[1:]); err != nil {
			return err
		}
	}
	// Shorter than the ten seconds after which a script counts as blocked.
	return e.pass(3000)
}

// pass lets virtual milliseconds go by. The engine settles promises each time
// a call from Go returns, so timers are run one by one.
func (e *engine) pass(ms int64) error {
	step, ok := goja.AssertFunction(e.page.Get("step"))
	if !ok {
		return errors.New("page.js has no step")
	}
	until := e.vm.ToValue(e.virtual + ms)
	for {
		more, err := step(goja.Undefined(), until)
		if err != nil {
			return err
		}
		e.virtual = e.page.Get("clock").ToInteger()
		if !more.ToBoolean() {
			return nil
		}
	}
}

func (e *engine) do(method string, args ...any) error {
	_, err := e.invoke(method, args...)
	return err
}

func (e *engine) text(method string) (string, error) {
	v, err := e.invoke(method)
	if err != nil {
		return "", err
	}
	return v.String(), nil
}

func (e *engine) invoke(method string, args ...any) (goja.Value, error) {
	fn, ok := goja.AssertFunction(e.page.Get(method))
	if !ok {
		return nil, fmt.Errorf("page.js has no %s", method)
	}
	values := make([]goja.Value, len(args))
	for i, a := range args {
		values[i] = e.vm.ToValue(a)
	}
	return fn(goja.Undefined(), values...)
}

// watch stops the engine when ctx ends or the heap has grown too far. The heap
// is the whole process's: engines do not count their own.
func (e *engine) watch(ctx context.Context, limit limits) {
	sample := []gometrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	heap := func() uint64 { gometrics.Read(sample); return sample[0].Value.Uint64() }
	before := heap()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				e.vm.Interrupt(fmt.Errorf("the bundle ran for more than %v", limit.time))
			} else {
				e.vm.Interrupt(ctx.Err()) // the process is going down, or the run is over
			}
			return
		case <-tick.C:
			if now := heap(); now > before && now-before > limit.memory {
				e.vm.Interrupt(fmt.Errorf("the bundle used more than %d MB", limit.memory>>20))
				return
			}
		}
	}
}

// verdict turns what stopped an engine into a word about the bundle.
func (e *engine) verdict(err error) error {
	var stop *goja.InterruptedError
	var thrown *goja.Exception
	var deep *goja.StackOverflowError
	switch {
	case errors.As(err, &stop):
		if cause, ok := stop.Value().(error); ok {
			return &passingError{fmt.Errorf("run check: %s%w", e.culprit(), cause)} // a busy machine, perhaps
		}
	case errors.As(err, &deep):
		return &CheckError{Problems: []string{fmt.Sprintf("%scalls itself more than %d deep", e.culprit(), checkStack)}}
	case errors.As(err, &thrown):
		return &CheckError{Problems: []string{"the bundle throws " + thrown.Error()}}
	}
	return fmt.Errorf("run check: %w", err)
}

// culprit names the integration whose code was stopped, when it was one's.
func (e *engine) culprit() string {
	e.vm.ClearInterrupt() // the watcher has ended: nobody interrupts again
	if e.page == nil {
		return ""
	}
	if slug, err := e.text("current"); err == nil && slug != "" {
		return "integration " + slug + ": "
	}
	return ""
}

// judge says what is wrong with what was seen, naming the integration.
func judge(saw *sighting, buildID string, in bundler.Input, hosts map[string][]string) []string {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }

	for _, e := range saw.Errors {
		who := "the runtime"
		if _, ok := hosts[e.Who]; ok {
			who = "integration " + e.Who
		}
		bad("%s: %s: %s", who, e.Where, firstLine(e.Error))
	}
	want := map[string]int{}
	for _, d := range in.Destinations {
		want[d.Slug]++
	}
	for _, slug := range slices.Sorted(maps.Keys(want)) {
		switch {
		case saw.Factories[slug] != want[slug]:
			bad("integration %s: started %d times for %d destinations", slug, saw.Factories[slug], want[slug])
		case saw.Loads[slug] != want[slug]:
			bad("integration %s: load was reached %d times for %d destinations", slug, saw.Loads[slug], want[slug])
		case len(hosts[slug]) > 0 && !saw.asked(slug, hosts[slug]):
			// An error that an integration catches itself leaves this trace only.
			bad("integration %s: asked for no script, though its manifest names %s", slug, strings.Join(hosts[slug], ", "))
		}
	}
	union := slices.Concat(slices.Collect(maps.Values(hosts))...)
	for _, s := range saw.Scripts {
		if _, known := hosts[s.Slug]; known && !within(s.Src, hosts[s.Slug]) {
			bad("integration %s: asked for the script %s, which is on none of its manifest's hosts", s.Slug, s.Src)
		} else if !known && !within(s.Src, union) {
			bad("the script %s was asked for, which is on none of the hosts of any manifest", s.Src)
		}
	}
	wrong = append(wrong, judgePosts(saw, buildID, in)...)
	return wrong
}

// asked reports whether an integration asked for any script, or found one of
// its vendor's asked for already: two products of a vendor may share a library.
func (s *sighting) asked(slug string, hosts []string) bool {
	for _, script := range s.Scripts {
		if script.Slug == slug || within(script.Src, hosts) {
			return true
		}
	}
	return false
}

// judgePosts looks for the one post that one track call makes.
func judgePosts(saw *sighting, buildID string, in bundler.Input) (wrong []string) {
	type event struct {
		Type, Event string
		WriteKey    string
		Context     struct{ Library struct{ Build string } }
		Batch       []event
	}
	posts := 0
	for _, post := range saw.Posts {
		if !strings.HasPrefix(post.URL, in.Collector+"/") {
			continue
		}
		var envelope event
		if err := json.Unmarshal([]byte(post.Body), &envelope); err != nil {
			wrong = append(wrong, fmt.Sprintf("a post to the collector is not JSON: %v", err))
			continue
		}
		for _, e := range append(envelope.Batch, envelope) {
			if e.Event != checkEvent {
				continue
			}
			posts++
			if e.Context.Library.Build != buildID {
				wrong = append(wrong, fmt.Sprintf("an event carries the build id %q, not %s", e.Context.Library.Build, buildID))
			}
			if key := cmp.Or(e.WriteKey, envelope.WriteKey); key != in.WriteKey {
				wrong = append(wrong, fmt.Sprintf("an event carries the write key %q, not %q", key, in.WriteKey))
			}
		}
	}
	if posts != 1 {
		wrong = append(wrong, fmt.Sprintf("one track call made %d posts to the collector, not one", posts))
	}
	return wrong
}

func within(src string, patterns []string) bool {
	u, err := url.Parse(src)
	if err != nil {
		return false
	}
	scheme := u.Scheme
	if scheme == "" {
		scheme = "https" // "//host/x": as the page
	}
	return hostAllowed(scheme, u.Host, patterns)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
