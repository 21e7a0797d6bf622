package publish

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/cdn"
	"github.com/tagmill/tagmill/settings"
)

// plan is one revision of a source to make live.
type plan struct {
	src     *settings.Source // nil: the source is gone
	options settings.Options // in force, workspace included
}

func planFor(snap *settings.Snapshot, src *settings.Source) plan {
	return plan{src: src, options: snap.Effective(src)}
}

// keys are the active write keys, oldest first.
func (p plan) keys() []string {
	if p.src == nil {
		return nil
	}
	var keys []string
	for _, k := range p.src.Keys {
		if k.RetiredAt == nil {
			keys = append(keys, k.Key)
		}
	}
	return keys
}

func (p plan) caching() cdn.Caching {
	c := settings.DefaultCaching
	if p.options.Caching != nil {
		c = *p.options.Caching
	}
	return cdn.Caching{MaxAge: c.MaxAge, SMaxAge: c.SMaxAge, StaleWhileRevalidate: c.StaleWhileRevalidate, StaleIfError: c.StaleIfError}
}

// browserDestinations are those that run in a page.
func (p plan) browserDestinations() []settings.Destination {
	var list []settings.Destination
	for _, d := range p.src.Destinations {
		if d.Enabled && d.Mode != settings.Server {
			list = append(list, d)
		}
	}
	return list
}

// destinations are the plan's as compiled into every key's bundle: what
// settings.Public lets through, and nothing else. Errors name the destination.
func (p *Publisher) destinations(pl plan) ([]bundler.Destination, error) {
	for _, d := range pl.browserDestinations() {
		if len(p.cfg.Catalog.Names(d.Integration)) == 0 {
			return nil, fmt.Errorf("%s: this version has no integration %q: switch it off or go back to the version that has it", d.Label(), d.Integration)
		}
	}
	public, err := settings.Public(pl.src, p.cfg.Catalog)
	if err != nil {
		return nil, err
	}
	list := make([]bundler.Destination, len(public))
	for i, d := range public {
		list[i] = bundler.Destination{ID: d.ID, Slug: d.Slug, Names: d.Names, Settings: d.Settings}
	}
	return list, nil
}

// input is what one key's bundle is made of.
func (p *Publisher) input(pl plan, key string, destinations []bundler.Destination) bundler.Input {
	return bundler.Input{
		WriteKey: key, Collector: p.cfg.Collector, Destinations: destinations,
		SPA: pl.options.SPA != nil && *pl.options.SPA,
	}
}

// scriptHosts are the host patterns that each integration of a plan may load
// scripts from, by slug; a slug without any is there with none.
func (p *Publisher) scriptHosts(pl plan) map[string][]string {
	hosts := map[string][]string{}
	for _, d := range pl.browserDestinations() {
		hosts[d.Integration] = append(hosts[d.Integration], p.cfg.Catalog.Hosts(d.Integration, d.Settings)["script"]...)
	}
	return hosts
}

// hostAllowed reports whether a script URL matches one of the CSP patterns:
// "https://a.example", "a.example", "*.a.example", "https://*.a.example:443".
func hostAllowed(scheme, host string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		want, rest, ok := strings.Cut(pattern, "://")
		if ok && want != scheme {
			return false
		}
		if !ok {
			rest = pattern
		}
		rest, _, _ = strings.Cut(rest, "/") // a path only narrows what a host pattern has allowed
		if wild, ok := strings.CutPrefix(rest, "*."); ok {
			return strings.HasSuffix(host, "."+wild)
		}
		return rest == host
	})
}
