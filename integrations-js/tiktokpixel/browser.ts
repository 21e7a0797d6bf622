import type { Factory, Props } from '@tagmill/runtime/types';
import { adEvent } from '@tagmill/runtime/kit/adevent';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { lineItems } from '@tagmill/runtime/kit/lineitems';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';

interface Settings {
  pixelCode: string;
  events?: Props;
  purchaseEvent: string;
  customEvents?: boolean;
  identifyUsers?: boolean;
  limitedDataUse?: boolean;
}

/** What TikTok's script finds of ours when it comes; it takes over the calls by these names. */
const methods = 'page track identify instances debug on off once ready alias group enableCookie disableCookie holdConsent revokeConsent grantConsent'.split(' ');

const setAndDefer = (to: any, m: string) => { to[m] = (...call: any[]) => to.push([m, ...call]); };

function defer(list: any) {
  methods.forEach((m) => setAndDefer(list, m));
  return list;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const code = settings.pixelCode;
  const src = 'https://analytics.tiktok.com/i18n/pixel/events.js';
  // Other pixels of the page must not get this one's events.
  const pixel = () => w.ttq.instance(code);

  return {
    load() {
      w.TiktokAnalyticsObject = 'ttq';
      if (!w.ttq) {
        const ttq = (w.ttq = defer([]));
        ttq.methods = methods;
        ttq.setAndDefer = setAndDefer;
        ttq.instance = (id: string) => defer(ttq._i[id] || []);
      }
      const { ttq } = w;
      const note = (key: string, value: unknown) => { (ttq[key] = ttq[key] || {})[code] = value; };
      const queue: any = [];
      queue._u = src;
      note('_i', queue);
      note('_t', Date.now());
      note('_o', settings.limitedDataUse ? { limited_data_use: true } : {});
      return script(`${src}?sdkid=${code}&lib=ttq`);
    },
    page() {
      pixel().page();
    },
    track(e) {
      const p = e.properties!;
      const other = settings.customEvents ? e.event! : '';
      const name = adEvent(e.event!, { ViewCategory: '', Purchase: settings.purchaseEvent }, settings.events) || other;
      if (!name) return;
      const contents = lineItems(p, { id: 'content_id', name: 'content_name', category: 'content_category', brand: 'brand', price: 'price', quantity: 'quantity' });
      contents.forEach((c) => { c.content_type = 'product'; });
      const params = pick(p, { query: 'query', order_id: 'order_id', status: 'status' });
      if (contents[0]) Object.assign(params, { contents, content_type: 'product' });
      // The id is an argument of its own; among the parameters TikTok ignores it.
      pixel().track(name, Object.assign(params, adValue(p)), { event_id: e.messageId });
    },
    identify(e) {
      const who = pick(Object.assign(person(e.traits!), { id: e.userId }), { email: 'email', phone: 'phone_number', id: 'external_id' });
      if (settings.identifyUsers && Object.keys(who)[0]) w.ttq.identify(who);
    },
  };
};

export default integration;
