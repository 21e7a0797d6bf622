import type { Factory, Props } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { fullName } from '@tagmill/runtime/kit/fullname';

interface Settings {
  apiKey: string;
  region: 'us' | 'eu';
}

const integration: Factory<Settings> = (settings, { w, script, until, user }) => {
  // Who Pendo was told this is: it wants visitor and account with every change.
  let visitor: Props = {};
  let account: Props = {};
  const identify = () => w.pendo.identify({ visitor, account });

  const person = (id: unknown, t: Props) =>
    Object.assign(flat(t), flat({ id, full_name: fullName(t) || undefined }));

  return {
    load() {
      return script(`https://cdn.${settings.region == 'eu' ? 'eu.' : ''}pendo.io/agent/static/${settings.apiKey}/pendo.js`)
        .then(() => until(() => w.pendo.initialize))
        .then(() => {
          const { userId, traits } = user();
          // Without an id Pendo makes one of its own, which it knows as anonymous.
          visitor = person(userId, traits);
          w.pendo.initialize({ visitor, account });
        });
    },
    track(e) {
      w.pendo.track(e.event, flat(e.properties!));
    },
    identify(e) {
      if (!e.userId) return;
      visitor = person(e.userId, e.traits!);
      identify();
    },
    group(e) {
      account = Object.assign(flat(e.traits!), { id: e.groupId });
      identify();
    },
    reset() {
      visitor = {};
      account = {};
      w.pendo.clearSession();
    },
  };
};

export default integration;
