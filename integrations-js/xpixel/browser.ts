import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { adValue } from '@tagmill/runtime/kit/advalue';
import { lineItems } from '@tagmill/runtime/kit/lineitems';
import { lookup } from '@tagmill/runtime/kit/lookup';
import { person } from '@tagmill/runtime/kit/person';
import { pick } from '@tagmill/runtime/kit/pick';
import { stub } from '@tagmill/runtime/kit/stub';

interface Settings {
  pixelId: string;
  events?: Props;
  pageEvents?: Props;
  advancedMatching?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script, user }) => {
  const twq = stub(w, 'twq', 'exe');
  let who: Props = {};

  const remember = (traits: Props) => {
    if (settings.advancedMatching) who = pick(person(traits), { email: 'email_address', phone: 'phone_number' });
  };
  const send = (map: Props | undefined, name: string | undefined, e: Event) => {
    const id = name && lookup(map, name);
    if (!id) return;
    const p = e.properties!;
    const out: Props = Object.assign(pick(p, { query: 'search_string', status: 'status' }), adValue(p), who, { conversion_id: e.messageId });
    const contents = lineItems(p, { id: 'content_id', name: 'content_name', category: 'content_type', price: 'content_price', quantity: 'num_items', group_id: 'content_group_id' });
    if (contents[0]) out.contents = contents;
    twq('event', /^tw-/.test(id) ? id : `tw-${settings.pixelId}-${id}`, out);
  };

  return {
    load() {
      remember(user().traits);
      // This counts the page view, too.
      twq('config', settings.pixelId);
      w.twq.version = w.twq.version || '1.1';
      return script('https://static.ads-twitter.com/uwt.js');
    },
    page(e) {
      send(settings.pageEvents, e.name, e);
    },
    track(e) {
      send(settings.events, e.event, e);
    },
    identify(e) {
      remember(e.traits!);
    },
    reset() {
      who = {};
    },
  };
};

export default integration;
