import type { Factory, Props } from '@tagmill/runtime/types';
import { adEvent } from '@tagmill/runtime/kit/adevent';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { lineItems } from '@tagmill/runtime/kit/lineitems';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';
import { stub } from '@tagmill/runtime/kit/stub';

interface Settings {
  tagId: string;
  events?: Props;
  customEvents?: boolean;
  enhancedMatch?: boolean;
  limitedDataProcessing?: boolean;
}

const names: Props = {
  Search: 'search',
  ViewCategory: 'viewcategory',
  ViewContent: 'pagevisit',
  AddToCart: 'addtocart',
  AddToWishlist: 'custom',
  InitiateCheckout: 'custom',
  AddPaymentInfo: 'custom',
  Purchase: 'checkout',
  CompleteRegistration: 'signup',
  Lead: 'lead',
};

const integration: Factory<Settings> = (settings, { w, script, user }) => {
  const pintrk = stub(w, 'pintrk');
  const matched = (traits: Props, userId?: string) =>
    (settings.enhancedMatch ? pick(Object.assign(person(traits), { id: userId }), { email: 'em', id: 'external_id' }) : {});

  return {
    load() {
      const { traits, userId } = user();
      pintrk('load', settings.tagId, matched(traits, userId));
      w.pintrk.version = w.pintrk.version || '3.0';
      if (settings.limitedDataProcessing) pintrk('set', { opt_out_type: 'LDP' });
      pintrk('page');
      return script('https://s.pinimg.com/ct/core.js');
    },
    page(e) {
      pintrk('track', 'pagevisit', pick(Object.assign({}, e, { id: e.messageId }), { name: 'page_name', category: 'page_category', id: 'event_id' }));
    },
    track(e) {
      const p = e.properties!;
      const other = settings.customEvents ? e.event : '';
      const name = adEvent(e.event!, names, settings.events) || other;
      if (!name) return;
      const out = Object.assign(pick(p, { order_id: 'order_id', query: 'search_query', coupon: 'promo_code' }), adValue(p), { event_id: e.messageId }) as Props;
      const items = lineItems(p, {
        id: 'product_id', name: 'product_name', category: 'product_category', variant: 'product_variant', price: 'product_price', quantity: 'product_quantity', brand: 'product_brand',
      });
      if (items[0]) {
        out.line_items = items;
        out.order_quantity = items.reduce((n, item) => n + item.product_quantity, 0);
      }
      pintrk('track', name, out);
    },
    identify(e) {
      const who = matched(e.traits!, e.userId);
      if (Object.keys(who)[0]) pintrk('set', who);
    },
  };
};

export default integration;
