import type { Factory, Props } from '@tagmill/runtime/types';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { gaEvent } from '@tagmill/runtime/kit/gaevent';
import { lineItems } from '@tagmill/runtime/kit/lineitems';
import { lookup } from '@tagmill/runtime/kit/lookup';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';
import { sha256 } from '@tagmill/runtime/kit/sha256';

interface Settings {
  tagId: string;
  events?: Props;
  enhancedConversions?: boolean;
}

const pageTypes: Props = {
  search: 'searchresults', view_item_list: 'category', view_item: 'product', add_to_cart: 'cart', view_cart: 'cart', purchase: 'purchase',
};

const integration: Factory<Settings> = (settings, { w, script }) => {
  let uet: any;
  let seen: boolean;

  return {
    load() {
      w.uetq = w.uetq || [];
      return script('https://bat.bing.com/bat.js').then(() => {
        // A second tag has the first one's UET as its queue, as in Microsoft's snippet.
        uet = w.uetq = new w.UET({ ti: settings.tagId, q: w.uetq, enableAutoSpaTracking: false });
      });
    },
    page(e) {
      if (seen) uet.push('event', 'page_view', pick(e.properties!, { path: 'page_path', title: 'page_title' }));
      else uet.push('pageLoad');
      seen = true;
    },
    track(e) {
      const p = e.properties!;
      const name = gaEvent(e.event!);
      const { value, currency } = adValue(p);
      const out = pick(Object.assign({}, p, { value, currency, id: e.messageId }), {
        value: 'revenue_value', currency: 'currency', id: 'event_id', label: 'event_label', category: 'event_category', order_id: 'transaction_id', query: 'search_term',
      });
      const items = lineItems(p, { id: 'id', quantity: 'quantity', price: 'price' });
      if (items[0]) {
        out.items = items;
        out.ecomm_prodid = items.map((item) => item.id);
        if (value != null) out.ecomm_totalvalue = value;
      }
      if (name) out.ecomm_pagetype = pageTypes[name] || 'other';
      uet.push('event', lookup(settings.events, e.event!) || name || e.event, out);
    },
    identify(e) {
      if (!settings.enhancedConversions) return;
      const { email, phone } = person(e.traits!);
      const hash = (text: string) => (text ? sha256(w, text) : '');
      // Microsoft hashes addresses without dots and +tags ahead of the @. Later calls wait for this.
      return Promise.all([hash(email && email.replace(/^[^@]*/, (s: string) => s.replace(/\+.*|\./g, ''))), hash(phone)]).then(([em, ph]) => {
        if (em || ph) uet.push('set', { pid: pick({ em, ph }, { em: 'em', ph: 'ph' }) });
      });
    },
  };
};

export default integration;
