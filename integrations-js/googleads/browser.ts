import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { gaEvent } from '@tagmill/runtime/kit/gaevent';
import { gtag } from '@tagmill/runtime/kit/gtag';
import { gtagScript } from '@tagmill/runtime/kit/gtagscript';
import { lineItems } from '@tagmill/runtime/kit/lineitems';
import { lookup } from '@tagmill/runtime/kit/lookup';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';

interface Settings {
  conversionId: string;
  conversions?: Props;
  pageConversions?: Props;
  remarketing?: boolean;
  businessVertical: string;
  enhancedConversions?: boolean;
  disablePageView?: boolean;
  disableConversionLinker?: boolean;
  disableAdPersonalization?: boolean;
}

const integration: Factory<Settings> = (settings, env) => {
  const { w } = env;
  const id = settings.conversionId;

  const send = (name: string, p: Props, target = id) => gtag(w, 'event', name, Object.assign(p, { send_to: target }));
  const convert = (map: Props | undefined, name: string | undefined, e: Event) => {
    const label = name && lookup(map, name);
    const p = e.properties!;
    // Google counts an order id once.
    if (label) send('conversion', Object.assign({ transaction_id: p.order_id || e.messageId }, adValue(p)), id + '/' + label);
  };

  return {
    load() {
      const loaded = gtagScript(env, 'https://www.googletagmanager.com', id);
      const config: Props = { send_page_view: false };
      if (settings.enhancedConversions) config.allow_enhanced_conversions = true;
      if (settings.disableConversionLinker) config.conversion_linker = false;
      if (settings.disableAdPersonalization) config.allow_ad_personalization_signals = false;
      gtag(w, 'config', id, config);
      return loaded;
    },
    page(e) {
      if (!settings.disablePageView) send('page_view', pick(e.properties!, { url: 'page_location', title: 'page_title', referrer: 'page_referrer' }));
      convert(settings.pageConversions, e.name, e);
    },
    track(e) {
      const p = e.properties!;
      convert(settings.conversions, e.event, e);
      if (settings.remarketing) {
        const items = lineItems(p, { id: 'id' });
        items.forEach((item) => { item.google_business_vertical = settings.businessVertical; });
        send(gaEvent(e.event!) || e.event!, Object.assign(items[0] ? { items } : {}, adValue(p)));
      }
    },
    identify(e) {
      if (!settings.enhancedConversions) return;
      const who = person(e.traits!);
      const data = pick(who, { email: 'email', phone: 'phone_number' });
      const address = pick(who, { firstName: 'first_name', lastName: 'last_name', street: 'street', city: 'city', state: 'region', zip: 'postal_code', country: 'country' });
      // Google matches an address by these four or not at all.
      if (address.first_name && address.last_name && address.postal_code && address.country) data.address = address;
      if (Object.keys(data)[0]) gtag(w, 'set', 'user_data', data);
    },
    reset() {
      if (settings.enhancedConversions) gtag(w, 'set', 'user_data', {});
    },
  };
};

export default integration;
