import type { Factory } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { fullName } from '@tagmill/runtime/kit/fullname';
import { unix } from '@tagmill/runtime/kit/unix';

interface Settings {
  token: string;
}

const integration: Factory<Settings> = (settings, { w, script, until }) => ({
  load() {
    w.userpilotSettings = Object.assign({ token: settings.token }, w.userpilotSettings);
    return script('https://js.userpilot.io/sdk/latest.js').then(() => until(() => w.userpilot));
  },
  page(e) {
    w.userpilot.reload({ url: e.properties!.url });
  },
  track(e) {
    w.userpilot.track(e.event, flat(e.properties!));
  },
  identify(e) {
    const t = e.traits!;
    // Userpilot counts its users: a visitor without an id is none.
    if (e.userId) w.userpilot.identify(e.userId, Object.assign(flat(t, {}, { createdAt: 0 }), flat({ name: fullName(t) || undefined, created_at: unix(t.createdAt || t.created_at) })));
  },
  group(e) {
    w.userpilot.group(e.groupId, flat(e.traits!, { createdAt: 'created_at' }));
  },
  reset() {
    w.userpilot.destroy();
  },
});

export default integration;
