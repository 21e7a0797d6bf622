import type { Factory, Props } from '@tagmill/runtime/types';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { lookup } from '@tagmill/runtime/kit/lookup';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';
import { stub } from '@tagmill/runtime/kit/stub';

interface Settings {
  partnerId: string;
  conversions?: Props;
  enhancedMatching?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const lintrk = stub(w, 'lintrk', '', 'q');

  return {
    load() {
      const ids = settings.partnerId.split(',');
      w._linkedin_partner_id = w._linkedin_partner_id || ids[0];
      w._linkedin_data_partner_ids = (w._linkedin_data_partner_ids || []).concat(ids);
      // Otherwise the script counts a view when it comes; page() does.
      w._wait_for_lintrk = true;
      return script('https://snap.licdn.com/li.lms-analytics/insight.min.js');
    },
    page() {
      lintrk('track');
    },
    track(e) {
      const id = lookup(settings.conversions, e.event!);
      const worth = adValue(e.properties!);
      if (id) lintrk('track', Object.assign({ conversion_id: +id, event_id: e.messageId }, pick(worth, { value: 'conversion_value', currency: 'currency' })));
    },
    identify(e) {
      const { email } = person(e.traits!);
      if (settings.enhancedMatching && email) lintrk('setUserData', { email });
    },
  };
};

export default integration;
