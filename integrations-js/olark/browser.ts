import type { Factory, Props } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { fullName } from '@tagmill/runtime/kit/fullname';

interface Settings {
  siteId: string;
  groupId?: string;
  notifyTrack?: boolean;
  notifyPage?: boolean;
  listen?: boolean;
}

const integration: Factory<Settings> = (settings, env) => {
  const { w } = env;
  const olark = (...call: unknown[]) => w.olark(...call);
  const visitor = (what: string, field: string, v: unknown) => v && olark('api.visitor.update' + what, { [field]: v });
  const notify = (body: string) => olark('api.chat.sendNotificationToOperator', { body });

  return {
    load() {
      if (!w.olark) {
        // What loader.js picks up: calls, their times, configuration.
        const state: Props = { s: [], t: [Date.now()], c: {}, l: 'static.olark.com/jsclient/loader.js' };
        const stub: any = w.olark = function () {
          state.s.push(arguments);
          state.t.push(Date.now());
        };
        stub._ = state;
        stub.extend = (name: string, f: unknown) => stub('extend', name, f);
        stub.identify = (id: string) => stub('identify', state.i = id);
        stub.configure = (name: string, v: unknown) => {
          stub('configure', name, v);
          state.c[name] = v;
        };
      }
      if (settings.groupId) w.olark.configure('system.group', settings.groupId);
      w.olark.identify(settings.siteId);
      if (settings.listen) olark('api.chat.onBeginConversation', () => env.track('Live Chat Conversation Started'));
      return env.script('https://static.olark.com/jsclient/loader.js');
    },
    page(e) {
      if (settings.notifyPage) notify('looking at ' + (e.name || e.properties!.url));
    },
    track(e) {
      if (settings.notifyTrack) notify('did "' + e.event + '"');
    },
    identify(e) {
      const t = e.traits!;
      const fields = flat(t);
      if (e.userId) fields.id = e.userId;
      olark('api.visitor.updateCustomFields', fields);
      visitor('EmailAddress', 'emailAddress', t.email);
      visitor('FullName', 'fullName', fullName(t));
      visitor('PhoneNumber', 'phoneNumber', t.phone);
    },
  };
};

export default integration;
