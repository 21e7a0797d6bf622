import type { Factory, Props } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { lookup } from '@tagmill/runtime/kit/lookup';

interface Settings {
  portalId: string;
  region: 'na1' | 'eu1';
  events?: Props;
}

/** HubSpot's names are lower case with underscores: firstName is first_name, but its own are in one word. */
const own: Props = { firstName: 'firstname', first_name: 'firstname', lastName: 'lastname', last_name: 'lastname', postalCode: 'zip', title: 'jobtitle', position: 'jobtitle' };

function named(o: Props): Props {
  const out: Props = {};
  const values = flat(o, own);
  for (const k in values) out[k.replace(/([a-z\d])([A-Z])/g, '$1_$2').replace(/[\s.]+/g, '_').toLowerCase()] = values[k];
  return out;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const push = (...call: unknown[]) => w._hsq.push(call);
  let viewed: boolean;

  return {
    load() {
      w._hsq = w._hsq || [];
      return script(`https://js${settings.region == 'eu1' ? '-eu1' : ''}.hs-scripts.com/${settings.portalId}.js`);
    },
    page(e) {
      push('setPath', e.properties!.path);
      // The script counts the page that it loads in by itself.
      if (viewed) push('trackPageView');
      viewed = true;
    },
    track(e) {
      const name = lookup(settings.events, e.event!);
      if (name) push('trackCustomBehavioralEvent', { name, properties: named(e.properties!) });
    },
    identify(e) {
      // A contact is found by its email address alone.
      if (e.traits!.email) push('identify', Object.assign(named(e.traits!), flat({ id: e.userId })));
    },
    reset() {
      push('revokeCookieConsent');
    },
  };
};

export default integration;
