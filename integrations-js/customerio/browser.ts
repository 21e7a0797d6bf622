import type { Event, Factory } from '@tagmill/runtime/types';
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
  // A call made before the library came keeps its own id, time and visitor.
  const send = (e: Event, ...args: unknown[]) => {
    if (cdp) args.push({ messageId: e.messageId, timestamp: e.timestamp, anonymousId: e.anonymousId, userId: e.userId });
    call(e.type, ...args);
  };

  return {
    load() {
      w[global] = w[global] || [];
      if (!cdp) {
        return script(`https://assets.customer.io/assets/track${region}.js`, {
          id: 'cio-tracker',
          'data-site-id': settings.siteId!,
          'data-use-array-params': 'true',
          'data-use-in-app': String(!!settings.inApp),
        });
      }
      w[global]._writeKey = settings.writeKey;
      // It would keep the visitor under the names the runtime has (ajs_user_id), and reset would clear both.
      w[global]._loadOptions = { disableClientPersistence: true };
      // The library makes ids of its own and takes ours for context.
      call('addSourceMiddleware', ({ payload, next }: any) => {
        const id = payload.obj.context.messageId;
        if (id) payload.obj.messageId = id;
        next(payload);
      });
      // Without the attribute the library would take window.analytics for its own.
      return script(`https://cdp${region}.customer.io/v1/analytics-js/snippet/${settings.writeKey}/analytics.min.js`, {
        'data-global-customerio-analytics-key': global,
      });
    },
    page(e) {
      if (cdp) send(e, e.category, e.name, e.properties);
      else send(e, e.name || e.properties!.url, e.properties);
    },
    track(e) {
      send(e, e.event, e.properties);
    },
    identify(e) {
      const t = e.traits!;
      if (cdp) send(e, e.userId, t);
      else if (e.userId) send(e, Object.assign({}, t, { id: e.userId, created_at: unix(t.created_at || t.createdAt) }));
    },
    group(e) {
      if (cdp) send(e, e.groupId, e.traits);
    },
    alias(e) {
      if (cdp) send(e, e.userId, e.previousId);
    },
    screen(e) {
      if (cdp) send(e, e.category, e.name, e.properties);
    },
    reset() {
      call('reset');
    },
  };
};

export default integration;
