import type { Factory, Props } from '@tagmill/runtime/types';
import { eventKey } from '@tagmill/runtime/kit/eventkey';
import { number } from '@tagmill/runtime/kit/number';
import { products } from '@tagmill/runtime/kit/products';

interface Settings {
  url: string;
  siteId: string;
  scriptOrigin: string;
  path?: string;
  goals?: Props;
  noCookies?: boolean;
  respectDnt?: boolean;
  linkTracking?: boolean;
  heartbeat?: number;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const push = (...call: unknown[]) => w._paq.push(call);
  const id = (p: Props) => p.product_id || p.sku || p.id;
  let fresh = false;
  const sent = () => {
    if (fresh) push('appendToTrackingUrl', '');
    fresh = false;
  };

  return {
    load() {
      const path = settings.path || '';
      // In Matomo's cloud the path belongs to the CDN alone.
      const folder = settings.scriptOrigin == settings.url ? path : '';
      w._paq = w._paq || [];
      push('setTrackerUrl', settings.url + folder + '/matomo.php');
      push('setSiteId', settings.siteId);
      if (settings.noCookies) push('disableCookies');
      if (settings.respectDnt) push('setDoNotTrack', true);
      if (settings.linkTracking) push('enableLinkTracking');
      if (settings.heartbeat) push('enableHeartBeatTimer', settings.heartbeat);
      return script(settings.scriptOrigin + path + '/matomo.js');
    },
    page(e) {
      const p = e.properties!;
      push('setCustomUrl', p.url);
      push('setReferrerUrl', p.referrer);
      push('setDocumentTitle', p.title);
      push('trackPageView');
      sent();
    },
    track(e) {
      const p = e.properties!;
      const key = eventKey(e.event!);
      const items = products(p);
      const total = number(p.total != null ? p.total : p.value != null ? p.value : p.revenue);
      const goals = settings.goals || {};
      const add = () => items.forEach((x) =>
        push('addEcommerceItem', String(id(x)), x.name, x.category, number(x.price) || 0, number(x.quantity) || 1));

      if (goals.hasOwnProperty(e.event!)) push('trackGoal', goals[e.event!], total);
      if (key == 'products searched') push('trackSiteSearch', p.query, p.category || false, false);
      else if (key == 'product viewed') {
        push('setEcommerceView', id(p), p.name, p.category, number(p.price));
        push('trackPageView');
      } else if (key == 'product list viewed' || key == 'product category viewed') {
        push('setEcommerceView', false, false, p.category);
        push('trackPageView');
      } else if (key == 'product added') {
        add();
      } else if (key == 'product removed') {
        items.forEach((x) => push('removeEcommerceItem', String(id(x))));
      } else if (key == 'cart viewed') {
        // The cart as it is now, whatever was added before.
        push('clearEcommerceCart');
        add();
        push('trackEcommerceCartUpdate', total || items.reduce((sum, x) => sum + (number(x.price) || 0) * (number(x.quantity) || 1), 0));
      } else if (key == 'order completed' && p.order_id) {
        push('clearEcommerceCart');
        add();
        push('trackEcommerceOrder', String(p.order_id), total || 0, number(p.revenue != null ? p.revenue : p.subtotal), number(p.tax), number(p.shipping), number(p.discount) || false);
      } else push('trackEvent', p.category || 'All', e.event, p.label, number(p.value != null ? p.value : p.revenue));
      sent();
    },
    identify(e) {
      if (e.userId) push('setUserId', e.userId);
    },
    reset() {
      push('resetUserId');
      // What is sent next begins a new visit.
      push('appendToTrackingUrl', 'new_visit=1');
      fresh = true;
    },
  };
};

export default integration;
