import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { fullName } from '@tagmill/runtime/kit/fullname';
import { pageName } from '@tagmill/runtime/kit/pagename';

interface Settings {
  token: string;
  region: 'us' | 'eu' | 'in';
  proxyOrigin?: string;
  people?: boolean;
  superProperties?: string[];
  groupKey: string;
  pageEvents: 'named' | 'consolidated' | 'off';
  persistence: 'cookie' | 'localStorage';
  ignoreDnt?: boolean;
  originalIdMerge?: boolean;
  replayPercent?: number;
}

/** Traits with a column of their own in Mixpanel. */
const reserved: Props = {
  email: '$email',
  phone: '$phone',
  firstName: '$first_name',
  lastName: '$last_name',
  avatar: '$avatar',
  createdAt: '$created',
  created_at: '$created',
};

const integration: Factory<Settings> = (settings, { w, script }) => {
  let mixpanel: any;

  const track = (name: string, e: Event) => {
    const p: Props = Object.assign({}, e.properties);
    // Given as properties, these would change who did it, or where the event goes.
    for (const k of ['distinct_id', 'ip', 'mp_name_tag', 'mp_note', 'token']) delete p[k];
    p.$insert_id = e.messageId;
    p.time = Date.parse(e.timestamp) / 1000;
    mixpanel.track(name, p);
  };

  return {
    load() {
      // The least of Mixpanel's own snippet that its library asks for.
      w.mixpanel = w.mixpanel || Object.assign([], { _i: [], __SV: 1.2, people: [] });
      return script('https://cdn.mxpnl.com/libs/mixpanel-2-latest.min.js').then(() => {
        const config: Props = {
          api_host: settings.proxyOrigin || `https://api${settings.region == 'us' ? '-js' : '-' + settings.region}.mixpanel.com`,
          autocapture: false,
          track_pageview: false,
          persistence: settings.persistence,
          ignore_dnt: !!settings.ignoreDnt,
          // Without profiles there is none to note the first campaign on.
          skip_first_touch_marketing: !settings.people,
          record_sessions_percent: settings.replayPercent || 0,
        };
        // A second project on the page is an instance with a name of its own.
        mixpanel = w.mixpanel.init(settings.token, config, w.mixpanel.__loaded && settings.token) || w.mixpanel;
      });
    },
    page(e) {
      if (settings.pageEvents != 'off') track(settings.pageEvents == 'named' ? pageName(e) : 'Loaded a Page', e);
    },
    screen(e) {
      track(pageName(e).replace(/Page$/, 'Screen'), e);
    },
    track(e) {
      track(e.event!, e);
    },
    identify(e) {
      const t = e.traits!;
      const profile: Props = {};
      const carried: Props = {};
      for (const k in t) profile[(reserved.hasOwnProperty(k) && reserved[k]) || k] = t[k];
      if (fullName(t)) {
        delete profile.name;
        profile.$name = fullName(t);
      }
      (settings.superProperties || []).forEach((k) => { if (k in t) carried[k] = t[k]; });
      if (e.userId) mixpanel.identify(e.userId);
      mixpanel.register(carried);
      if (settings.people) mixpanel.people.set(profile);
    },
    group(e) {
      mixpanel.set_group(settings.groupKey, [e.groupId]);
      mixpanel.get_group(settings.groupKey, e.groupId).set(e.traits);
    },
    alias(e) {
      // Projects on simplified id merge join ids by themselves and refuse this.
      if (settings.originalIdMerge) mixpanel.alias(e.userId, e.previousId);
    },
    reset() {
      mixpanel.reset();
    },
  };
};

export default integration;
