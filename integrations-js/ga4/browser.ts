import type { Factory, Props } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { gaEvent } from '@tagmill/runtime/kit/gaevent';
import { gtag } from '@tagmill/runtime/kit/gtag';
import { gtagScript } from '@tagmill/runtime/kit/gtagscript';
import { number } from '@tagmill/runtime/kit/number';
import { products } from '@tagmill/runtime/kit/products';
import { value } from '@tagmill/runtime/kit/value';

interface Settings {
  measurementId: string;
  scriptOrigin: string;
  serverContainerUrl?: string;
  sendUserId?: boolean;
  ignoredTraits?: string[];
  debugMode?: boolean;
  disableGoogleSignals?: boolean;
  disableAdPersonalization?: boolean;
  cookieDomain?: string;
  cookieExpires?: number;
  cookieFlags?: string;
  cookiePrefix?: string;
}

/** Parameters of a standard event that Google names otherwise. */
const params: Props = {
  order_id: 'transaction_id',
  query: 'search_term',
  list_id: 'item_list_id',
  category: 'item_list_name',
  payment_method: 'payment_type',
  shipping_method: 'shipping_tier',
  share_via: 'method',
  creative: 'creative_name',
  position: 'creative_slot',
  name: 'promotion_name',
};

/** What belongs to a product. The id and the category are worked out. */
const itemKeys: Props = {
  product_id: 0,
  sku: 0,
  id: 0,
  category: 0,
  name: 'item_name',
  brand: 'item_brand',
  variant: 'item_variant',
  position: 'index',
  list_id: 'item_list_id',
  price: 'price',
  quantity: 'quantity',
};

function item(p: Props): Props {
  const out = flat(p, itemKeys, { product_id: 0, sku: 0, id: 0, category: 0 });
  out.item_id = p.product_id || p.sku || p.id;
  // "Home/Kitchen/Pans" fills item_category, item_category2, item_category3 of five.
  if (p.category) {
    String(p.category).split('/', 5).forEach((c, i) => {
      out['item_category' + (i ? i + 1 : '')] = c.trim();
    });
  }
  return out;
}

const integration: Factory<Settings> = (settings, env) => {
  const { w } = env;
  const id = settings.measurementId;
  let forget: Props = {};

  const send = (name: string, p: Props) => {
    p.send_to = id;
    gtag(w, 'event', name, p);
  };

  return {
    load() {
      const loaded = gtagScript(env, settings.scriptOrigin, id);
      const config = flat({
        server_container_url: settings.serverContainerUrl,
        debug_mode: settings.debugMode,
        cookie_domain: settings.cookieDomain,
        cookie_expires: settings.cookieExpires,
        cookie_flags: settings.cookieFlags,
        cookie_prefix: settings.cookiePrefix,
      });
      config.send_page_view = false;
      if (settings.disableGoogleSignals) config.allow_google_signals = false;
      if (settings.disableAdPersonalization) config.allow_ad_personalization_signals = false;
      gtag(w, 'config', id, config);
      return loaded;
    },
    page(e) {
      send('page_view', flat(e.properties!, { url: 'page_location', title: 'page_title', referrer: 'page_referrer' }, { path: 0, search: 0 }));
    },
    track(e) {
      const p = e.properties!;
      const name = gaEvent(e.event!);
      if (!name) {
        send(e.event!.trim().replace(/\s+/g, '_').slice(0, 40), flat(p));
        return;
      }
      const items = products(p);
      const worth = value(p);
      // An event about one product says everything about it in its item.
      const out = flat(p, params, items[0] == p ? itemKeys : {});
      delete out.total;
      delete out.revenue;
      for (const k of ['tax', 'shipping']) if (k in out) out[k] = number(out[k]);
      if (items[0]) out.items = items.map(item);
      if (worth != null) {
        out.value = worth;
        out.currency = String(p.currency || 'USD').toUpperCase();
      }
      send(name, out);
    },
    identify(e) {
      const ignored: Props = {};
      (settings.ignoredTraits || []).forEach((k) => { ignored[k] = 1; });
      const traits = flat(e.traits!, {}, ignored);
      for (const k in traits) forget[k] = null;
      gtag(w, 'set', 'user_properties', traits);
      if (settings.sendUserId && e.userId) gtag(w, 'set', { user_id: e.userId });
    },
    group(e) {
      const p = flat(e.traits!);
      p.group_id = e.groupId;
      send('join_group', p);
    },
    reset() {
      gtag(w, 'set', 'user_properties', forget);
      gtag(w, 'set', { user_id: null });
      forget = {};
    },
  };
};

export default integration;
