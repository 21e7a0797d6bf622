import type { Factory, Props } from '@tagmill/runtime/types';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { lookup } from '@tagmill/runtime/kit/lookup';
import { number } from '@tagmill/runtime/kit/number';
import { pick } from '@tagmill/runtime/kit/pick';

interface Settings {
  accountId: string;
  conversions?: Props;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const push = (name: string, more?: Props) => w._tfa.push(Object.assign({ notify: 'event', name, id: +settings.accountId }, more));

  return {
    load() {
      w._tfa = w._tfa || [];
      return script(`https://cdn.taboola.com/libtrc/unip/${settings.accountId}/tfa.js`, { id: 'tb_tfa_script' });
    },
    page() {
      push('page_view');
    },
    track(e) {
      const p = e.properties!;
      const name = lookup(settings.conversions, e.event!);
      if (name) {
        push(name, pick(Object.assign({ order: p.order_id, quantity: number(p.quantity) }, adValue(p)), {
          value: 'revenue', currency: 'currency', order: 'orderid', quantity: 'quantity',
        }));
      }
    },
  };
};

export default integration;
