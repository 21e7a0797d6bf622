import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { number } from '@tagmill/runtime/kit/number';
import { pageName } from '@tagmill/runtime/kit/pagename';
import { products } from '@tagmill/runtime/kit/products';

interface Settings {
  apiKey: string;
  region: 'US' | 'EU';
  serverOrigin?: string;
  pageEvents: 'named' | 'consolidated' | 'off';
  groupType: string;
  setOnce?: string[];
  increment?: string[];
  revenuePerProduct?: boolean;
  attribution?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script, user }) => {
  let client: any;

  // Amplitude fills in who did it when it gets to an event, and a reset may be quicker.
  const options = (e: Event): Props => ({
    time: Date.parse(e.timestamp), insert_id: e.messageId, user_id: e.userId, device_id: e.anonymousId,
  });
  const track = (name: string, e: Event) => client.track(name, e.properties, options(e));

  const profile = (t: Props) => {
    const out = new w.amplitude.Identify();
    for (const k in t) {
      const is = (list?: string[]) => (list || []).indexOf(k) >= 0;
      out[is(settings.setOnce) ? 'setOnce' : is(settings.increment) ? 'add' : 'set'](k, t[k]);
    }
    return out;
  };

  const revenue = (e: Event, p: Props, amount: unknown, quantity: unknown, i: number) => {
    const n = number(amount);
    if (n == null) return;
    const r = new w.amplitude.Revenue().setPrice(n).setQuantity(number(quantity) || 1).setRevenueType('Purchase')
      .setProductId(String(p.product_id || p.sku || p.order_id || '')).setEventProperties(p);
    if (p.currency) r.setCurrency(p.currency);
    // Ids of its own, or Amplitude takes it for the event itself sent again.
    client.revenue(r, Object.assign(options(e), { insert_id: e.messageId + '-r' + i }));
  };

  return {
    load() {
      return script('https://cdn.amplitude.com/libs/analytics-browser-2.40.0-min.js.gz').then(() => {
        // An instance of its own: the page may have an Amplitude already.
        client = w.amplitude.createInstance();
        client.init(settings.apiKey, {
          instanceName: settings.apiKey,
          // Both sides know an anonymous visitor by the same id.
          deviceId: user().anonymousId,
          // It would drop events of users whose id is shorter than five characters.
          minIdLength: 1,
          serverZone: settings.region,
          serverUrl: settings.serverOrigin && settings.serverOrigin + '/2/httpapi',
          autocapture: { attribution: !!settings.attribution, pageViews: false, sessions: false, formInteractions: false, fileDownloads: false, elementInteractions: false, pageUrlEnrichment: false },
          // What is collected is what the settings say.
          fetchRemoteConfig: false,
        });
      });
    },
    page(e) {
      if (settings.pageEvents != 'off') track(settings.pageEvents == 'named' ? pageName(e) : 'Loaded a Page', e);
    },
    screen(e) {
      track(pageName(e).replace(/Page$/, 'Screen'), e);
    },
    track(e) {
      const p = e.properties!;
      track(e.event!, e);
      const each = settings.revenuePerProduct && p.revenue != null ? products(p) : [];
      if (each[0]) each.forEach((x, i) => revenue(e, x, x.price, x.quantity, i));
      else revenue(e, p, p.revenue, 1, 0);
    },
    identify(e) {
      if (e.userId) client.setUserId(e.userId);
      client.identify(profile(e.traits!), options(e));
    },
    group(e) {
      const type = e.traits!.groupType || settings.groupType;
      client.setGroup(type, e.groupId, Object.assign(options(e), { insert_id: e.messageId + '-g' }));
      client.groupIdentify(type, e.groupId, profile(e.traits!), options(e));
    },
    reset() {
      client.reset();
      client.setDeviceId(user().anonymousId);
    },
  };
};

export default integration;
