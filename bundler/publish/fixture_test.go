package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"testing/fstest"

	"github.com/tagmill/tagmill/bundler"
)

// A small runtime and a few integrations, in memory: these tests do not change
// when the real ones do.
const fixtureStart = `
export function start(config: any, factories: any) {
  const w: any = window;
  const env = { w, d: document, script(src: string) {
    const s = document.createElement('script');
    s.src = src;
    document.head.appendChild(s);
    return new Promise(() => {});
  } };
  const guard = (fn: any) => { try { return fn(); } catch (e) { /*REPORT*/ w.__tagmill_error && w.__tagmill_error('runtime', e); } };
  const alive = config.destinations.map((d: any) => guard(() => factories[d.slug](d.settings, env))).filter((i: any) => i);
  /*LOAD*/ alive.forEach((i: any) => guard(() => { const p = i.load(); if (p) p.catch(() => {}); }));
  const send = (event: any) => fetch(config.collector + '/t', { method: 'POST', body: JSON.stringify(event) });
  const call = (type: string) => (event?: any) => {
    if (type === 'track') setTimeout(() => send({ type, event, writeKey: config.writeKey, context: { library: { build: config.buildId } } }), 10);
    alive.forEach((i: any) => guard(() => i[type] && i[type]({ type, event })));
  };
  w.analytics = { track: call('track'), identify: call('identify'), page: call('page'), reset: call('reset') };
}`

// honest is an integration as it should be.
const honest = `export default (s: any, env: any) => ({ load() { env.script('https://cdn.vendor.test/' + s.token + '.js'); }, track() {}, reset() {} });`

type files map[string]string

func (f files) fs() fstest.MapFS {
	m := fstest.MapFS{}
	for name, content := range f {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return m
}

func fixtureSources(integrations files) bundler.Sources {
	all := files{"alpha/browser.ts": honest, "beta/browser.ts": honest}
	maps.Copy(all, integrations)
	return bundler.Sources{Runtime: files{"start.ts": fixtureStart}.fs(), Integrations: all.fs()}
}

// fixtureCatalog knows alpha, beta and broken.
type fixtureCatalog struct{}

// Public refuses one value, as the real catalog refuses what it finds wrong.
func (fixtureCatalog) Public(_ string, values map[string]any) (json.RawMessage, error) {
	if values["refuse"] != nil {
		return nil, errors.New("refuse: not a value")
	}
	return json.Marshal(values)
}

func (c fixtureCatalog) Slug(name string) (string, bool) { return name, c.Names(name) != nil }

func (fixtureCatalog) Check(string, string, map[string]any) map[string]string { return nil }

func (fixtureCatalog) Field(_, key string) (scope string, secret, ok bool) {
	switch key {
	case "token", "size", "refuse":
		return "browser", false, true
	}
	return "", false, false
}

func (fixtureCatalog) Names(slug string) []string {
	if slug != "alpha" && slug != "beta" && slug != "broken" {
		return nil
	}
	return []string{slug, "The " + slug}
}

func (fixtureCatalog) Hosts(string, map[string]any) map[string][]string {
	return map[string][]string{"script": {"https://cdn.vendor.test"}}
}

var _ Catalog = fixtureCatalog{}

func destination(slug string) bundler.Destination {
	return bundler.Destination{ID: "id-" + slug, Slug: slug, Settings: json.RawMessage(fmt.Sprintf(`{"token":%q}`, slug))}
}
