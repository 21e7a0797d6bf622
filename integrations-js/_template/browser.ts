import type { Factory } from '@tagmill/runtime/types';

/** The browser-scoped settings of manifest.json; optional unless required or with a default. */
interface Settings {
  apiKey: string;
}

const integration: Factory<Settings> = (settings, { w, script }) => ({
  load() {
    // What the vendor's own snippet does before its script comes.
    w.acme = w.acme || { q: [] };
    return script(`https://cdn.acme.example/${settings.apiKey}.js`);
  },
  page(e) {
    w.acme.page(e.properties);
  },
  track(e) {
    w.acme.track(e.event, Object.assign({}, e.properties, { id: e.messageId }));
  },
  identify(e) {
    if (e.userId) w.acme.identify(e.userId, e.traits);
  },
  reset() {
    w.acme.reset();
  },
});

export default integration;
