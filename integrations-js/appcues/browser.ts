import type { Factory } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';

interface Settings {
  accountId: string;
}

const integration: Factory<Settings> = (settings, { w, script, until }) => ({
  load() {
    // page() says when a page has changed.
    w.AppcuesSettings = Object.assign({ enableURLDetection: false }, w.AppcuesSettings);
    return script(`https://fast.appcues.com/${settings.accountId}.js`).then(() => until(() => w.Appcues));
  },
  page(e) {
    w.Appcues.page(e.name, e.properties);
  },
  track(e) {
    w.Appcues.track(e.event, flat(e.properties!));
  },
  identify(e) {
    // Flows are kept by user: Appcues has no use for a visitor without an id.
    if (e.userId) w.Appcues.identify(e.userId, flat(e.traits!));
  },
  group(e) {
    w.Appcues.group(e.groupId, flat(e.traits!));
  },
  reset() {
    w.Appcues.reset();
  },
});

export default integration;
