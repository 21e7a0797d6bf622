import type { Factory, Props } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { fullName } from '@tagmill/runtime/kit/fullname';

interface Settings {
  websiteId: string;
  locale?: string;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const set = (what: string, ...value: unknown[]) => w.$crisp.push(['set', what, value]);

  return {
    load() {
      w.$crisp = w.$crisp || [];
      w.CRISP_WEBSITE_ID = settings.websiteId;
      if (settings.locale) w.CRISP_RUNTIME_CONFIG = Object.assign({ locale: settings.locale }, w.CRISP_RUNTIME_CONFIG);
      return script('https://client.crisp.chat/l.js');
    },
    track(e) {
      set('session:event', [[e.event, flat(e.properties!)]]);
    },
    identify(e) {
      const t = e.traits!;
      // What Crisp shows of a person; the rest is data of the conversation.
      const own: Props = { email: t.email, nickname: fullName(t), phone: t.phone, avatar: t.avatar };
      for (const k in own) if (own[k]) set('user:' + k, own[k]);
      const rest = flat(t, {}, own);
      if (e.userId) rest.user_id = e.userId;
      set('session:data', Object.keys(rest).map((k) => [k, rest[k]]));
    },
    group(e) {
      const t = e.traits!;
      set('user:company', t.name || e.groupId, flat({ url: t.website, description: t.description }));
    },
    reset() {
      w.CRISP_TOKEN_ID = null;
      w.$crisp.push(['do', 'session:reset']);
    },
  };
};

export default integration;
