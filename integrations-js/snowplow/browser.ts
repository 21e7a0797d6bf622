import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { number } from '@tagmill/runtime/kit/number';

interface Settings {
  collector: string;
  appId: string;
  scriptOrigin: string;
  scriptPath: string;
  schemas?: Props;
  method: 'post' | 'get';
  postPath?: string;
  cookieDomain?: string;
  anonymousTracking?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  // A tracker of its own name, beside those the page may have.
  const call = (method: string, ...args: unknown[]) => w.snowplow(method + ':tagmill', ...args);
  // A replayed call happened when the page made it.
  const timed = (e: Event, p: Props) => {
    p.timestamp = { type: 'ttm', value: Date.parse(e.timestamp) };
    return p;
  };

  return {
    load() {
      // The tracker takes over the queue of the function named first in this list.
      const names = (w.GlobalSnowplowNamespace = w.GlobalSnowplowNamespace || []);
      const sp = w.snowplow = w.snowplow || function () { sp.q.push(arguments); };
      sp.q = sp.q || [];
      names.push('snowplow');
      const anonymousTracking = !!settings.anonymousTracking;
      w.snowplow('newTracker', 'tagmill', settings.collector, Object.assign(flat({
        appId: settings.appId,
        eventMethod: settings.method,
        postPath: settings.postPath,
        cookieDomain: settings.cookieDomain,
      }), { anonymousTracking, stateStorageStrategy: anonymousTracking ? 'none' : 'cookieAndLocalStorage', contexts: { webPage: true } }));
      return script(settings.scriptOrigin + settings.scriptPath);
    },
    page(e) {
      const p = e.properties!;
      call('setCustomUrl', p.url);
      call('setReferrerUrl', p.referrer);
      call('trackPageView', timed(e, { title: p.title }));
    },
    track(e) {
      const p = e.properties!;
      const schemas = settings.schemas || {};
      if (schemas.hasOwnProperty(e.event!)) {
        call('trackSelfDescribingEvent', timed(e, { event: { schema: schemas[e.event!], data: p } }));
        return;
      }
      call('trackStructEvent', timed(e, {
        category: p.category || 'All',
        action: e.event,
        label: p.label,
        property: p.property,
        value: number(p.value != null ? p.value : p.revenue),
      }));
    },
    identify(e) {
      if (e.userId) call('setUserId', e.userId);
    },
    reset() {
      call('clearUserData');
    },
  };
};

export default integration;
