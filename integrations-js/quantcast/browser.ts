import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { lookup } from '@tagmill/runtime/kit/lookup';

interface Settings {
  pCode: string;
  labels?: Props;
  sendUserId?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  let first = true;

  const push = (e: Event, labels: string, more: Props) => {
    const entry: Props = Object.assign({ qacct: settings.pCode }, more);
    // Quantcast splits labels at commas and levels at dots; it takes no other sign.
    if (labels) entry.labels = labels.replace(/[^\w\s.,]/g, '').trim();
    if (settings.sendUserId && e.userId) entry.uid = e.userId;
    w._qevents.push(entry);
  };

  return {
    load() {
      w._qevents = w._qevents || [];
      return script('https://secure.quantserve.com/quant.js');
    },
    page(e) {
      push(e, [e.category, e.name].filter(Boolean).join('.'), first ? {} : { event: 'refresh' });
      first = false;
    },
    track(e) {
      const p = e.properties!;
      const labels = lookup(settings.labels, e.event!);
      const { value } = adValue(p);
      const more: Props = { event: 'click' };
      if (value != null) more.revenue = '' + value;
      if (p.order_id) more.orderid = '' + p.order_id;
      if (labels) push(e, labels, more);
    },
  };
};

export default integration;
