import type { Factory, Props } from '@tagmill/runtime/types';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { lookup } from '@tagmill/runtime/kit/lookup';
import { pick } from '@tagmill/runtime/kit/pick';
import { stub } from '@tagmill/runtime/kit/stub';

interface Settings {
  marketerId: string;
  conversions?: Props;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const obApi = stub(w, 'obApi', 'dispatch');

  return {
    load() {
      const api = obApi();
      api.version = '1.1';
      api.loaded = true;
      // The script sends each event for every marketer it finds here.
      api.marketerId = api.marketerId ? [].concat(api.marketerId, settings.marketerId as never) : settings.marketerId;
      return script('https://amplify.outbrain.com/cp/obtp.js');
    },
    page() {
      obApi('track', 'PAGE_VIEW');
    },
    track(e) {
      const p = e.properties!;
      const name = lookup(settings.conversions, e.event!);
      if (name) {
        obApi('track', name, pick(Object.assign({ orderId: p.order_id }, adValue(p)), { value: 'orderValue', currency: 'currency', orderId: 'orderId' }));
      }
    },
  };
};

export default integration;
