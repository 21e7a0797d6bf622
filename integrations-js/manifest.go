// Package integrations is the catalog: one folder per vendor, each with a
// manifest that says what the integration is, what it may touch and what can
// be set, and a browser.ts that speaks to the vendor. Everything is embedded.
// It knows neither settings nor bundler; both are given what they ask for.
package integrations

// Manifest is an integration's manifest.json. manifest.schema.json is its
// JSON Schema; a manifest that does not match it fails the tests.
type Manifest struct {
	// Slug is the folder, the Go package and the settings key: ^[a-z][a-z0-9]*$.
	Slug string `json:"slug"`
	// Name is what people call it: "Google Analytics 4".
	Name string `json:"name"`
	// Aliases are other names pages and imports use for it: Segment's and RudderStack's.
	Aliases     []string `json:"aliases"`
	Description string   `json:"description"`
	DocsURL     string   `json:"docsUrl"`
	// Category groups the catalog: analytics, advertising, support, ...
	Category string `json:"category"`
	// Consent is the purpose a visitor agrees to: necessary, functional,
	// analytics, marketing, personalization.
	Consent string `json:"consent"`
	// Status is stable, beta or legacy.
	Status string `json:"status"`
	// Modes are where it can run: browser, server.
	Modes []string `json:"modes"`
	// Hosts are the origins the vendor's code is loaded from and talks to, by
	// CSP directive: script, connect, img, frame, style, font, media. Host
	// patterns as CSP has them; {key} stands for a setting's value, and a
	// pattern whose setting is empty is left out.
	Hosts map[string][]string `json:"hosts"`
	// Cookies and storage keys the vendor sets.
	Cookies []Cookie `json:"cookies"`
	// ScriptIf is the bool setting without which the integration asks for no
	// script, because the page has it already; absent: it always asks.
	ScriptIf string `json:"scriptIf,omitempty"`
	// Pageview says who counts page views: off-switch, auto-first, auto-spa, none.
	Pageview string  `json:"pageview"`
	Settings []Field `json:"settings"`
	// BudgetBytes is the most its wrapper may add to a bundle, brotli.
	BudgetBytes int `json:"budgetBytes"`
	// Verified says what the tests ran against.
	Verified Verified `json:"verified"`
}

// Cookie is one cookie or storage key of a vendor.
type Cookie struct {
	Name    string `json:"name"` // may end in *
	Purpose string `json:"purpose"`
	TTL     string `json:"ttl"` // "2 years", "session"
}

// Field is one setting: it makes the form, the validation and the public view.
type Field struct {
	Key   string `json:"key"`
	Label string `json:"label"`
	Help  string `json:"help,omitempty"`
	// Type is string, bool, number, enum, list (of strings) or map (string to string).
	Type string `json:"type"`
	// Required fields must be given where the destination's mode needs them
	// (server-scoped ones only in mode server or both) and ShowIf holds.
	Required bool `json:"required,omitempty"`
	// Default applies when no value is given. Without one, the default is the
	// type's zero: "", false, 0, [] or {}.
	Default any `json:"default,omitempty"`
	// Pattern is an RE2 expression a string, or each string of a list, must
	// match to work at all. It is anchored: ^...$.
	Pattern string   `json:"pattern,omitempty"`
	Enum    []string `json:"enum,omitempty"`
	// Min and Max bound a number.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
	// ShowIf names other settings and the value each must have for this one to
	// mean anything; elsewhere it is neither asked for nor sent to a browser.
	ShowIf map[string]string `json:"showIf,omitempty"`
	// Scope is who may see it: browser, server, both.
	Scope string `json:"scope"`
	// Secret values are encrypted at rest, masked on the way out and never in
	// a browser; their scope is always server.
	Secret bool `json:"secret,omitempty"`
	// TestValue is a valid value, used by tests, docs and the demo.
	TestValue any `json:"testValue"`
}

// Verified is what an integration's tests ran against.
type Verified struct {
	// SDK is npm (the vendor's real file from the npm registry) or fake (a
	// recording stand-in; the README says "not verified against the vendor's SDK").
	SDK     string `json:"sdk"`
	Package string `json:"package,omitempty"` // name@version
	File    string `json:"file,omitempty"`
}
