import type { Factory, Props } from '@tagmill/runtime/types';
import { adEvent } from '@tagmill/runtime/kit/adevent';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { eventKey } from '@tagmill/runtime/kit/eventkey';
import { lineItems } from '@tagmill/runtime/kit/lineitems';
import { lookup } from '@tagmill/runtime/kit/lookup';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';
import { stub } from '@tagmill/runtime/kit/stub';

interface Settings {
  pixelId: string;
  events?: Props;
  advancedMatching?: boolean;
}

const names: Props = {
  Search: 'SEARCH',
  ViewCategory: 'VIEW_CONTENT',
  ViewContent: 'VIEW_CONTENT',
  AddToCart: 'ADD_CART',
  AddToWishlist: 'ADD_TO_WISHLIST',
  InitiateCheckout: 'START_CHECKOUT',
  AddPaymentInfo: 'ADD_BILLING',
  Purchase: 'PURCHASE',
  CompleteRegistration: 'SIGN_UP',
  Lead: '',
};

/** Standard events that only Snap has a name for. */
const more: Props = {
  'logged in': 'LOGIN', 'product shared': 'SHARE', 'cart shared': 'SHARE', 'promotion viewed': 'AD_VIEW', 'promotion clicked': 'AD_CLICK',
};

const integration: Factory<Settings> = (settings, { w, script, user }) => {
  const snaptr = stub(w, 'snaptr', 'handleRequest');
  const init = (traits: Props) => snaptr('init', settings.pixelId, settings.advancedMatching
    ? pick(person(traits), { email: 'user_email', phone: 'user_phone_number', firstName: 'firstname', lastName: 'lastname', city: 'geo_city', state: 'geo_region', zip: 'geo_postal_code', country: 'geo_country' })
    : {});

  return {
    load() {
      init(user().traits);
      return script('https://sc-static.net/scevent.min.js');
    },
    page(e) {
      snaptr('track', 'PAGE_VIEW', { client_dedup_id: e.messageId });
    },
    track(e) {
      const p = e.properties!;
      const name = adEvent(e.event!, names, settings.events) || lookup(more, eventKey(e.event!));
      if (!name) return;
      const items = lineItems(p, { id: 'id', quantity: 'quantity', category: 'category' });
      const out: Props = Object.assign(
        pick(adValue(p), { value: 'price', currency: 'currency' }),
        pick(p, { order_id: 'transaction_id', query: 'search_string', category: 'item_category' }),
        { client_dedup_id: e.messageId },
      );
      if (items[0]) {
        out.item_ids = items.map((item) => item.id);
        out.number_items = items.reduce((n, item) => n + item.quantity, 0);
      }
      snaptr('track', name, out);
    },
    identify(e) {
      if (settings.advancedMatching) init(e.traits!);
    },
  };
};

export default integration;
