import type { Factory, Props } from '@tagmill/runtime/types';
import { adEvent } from '@tagmill/runtime/kit/adevent';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { lineItems } from '@tagmill/runtime/kit/lineitems';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';
import { stub } from '@tagmill/runtime/kit/stub';

interface Settings {
  pixelId: string;
  events?: Props;
  customEvents?: boolean;
  advancedMatching?: boolean;
  limitedDataUse?: boolean;
}

const names: Props = { ViewCategory: 'ViewContent', CompleteRegistration: 'SignUp', InitiateCheckout: '', AddPaymentInfo: '' };

const integration: Factory<Settings> = (settings, { w, script, user }) => {
  const rdt = stub(w, 'rdt', 'sendEvent', 'callQueue');

  const init = (traits: Props, userId?: string) => {
    const who = settings.advancedMatching ? pick(Object.assign(person(traits), { id: userId }), { email: 'email', phone: 'phoneNumber', id: 'externalId' }) : {};
    // dpcc and dprc stay empty: Reddit works out where the visitor is.
    rdt('init', settings.pixelId, Object.assign(who, { useDecimalCurrencyValues: true }, settings.limitedDataUse ? { dpm: 'LDU', dpcc: '', dprc: '' } : {}));
  };

  return {
    load() {
      const { traits, userId } = user();
      init(traits, userId);
      return script('https://www.redditstatic.com/ads/pixel.js');
    },
    page(e) {
      rdt('track', 'PageVisit', { conversionId: e.messageId });
    },
    track(e) {
      const p = e.properties!;
      const other = settings.customEvents ? 'Custom' : '';
      const name = adEvent(e.event!, names, settings.events) || other;
      if (!name) return;
      const out: Props = { conversionId: e.messageId };
      if (name == 'Custom') out.customEventName = e.event;
      const items = lineItems(p, { id: 'id', name: 'name', category: 'category', quantity: 'quantity' });
      if (items[0]) out.products = items.map((item) => pick(item, { id: 'id', name: 'name', category: 'category' }));
      // Reddit refuses what a view or a search is worth.
      if (name != 'ViewContent' && name != 'Search') {
        if (items[0]) out.itemCount = items.reduce((n, item) => n + item.quantity, 0);
        Object.assign(out, adValue(p), pick(p, { order_id: 'transactionId' }));
      }
      rdt('track', name, out);
    },
    identify(e) {
      if (settings.advancedMatching) init(e.traits!, e.userId);
    },
  };
};

export default integration;
