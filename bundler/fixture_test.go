package bundler

import (
	"encoding/json"
	"maps"
	"testing"
	"testing/fstest"
)

// A small runtime and two integrations, in memory: these tests do not change
// when the real ones do.
var fixtureRuntime = fstest.MapFS{
	"start.ts": text(`
import type { Config, Factory } from './types';
import { say } from './say';
import { spa } from './flags';
class Queue { items_: any[] = []; push_(x: any) { this.items_.push(x); } }
export function start(config: Config, factories: Record<string, Factory>) {
  const q = new Queue();
  q.push_(config);
  config.destinations.forEach((d: any) => factories[d.slug](d.settings, { say }));
  if (spa) q.push_('watching history');
  (window as any).seen = { config, slugs: Object.keys(factories), size: q.items_.length };
}`),
	"flags.ts":        text(`declare const __SPA__: boolean; export const spa: boolean = __SPA__;`),
	"types.ts":        text(`export type Config = any; export type Factory = any;`),
	"say.ts":          text(`export function say(what: string) { ((window as any).said = (window as any).said || []).push(what); }`),
	"kit/shout.ts":    text(`export function shout(s: string) { return s.toUpperCase() + '!'; }`),
	"kit/unused.ts":   text(`export function unused() { return 'nobody uses this'; }`),
	"test/ignored.ts": text(`this is not TypeScript`),
}

var fixtureIntegrations = fstest.MapFS{
	"alpha/browser.ts": text(`
import type { Factory } from '@tagmill/runtime/types';
import { shout } from '@tagmill/runtime/kit/shout';
const factory: Factory = (settings: any, env: any) => { env.say(shout('alpha ' + settings.token)); };
export default factory;`),
	"beta/browser.ts": text(`
import { prefix } from './prefix';
export default (settings: any, env: any) => { env.say(prefix + settings.token); };`),
	"beta/prefix.ts": text(`export const prefix = 'beta ';`),
	"new/browser.ts": text(`export default (settings: any, env: any) => { env.say('a slug that is a word of the language'); };`),
}

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func fixture() Sources {
	return Sources{Runtime: maps.Clone(fixtureRuntime), Integrations: maps.Clone(fixtureIntegrations)}
}

// with is the fixture with one file put in, or left out where content is empty.
func with(folder, name, content string) Sources {
	s := fixture()
	fsys := s.Runtime.(fstest.MapFS)
	if folder == integrationSpace {
		fsys = s.Integrations.(fstest.MapFS)
	}
	fsys[name] = text(content)
	if content == "" {
		delete(fsys, name)
	}
	return s
}

func fixtureInput() Input {
	return Input{
		WriteKey: "key1", Collector: "https://c.test/v1",
		Destinations: []Destination{
			{ID: "d1", Slug: "alpha", Names: []string{"alpha", "Alpha"}, Settings: json.RawMessage(`{"token":"a"}`)},
			{ID: "d2", Slug: "beta", Names: []string{"beta"}, Settings: json.RawMessage(`{"token":"b","z":1,"a":{"y":1,"x":2}}`)},
		},
	}
}

func mustBuild(t testing.TB, s Sources, in Input) *Bundle {
	t.Helper()
	b, err := New(s).Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
