import type { Factory, Props } from '@tagmill/runtime/types';
import { adEvent } from '@tagmill/runtime/kit/adevent';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';
import { stub } from '@tagmill/runtime/kit/stub';

interface Settings {
  pixelId: string;
  events?: Props;
  customEvents?: boolean;
  advancedMatching?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script, user }) => {
  const qp = stub(w, 'qp', 'qp');
  const init = (traits: Props) => qp('init', settings.pixelId, settings.advancedMatching ? pick(person(traits), { email: 'email' }) : {});

  return {
    load() {
      init(user().traits);
      return script('https://a.quora.com/qevents.js');
    },
    page(e) {
      qp('track', 'ViewContent', { event_id: e.messageId });
    },
    track(e) {
      const other = settings.customEvents ? 'Generic' : '';
      // page() is Quora's ViewContent: a product's would count the view twice.
      const name = adEvent(e.event!, { ViewCategory: '', ViewContent: '', Lead: 'GenerateLead' }, settings.events) || other;
      if (name) qp('track', name, Object.assign(pick(adValue(e.properties!), { value: 'value', currency: 'currency' }), { event_id: e.messageId }));
    },
    identify(e) {
      if (settings.advancedMatching) init(e.traits!);
    },
  };
};

export default integration;
