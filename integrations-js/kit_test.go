package integrations_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/dop251/goja"

	"github.com/tagmill/tagmill/bundler"
	runtimejs "github.com/tagmill/tagmill/runtime-js"
)

// The helpers that integrations share, on what pages really send.
func TestKit(t *testing.T) {
	vm := loadKit(t)
	for expression, want := range map[string]string{
		`number(12.5)`: `12.5`, `number("12.50")`: `12.5`, `number(0)`: `0`, `number("-3")`: `-3`,
		`number("")`: ``, `number(null)`: ``, `number(undefined)`: ``, `number("$12")`: ``, `number("1,234")`: ``, `number("12 EUR")`: ``, `number({})`: ``, `number(NaN)`: ``,

		`value({total: 3, revenue: 2})`: `3`, `value({revenue: "2.5"})`: `2.5`, `value({value: 0, price: 5})`: `0`,
		`value({price: 0.1, quantity: 3})`: `0.3`, `value({price: 5})`: `5`, `value({total: "x", revenue: 4})`: `4`, `value({})`: ``, `value({price: "x"})`: ``,

		`unix("2025-01-02T03:04:05Z")`: `1735787045`, `unix("2025-01-02T03:04:05.999Z")`: `1735787045`, `unix(1735787045)`: `1735787045`, `unix(1735787045678)`: `1735787045`,
		`unix(new Date(1735787045678))`: `1735787045`, `unix("1735787045")`: `1735787045`, `unix("yesterday")`: ``, `unix(undefined)`: ``, `unix(null)`: ``, `unix("")`: ``,

		`flat({a: 1, b: null, c: {}, d: [], e: "", f: false}, {a: "A"}, {e: 0})`:         `{"A":1,"f":false}`,
		`flat(JSON.parse('{"__proto__": 1, "constructor": 2, "toString": 3, "ok": 4}'))`: `{"ok":4}`,
		`flatten({a: {b: {c: 1}}, d: [1], e: null, f: 0}, "p.")`:                         `{"p.a.b.c":1,"p.f":0}`,
		`products({products: [{a: 1}, null, "x", {b: 2}]})`:                              `[{"a":1},{"b":2}]`,
		`products({product_id: 1})`:                                                      `[{"product_id":1}]`,
		`products({products: "none"})`:                                                   `[]`,
		`fullName({name: "Ann Lee", firstName: "x"})`:                                    `"Ann Lee"`,
		`fullName({firstName: "Ann", lastName: "Lee"})`:                                  `"Ann Lee"`,
		`fullName({lastName: "Lee"})`:                                                    `"Lee"`,
		`fullName({})`:                                                                   `""`,
		`pageName({name: "Index", category: "Docs"})`:                                    `"Viewed Docs Index Page"`,
		`pageName({name: "Index"})`:                                                      `"Viewed Index Page"`,
		`pageName({category: "Docs"})`:                                                   `"Loaded a Page"`,
		`eventKey(" Completed Order ")`:                                                  `"order completed"`,
		`eventKey("Viewed Product Category")`:                                            `"product category viewed"`,
		`eventKey("Order Completed")`:                                                    `"order completed"`,
		`eventKey("viewed")`:                                                             `"viewed"`,
		`[gaEvent("Completed Order"), gaEvent("constructor")]`:                           `["purchase",null]`,
		`[adEvent("Viewed Product Category"), adEvent("toString"), adEvent("x")]`:        `["ViewCategory",null,null]`,
		`[adEvent("Order Completed", {Purchase: "buy"}), adEvent("Signed Up", {CompleteRegistration: ""})]`:         `["buy",""]`,
		`[adEvent("Order Completed", {Purchase: "buy"}, {" order COMPLETED": "mine"}), adEvent("X", {}, {x: "y"})]`: `["mine","y"]`,
		`lookup({A: 1}, "a ")`:             `1`,
		`lookup({}, "constructor")`:        ``,
		`lookup(undefined, "constructor")`: ``,
		`pick({a: 1, b: "", c: null, d: {}, e: 0}, {a: "A", b: "B", c: "C", d: "D", e: "E", f: "F"})`:                                                    `{"A":1,"E":0}`,
		`lineItems({products: [{id: 7, price: "1.50"}, {name: "no id"}, {sku: "s", quantity: "x", price: "$2"}]}, {id: "i", price: "p", quantity: "q"})`: `[{"i":"7","p":1.5,"q":1},{"i":"s","q":1}]`,
		`adValue({revenue: "3", total: 9, currency: "eur"})`:                                                                                             `{"value":3,"currency":"EUR"}`,
		`adValue({revenue: "$3", total: 9})`:                                                                                                             `{"value":9,"currency":"USD"}`,
		`adValue({currency: "EUR"})`:                                                                                                                     `{}`,
		`person({email: " Ann@Shop.example", phone: "+47 (1) 23", first_name: "Ann", address: {postal_code: "0150", city: "Oslo"}})`:                     `{"email":"ann@shop.example","phone":"+47123","firstName":"Ann","city":"Oslo","zip":"0150"}`,
		`person({address: "1 Road, Oslo", city: "Oslo"})`:                                                                                                `{"city":"Oslo"}`,
		`(() => { const w = {}, call = stub(w, "v", "go"); call(1, 2); const kept = w.v.queue.slice(); w.v.go = (x) => x + 1; return [kept, call(3), w.v.queue.length] })()`:                              `[[[1,2]],4,1]`,
		`(() => { const w = {}; const f = stub(w, "v", "go")(); return [f == w.v, f.queue] })()`:                                                                                                          `[true,[]]`,
		`(() => { const w = {v: (x) => x * 2}; return stub(w, "v")(4) })()`:                                                                                                                               `8`,
		`(() => { const w = {dataLayer: [0]}; gtag(w, "set", 1); return [w.dataLayer.length, Object.prototype.toString.call(w.dataLayer[1])] })()`:                                                        `[2,"[object Arguments]"]`,
		`(() => { const asked = []; const env = {w: {}, script: (s) => asked.push(s)}; gtagScript(env, "https://o", "A"); gtagScript(env, "https://p", "B"); return [asked, env.w.dataLayer.length] })()`: `[["https://o/gtag/js?id=A"],1]`,
		`(() => { const e = {a: {b: 1}}; flat(e); flatten(e).x = 1; return JSON.stringify(e) })()`:                                                                                                        `"{\"a\":{\"b\":1}}"`,
	} {
		got, err := vm.RunString("with (kit) { JSON.stringify(" + expression + ") }")
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		text := ""
		if !goja.IsUndefined(got) {
			text = got.String()
		}
		if text != want {
			t.Errorf("%s = %s, want %s", expression, text, want)
		}
	}
}

// loadKit bundles kit/ alone: every file exports one function that has its name.
func loadKit(t *testing.T) *goja.Runtime {
	t.Helper()
	files, err := fs.Glob(runtimejs.FS, "kit/*.ts")
	if err != nil {
		t.Fatal(err)
	}
	runtime := fstest.MapFS{}
	var start strings.Builder
	for _, name := range append(files, "types.ts") {
		data, err := runtimejs.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		runtime[name] = &fstest.MapFile{Data: data}
		if name != "types.ts" {
			fmt.Fprintf(&start, "import * as %s from './%s';\n", strings.TrimSuffix(path.Base(name), ".ts"), name)
		}
	}
	var modules []string
	for _, name := range files {
		modules = append(modules, strings.TrimSuffix(path.Base(name), ".ts"))
	}
	list := strings.Join(modules, ", ")
	fmt.Fprintf(&start, "export function start() { (globalThis as any).modules = { %s }; (globalThis as any).kit = Object.assign({}, ...[%s]); }\n", list, list)
	runtime["start.ts"] = &fstest.MapFile{Data: []byte(start.String())}
	bundle, err := bundler.New(bundler.Sources{Runtime: runtime, Integrations: fstest.MapFS{}}).Build(bundler.Input{WriteKey: "k", Collector: "https://c.example/v1"})
	if err != nil {
		t.Fatal(err)
	}
	vm := goja.New()
	if _, err := vm.RunString("var window = globalThis;" + string(bundle.JS)); err != nil {
		t.Fatal(err)
	}
	exports, err := vm.RunString(`JSON.stringify(Object.fromEntries(Object.entries(modules).map(([file, m]) => [file, Object.keys(m)])))`)
	if err != nil {
		t.Fatal(err)
	}
	var byFile map[string][]string
	if err := json.Unmarshal([]byte(exports.String()), &byFile); err != nil {
		t.Fatal(err)
	}
	for file, names := range byFile {
		if len(names) != 1 || !strings.EqualFold(names[0], file) {
			t.Errorf("kit/%s.ts exports %v: one function with the file's name is the rule", file, names)
		}
	}
	return vm
}
