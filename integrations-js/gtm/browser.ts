import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { pageName } from '@tagmill/runtime/kit/pagename';

interface Settings {
  containerId: string;
  scriptOrigin: string;
  dataLayer: string;
  environmentAuth?: string;
  environmentPreview?: string;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const layer = settings.dataLayer;
  const push = (entry: Props) => w[layer].push(entry);

  const send = (event: string, e: Event) => {
    const p = e.properties!;
    // Tag Manager merges: what the last purchase had would show in this one.
    if (p.ecommerce) push({ ecommerce: null });
    push(Object.assign({}, p, { event, messageId: e.messageId, userId: e.userId, anonymousId: e.anonymousId }));
  };

  return {
    load() {
      w[layer] = w[layer] || [];
      push({ 'gtm.start': Date.now(), event: 'gtm.js' });
      let query = '?id=' + settings.containerId;
      if (layer != 'dataLayer') query += '&l=' + layer;
      if (settings.environmentAuth) query += `&gtm_auth=${settings.environmentAuth}&gtm_preview=${settings.environmentPreview}&gtm_cookies_win=x`;
      return script(settings.scriptOrigin + '/gtm.js' + query);
    },
    page(e) {
      send(pageName(e), e);
    },
    track(e) {
      send(e.event!, e);
    },
    identify(e) {
      push({ userId: e.userId, traits: e.traits });
    },
    group(e) {
      push({ groupId: e.groupId, groupTraits: e.traits });
    },
    reset() {
      // Null, not absent: what was pushed before would stay.
      push({ userId: null, traits: null, groupId: null, groupTraits: null });
    },
  };
};

export default integration;
