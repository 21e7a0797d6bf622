import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { eventKey } from '@tagmill/runtime/kit/eventkey';
import { lineItems } from '@tagmill/runtime/kit/lineitems';
import { person } from '@tagmill/runtime/kit/person';
import { sha256 } from '@tagmill/runtime/kit/sha256';

interface Settings {
  accountId: string;
  homePath: string;
  sendEmail?: boolean;
}

const names: Props = {
  'product viewed': 'viewItem',
  'product list viewed': 'viewList',
  'product category viewed': 'viewList',
  'product added': 'addToCart',
  'cart viewed': 'viewBasket',
  'order completed': 'trackTransaction',
};

const integration: Factory<Settings> = (settings, { w, script, user }) => {
  let email = '';

  // Criteo reads who and where with each event: they go in one push.
  const push = (e: Event, event: Props) => w.criteo_q.push(
    { event: 'setAccount', account: +settings.accountId },
    ...(email ? [{ event: 'setEmail', email, hash_method: 'sha256' }] : []),
    { event: 'setSiteType', type: /iPad/.test(e.context.userAgent) ? 't' : /Mobi|Android/.test(e.context.userAgent) ? 'm' : 'd' },
    event,
  );
  const remember = (traits: Props) => {
    const found = settings.sendEmail && person(traits).email;
    return found ? sha256(w, found).then((hash) => { email = hash; }) : undefined;
  };

  return {
    load() {
      w.criteo_q = w.criteo_q || [];
      return Promise.all([script('https://dynamic.criteo.com/js/ld/ld.js?a=' + settings.accountId), remember(user().traits)]);
    },
    page(e) {
      if (e.properties!.path == settings.homePath) push(e, { event: 'viewHome' });
    },
    track(e) {
      const p = e.properties!;
      const key = eventKey(e.event!);
      const event = names.hasOwnProperty(key) && names[key];
      const items = lineItems(p, { id: 'id', price: 'price', quantity: 'quantity' });
      const ids = items.map((item) => item.id);
      if (!event || !ids[0]) return;
      if (event == 'viewItem') push(e, { event, item: ids[0] });
      // Criteo takes the first three of a list.
      else if (event == 'viewList') push(e, { event, item: ids.slice(0, 3) });
      else if (event == 'trackTransaction') push(e, { event, id: '' + (p.order_id || e.messageId), item: items });
      else push(e, { event, item: items });
    },
    identify(e) {
      // Later calls wait for the hash.
      return remember(e.traits!);
    },
    reset() {
      email = '';
    },
  };
};

export default integration;
