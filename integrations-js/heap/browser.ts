import type { Factory, Props } from '@tagmill/runtime/types';
import { flatten } from '@tagmill/runtime/kit/flatten';
import { pageName } from '@tagmill/runtime/kit/pagename';

interface Settings {
  appId: string;
  pageEvents?: boolean;
  disableTextCapture?: boolean;
  secureCookie?: boolean;
}

/** Heap takes no lists: they become text. */
function plain(p: Props): Props {
  const out = flatten(p);
  for (const k in p) if (Array.isArray(p[k])) out[k] = JSON.stringify(p[k]);
  return out;
}

const integration: Factory<Settings> = (settings, { w, script }) => ({
  load() {
    const heap = w.heap = w.heap || [];
    // What the script looks for.
    heap.appid = settings.appId;
    heap.config = { disableTextCapture: !!settings.disableTextCapture, secureCookie: !!settings.secureCookie };
    return script(`https://cdn.heapanalytics.com/js/heap-${settings.appId}.js`);
  },
  page(e) {
    if (settings.pageEvents && e.name) w.heap.track(pageName(e), plain(e.properties!));
  },
  track(e) {
    w.heap.track(e.event, plain(e.properties!));
  },
  identify(e) {
    if (e.userId) w.heap.identify(e.userId);
    w.heap.addUserProperties(plain(e.traits!));
  },
  group(e) {
    const p = flatten(e.traits!, 'group.');
    p['group.id'] = e.groupId;
    w.heap.addUserProperties(p);
  },
  reset() {
    w.heap.resetIdentity();
  },
});

export default integration;
