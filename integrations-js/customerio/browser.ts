import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { unix } from '@tagmill/runtime/kit/unix';

interface Settings {
  mode: 'journeys' | 'cdp';
  region: 'us' | 'eu';
  siteId?: string;
  inApp?: boolean;
  writeKey?: string;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const cdp = settings.mode == 'cdp';
  const region = settings.region == 'eu' ? '-eu' : '';
  const global = cdp ? 'cioanalytics' : '_cio';
  // A list until the library takes its place, or takes over its push.
  const call = (method: string, ...args: unknown[]) =>
    w[global][method] ? w[global][method](...args) : w[global].push([method, ...args]);
  const options = ({ messageId, timestamp, anonymousId }: Event): Props => ({ messageId, timestamp, anonymousId });

  return {
    load() {
      w[global] = w[global] || [];
      if (!cdp) {
        return script(`https://assets.customer.io/assets/track${region}.js`, flatAttributes(settings));
      }
      w[global]._writeKey = settings.writeKey;
      // Without the attribute the library would take window.analytics for its own.
      return script(`https://cdp${region}.customer.io/v1/analytics-js/snippet/${settings.writeKey}/analytics.min.js`, {
        'data-global-customerio-analytics-key': global,
      });
    },
    page(e) {
      const p = e.properties!;
      if (cdp) call('page', e.category, e.name, p, options(e));
      else call('page', e.name || p.url, p);
    },
    track(e) {
      call('track', e.event, e.properties, options(e));
    },
    identify(e) {
      const t = e.traits!;
      if (cdp) call('identify', e.userId, t, options(e));
      else if (e.userId) {
        call('identify', Object.assign({}, t, { id: e.userId, created_at: unix(t.created_at || t.createdAt) }));
      }
    },
    group(e) {
      if (cdp) call('group', e.groupId, e.traits, options(e));
    },
    alias(e) {
      if (cdp) call('alias', e.userId, e.previousId, options(e));
    },
    screen(e) {
      if (cdp) call('screen', e.category, e.name, e.properties, options(e));
    },
    reset() {
      call('reset');
    },
  };
};

function flatAttributes(settings: Settings): Record<string, string> {
  return {
    id: 'cio-tracker',
    'data-site-id': settings.siteId!,
    'data-use-array-params': 'true',
    'data-use-in-app': String(!!settings.inApp),
  };
}

export default integration;
