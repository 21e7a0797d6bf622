package integrations

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// entry is a manifest with what is worked out once: compiled patterns, names.
type entry struct {
	Manifest
	names    []string // slug, name, aliases; no repeats
	patterns map[string]*regexp.Regexp
}

func (e *entry) field(key string) *Field {
	for i := range e.Settings {
		if e.Settings[i].Key == key {
			return &e.Settings[i]
		}
	}
	return nil
}

var (
	slugPattern   = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	keyPattern    = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)
	hostPattern   = regexp.MustCompile(`^(\{[a-z][a-zA-Z0-9]*\}|(https|wss)://(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+(:[0-9]+)?)$`)
	placeholderRE = regexp.MustCompile(`\{([a-zA-Z0-9]+)\}`)
)

// The closed vocabularies of a manifest; manifest.schema.json repeats them and
// a test keeps the two in step.
var (
	categories = []string{"analytics", "advertising", "support", "marketing", "heatmaps", "monitoring", "experimentation", "tagmanager"}
	consents   = []string{"necessary", "functional", "analytics", "marketing", "personalization"}
	statuses   = []string{"stable", "beta", "legacy"}
	modes      = []string{"browser", "server"}
	directives = []string{"script", "connect", "img", "frame", "style", "font", "media"}
	pageviews  = []string{"off-switch", "auto-first", "auto-spa", "none"}
	types      = []string{"string", "bool", "number", "enum", "list", "map"}
	scopes     = []string{"browser", "server", "both"}
	sdks       = []string{"npm", "fake"}
	// reserved names mean something else in a call's integrations object.
	reserved = []string{"all", "segment.io", "tagmill"}
)

// maxBudget is the dearest a wrapper may be, in brotli bytes.
const maxBudget = 1800

// parse decodes and checks one manifest that lies in the given folder. The
// entry is usable only when there are no errors.
func parse(folder string, data []byte) (*entry, []error) {
	e := &entry{patterns: map[string]*regexp.Regexp{}}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e.Manifest); err != nil {
		return nil, []error{err}
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, []error{errors.New("there is something after the manifest's closing brace")}
	}
	for _, name := range append([]string{e.Slug, e.Name}, e.Aliases...) {
		if !slices.Contains(e.names, name) {
			e.names = append(e.names, name)
		}
	}

	p := &problems{}
	p.require(slugPattern.MatchString(e.Slug), "slug", "%q must match %s", e.Slug, slugPattern)
	p.require(e.Slug == folder, "slug", "%q must be the folder's name, %q", e.Slug, folder)
	p.require(strings.TrimSpace(e.Name) != "", "name", "is missing")
	p.require(e.Description != "", "description", "is missing")
	p.require(strings.HasPrefix(e.DocsURL, "https://"), "docsUrl", "%q must start with https://", e.DocsURL)
	for i, name := range e.names {
		p.require(name != "" && !slices.Contains(reserved, strings.ToLower(name)), "aliases",
			"name %d, %q, is empty or reserved (%s)", i, name, strings.Join(reserved, ", "))
	}
	p.require(len(e.names) == 2+len(e.Aliases) || e.Name == e.Slug, "aliases", "repeat the slug, the name or each other")
	p.oneOf("category", e.Category, categories)
	p.oneOf("consent", e.Consent, consents)
	p.oneOf("status", e.Status, statuses)
	if f := e.field(e.ScriptIf); e.ScriptIf != "" && (f == nil || f.Type != "bool" || f.Scope == "server") {
		p.add("scriptIf", "%q is not a bool setting that browsers see", e.ScriptIf)
	}
	p.oneOf("pageview", e.Pageview, pageviews)
	p.require(len(e.Modes) > 0, "modes", "is empty")
	for _, m := range e.Modes {
		p.oneOf("modes", m, modes)
	}
	p.require(e.BudgetBytes > 0 && e.BudgetBytes <= maxBudget, "budgetBytes", "%d must be 1 to %d", e.BudgetBytes, maxBudget)
	for _, c := range e.Cookies {
		p.require(c.Name != "" && c.Purpose != "" && c.TTL != "", "cookies", "%q needs name, purpose and ttl", c.Name)
	}
	p.oneOf("verified.sdk", e.Verified.SDK, sdks)
	p.require(e.Verified.SDK != "npm" || (strings.LastIndex(e.Verified.Package, "@") > 0 && e.Verified.File != ""),
		"verified", "sdk npm needs package name@version and file")
	e.validateSettings(p)
	e.validateHosts(p)
	return e, p.all
}

func (e *entry) validateHosts(p *problems) {
	p.require(len(e.Hosts["script"]) > 0, "hosts.script", "is empty: say where the vendor's script comes from")
	for _, directive := range slices.Sorted(maps.Keys(e.Hosts)) {
		at := "hosts." + directive
		p.oneOf(at, directive, directives)
		for _, host := range e.Hosts[directive] {
			p.require(hostPattern.MatchString(host), at, "%q must be https://HOST, https://*.HOST, wss://HOST or {key}", host)
			for _, m := range placeholderRE.FindAllStringSubmatch(host, -1) {
				f := e.field(m[1])
				p.require(f != nil && f.Type == "string" && f.Scope != "server", at, "{%s} must name a text setting that a browser may see", m[1])
				// What stands for an origin must be one, or a page's policy could be widened by a setting.
				if f != nil && f.TestValue != nil {
					p.require(hostPattern.MatchString(fmt.Sprint(f.TestValue)), at, "the testValue of %s, %v, must be an https origin", m[1], f.TestValue)
				}
			}
		}
	}
}

func (e *entry) validateSettings(p *problems) {
	for i := range e.Settings {
		f := &e.Settings[i]
		at := fmt.Sprintf("settings[%d] (%s)", i, f.Key)
		p.require(keyPattern.MatchString(f.Key), at+".key", "%q must match %s", f.Key, keyPattern)
		p.require(e.field(f.Key) == f, at+".key", "%q is there twice", f.Key)
		p.require(f.Label != "", at+".label", "is missing")
		p.oneOf(at+".type", f.Type, types)
		p.oneOf(at+".scope", f.Scope, scopes)
		p.require(!f.Secret || f.Scope == "server", at+".scope", "is %q: a secret's scope is server", f.Scope)
		p.require(!f.Secret || f.Type == "string", at+".type", "is %q: a secret is a string", f.Type)
		p.require(!f.Secret || f.Default == nil, at+".default", "a secret has no default")
		p.require(!f.Required || f.Default == nil, at+".default", "a required setting has no default")
		p.require((f.Type == "enum") == (len(f.Enum) > 0), at+".enum", "belongs to type enum, and must not be empty there")
		p.require(f.Type != "enum" || f.Required || f.Default != nil, at+".default", "an enum is required or has a default")
		p.require((f.Min == nil && f.Max == nil) || f.Type == "number", at+".min", "min and max belong to type number")
		if f.Pattern != "" {
			p.require(f.Type == "string" || f.Type == "list" || f.Type == "map", at+".pattern", "belongs to type string, list or map")
			p.require(strings.HasPrefix(f.Pattern, "^") && strings.HasSuffix(f.Pattern, "$"), at+".pattern", "%q must be anchored: ^...$", f.Pattern)
			re, err := regexp.Compile(f.Pattern)
			if err != nil {
				p.add(at+".pattern", "%v", err)
				continue
			}
			e.patterns[f.Key] = re
		}
		for other, want := range f.ShowIf {
			o := e.field(other)
			p.require(o != nil && o != f && o.Type == "enum" && slices.Contains(o.Enum, want), at+".showIf", "%s=%q must name another setting of type enum and one of its values", other, want)
		}
		if f.TestValue == nil {
			p.add(at+".testValue", "is missing")
		} else if msg := e.checkValue(f, f.TestValue); msg != "" {
			p.add(at+".testValue", "%s", msg)
		}
		if f.Default != nil {
			if msg := e.checkValue(f, f.Default); msg != "" {
				p.add(at+".default", "%s", msg)
			}
		}
	}
}

// problems gathers mistakes as "field: what is wrong".
type problems struct{ all []error }

func (p *problems) add(field, format string, args ...any) {
	p.all = append(p.all, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
}

func (p *problems) require(ok bool, field, format string, args ...any) {
	if !ok {
		p.add(field, format, args...)
	}
}

func (p *problems) oneOf(field, got string, allowed []string) {
	p.require(slices.Contains(allowed, got), field, "%q must be one of %s", got, strings.Join(allowed, ", "))
}
