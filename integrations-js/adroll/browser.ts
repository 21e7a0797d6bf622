import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { lineItems } from '@tagmill/runtime/kit/lineitems';
import { lookup } from '@tagmill/runtime/kit/lookup';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';

interface Settings {
  advertiserId: string;
  pixelId: string;
  segments?: Props;
  pageSegments?: Props;
  emailSegment?: string;
}

const integration: Factory<Settings> = (settings, { w, script, until }) => {
  const record = (segments: Props | undefined, name: string | undefined, e: Event) => {
    const segment = name && lookup(segments, name);
    if (!segment) return;
    const p = e.properties!;
    const items = lineItems(p, { id: 'id' });
    const out = pick(Object.assign({ order_id: p.order_id, user_id: e.userId }, adValue(p)), {
      value: 'adroll_conversion_value', currency: 'adroll_currency', order_id: 'order_id', user_id: 'user_id',
    });
    out.adroll_segments = segment;
    if (items[0]) out.product_id = items.map((item) => item.id);
    w.__adroll.record_user(out);
  };

  return {
    load() {
      w.adroll_adv_id = settings.advertiserId;
      w.adroll_pix_id = settings.pixelId;
      w.adroll_version = '2.0';
      w.__adroll_loaded = true;
      return script(`https://s.adroll.com/j/${settings.advertiserId}/roundtrip.js`).then(() => until(() => w.__adroll));
    },
    page(e) {
      record(settings.pageSegments, e.name, e);
    },
    track(e) {
      record(settings.segments, e.event, e);
    },
    identify(e) {
      const { email } = person(e.traits!);
      if (settings.emailSegment && email) {
        w._adroll_email = email;
        w.__adroll.record_adroll_email(settings.emailSegment);
      }
    },
    reset() {
      w._adroll_email = '';
    },
  };
};

export default integration;
