import type { Event, Factory, Props } from '@tagmill/runtime/types';

interface Settings {
  writeKey: string;
  cdnOrigin: string;
  apiOrigin?: string;
}

// Not window.analytics: that is the runtime's.
const global = 'segmentAnalytics';

const integration: Factory<Settings> = (settings, { w, script }) => {
  // A list until the library takes its place.
  const call = (method: string, ...args: unknown[]) =>
    w[global][method] ? w[global][method](...args) : w[global].push([method, ...args]);
  // A call made before the library came keeps its own id, time and visitor.
  const send = (e: Event, ...args: unknown[]) =>
    call(e.type, ...args, {
      messageId: e.messageId, timestamp: e.timestamp, anonymousId: e.anonymousId, userId: e.userId, aliasTo: e.type == 'alias' ? e.userId : '',
    });

  return {
    load() {
      w[global] = w[global] || [];
      w[global]._writeKey = settings.writeKey;
      w[global]._cdn = settings.cdnOrigin;
      // It would keep the visitor under the names the runtime has (ajs_user_id), and reset would clear both.
      const options: Props = { disableClientPersistence: true, initialPageview: false };
      if (settings.apiOrigin) options.integrations = { 'Segment.io': { apiHost: settings.apiOrigin.slice(8) + '/v1' } };
      w[global]._loadOptions = options;
      // The library overwrites an alias's new id with the old one.
      call('addSourceMiddleware', ({ payload, next }: any) => {
        const { context } = payload.obj;
        if (context.aliasTo) payload.obj.userId = context.aliasTo;
        delete context.aliasTo;
        next(payload);
      });
      // Without the attribute the library would take window.analytics for its own.
      return script(`${settings.cdnOrigin}/analytics.js/v1/${settings.writeKey}/analytics.min.js`, {
        'data-global-segment-analytics-key': global,
      });
    },
    page(e) {
      send(e, e.category, e.name, e.properties);
    },
    screen(e) {
      send(e, e.category, e.name, e.properties);
    },
    track(e) {
      send(e, e.event, e.properties);
    },
    identify(e) {
      send(e, e.userId, e.traits);
    },
    group(e) {
      send(e, e.groupId, e.traits);
    },
    alias(e) {
      send(e, e.userId, e.previousId);
    },
    reset() {
      call('reset');
    },
  };
};

export default integration;
