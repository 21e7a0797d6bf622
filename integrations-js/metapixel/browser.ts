import type { Factory, Props } from '@tagmill/runtime/types';
import { adEvent } from '@tagmill/runtime/kit/adevent';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { flat } from '@tagmill/runtime/kit/flat';
import { lineItems } from '@tagmill/runtime/kit/lineitems';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';
import { stub } from '@tagmill/runtime/kit/stub';

interface Settings {
  pixelId: string;
  events?: Props;
  blockedProperties?: string[];
  advancedMatching?: boolean;
  disableAutoConfig?: boolean;
  limitedDataUse?: boolean;
}

/** Meta's standard events; any other is a custom one. */
const standard = /^(Add(PaymentInfo|ToCart|ToWishlist)|CompleteRegistration|Contact|CustomizeProduct|Donate|FindLocation|InitiateCheckout|Lead|Purchase|Schedule|Search|StartTrial|SubmitApplication|Subscribe|ViewContent)$/;

const matched: Props = {
  email: 'em', phone: 'ph', firstName: 'fn', lastName: 'ln', city: 'ct', state: 'st', zip: 'zp', country: 'country', gender: 'ge', birthday: 'db', id: 'external_id',
};

const integration: Factory<Settings> = (settings, { w, script, user }) => {
  const id = settings.pixelId;
  const fbq = stub(w, 'fbq', 'callMethod');
  // Whether Meta was told who this is: it takes that once a page.
  let told: boolean;

  const init = (traits: Props, userId?: string) => {
    const data = settings.advancedMatching ? pick(Object.assign(person(traits), { id: userId }), matched) : {};
    told = !!Object.keys(data)[0];
    fbq('init', id, data);
  };

  return {
    load() {
      fbq('set', 'autoConfig', !settings.disableAutoConfig, id);
      if (!w._fbq) {
        w._fbq = w.fbq.push = w.fbq;
        w.fbq.loaded = true;
        w.fbq.version = '2.0';
      }
      // page() counts views, also the second one of the same address.
      w.fbq.disablePushState = w.fbq.allowDuplicatePageViews = true;
      if (settings.limitedDataUse) fbq('dataProcessingOptions', ['LDU'], 0, 0);
      const { traits, userId } = user();
      init(traits, userId);
      return script('https://connect.facebook.net/en_US/fbevents.js');
    },
    page(e) {
      fbq('trackSingle', id, 'PageView', {}, { eventID: e.messageId });
    },
    track(e) {
      const p = e.properties!;
      const found = adEvent(e.event!, {}, settings.events);
      const list = found == 'ViewCategory';
      const name = list ? 'ViewContent' : found || e.event!;
      const known = standard.test(name);
      const blocked: Props = {};
      (settings.blockedProperties || []).forEach((k) => { blocked[k] = 1; });

      const params = known ? pick(p, { name: 'content_name', category: 'content_category', query: 'search_string', order_id: 'order_id', status: 'status' }) : flat(p, {}, blocked);
      const contents = lineItems(p, { id: 'id', quantity: 'quantity', price: 'item_price' });
      if (contents[0]) {
        params.content_ids = contents.map((c) => c.id);
        params.contents = contents;
        params.content_type = 'product';
        params.num_items = contents.reduce((n, c) => n + c.quantity, 0);
      } else if (list && p.category) {
        params.content_ids = [p.category];
        params.content_type = 'product_group';
      }
      // Meta's Conversions API drops what comes a second time under the same id.
      fbq(known ? 'trackSingle' : 'trackSingleCustom', id, name, Object.assign(params, adValue(p)), { eventID: p.event_id || e.messageId });
    },
    identify(e) {
      if (settings.advancedMatching && !told) init(e.traits!, e.userId);
    },
  };
};

export default integration;
