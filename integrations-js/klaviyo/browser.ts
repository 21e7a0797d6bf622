import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { eventKey } from '@tagmill/runtime/kit/eventkey';
import { flat } from '@tagmill/runtime/kit/flat';
import { number } from '@tagmill/runtime/kit/number';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';
import { products } from '@tagmill/runtime/kit/products';
import { value } from '@tagmill/runtime/kit/value';

interface Settings {
  publicApiKey: string;
  sendPages?: boolean;
}

/** Klaviyo's names of standard events, which its flows and segments know. */
const names: Props = {
  'product viewed': 'Viewed Product',
  'product clicked': 'Viewed Product',
  'product added': 'Added to Cart',
  'checkout started': 'Started Checkout',
};

const reserved: Props = {
  email: '$email', phone: '$phone_number', firstName: '$first_name', lastName: '$last_name', city: '$city', state: '$region', country: '$country', zip: '$zip',
};

const profile: Props = { email: 0, phone: 0, firstName: 0, first_name: 0, lastName: 0, last_name: 0, city: 0, state: 0, country: 0, zip: 0 };

const item = (p: Props) => {
  const out = pick(p, { product_id: 'ProductID', sku: 'SKU', name: 'ProductName', quantity: 'Quantity', url: 'ProductURL', image_url: 'ImageURL', brand: 'Brand' });
  out.ItemPrice = number(p.price);
  out.RowTotal = value({ price: p.price, quantity: p.quantity });
  if (p.category) out.ProductCategories = [p.category];
  return out;
};

const integration: Factory<Settings> = (settings, { w, script }) => {
  const push = (...call: unknown[]) => w.klaviyo.push(call);

  const track = (name: string, e: Event, more?: Props) => {
    // Klaviyo drops what comes a second time under the same id.
    push('track', name, Object.assign({}, e.properties, more, { $event_id: e.messageId }));
  };

  return {
    load() {
      w.klaviyo = w.klaviyo || [];
      return script(`https://static.klaviyo.com/onsite/js/${settings.publicApiKey}/klaviyo.js`);
    },
    page(e) {
      if (settings.sendPages) track('Viewed Page', e);
    },
    track(e) {
      const p = e.properties!;
      const key = eventKey(e.event!);
      const name = names.hasOwnProperty(key) && names[key];
      const more: Props = {};
      const worth = value(p);
      if (worth != null) more.$value = worth;
      if (name) {
        const items = products(p).map(item);
        if (name == 'Viewed Product') Object.assign(more, items[0], { Price: number(p.price) });
        else more.Items = items;
      }
      track(name || e.event!, e, more);
    },
    identify(e) {
      const t = e.traits!;
      const p = Object.assign(flat(t, { organization: '$organization', title: '$title' }, profile), pick(person(t), reserved));
      if (e.userId) p.$id = e.userId;
      if (p.$id || p.$email || p.$phone_number) push('identify', p);
    },
  };
};

export default integration;
