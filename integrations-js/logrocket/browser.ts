import type { Factory } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { fullName } from '@tagmill/runtime/kit/fullname';

interface Settings {
  appId: string;
  release?: string;
  maskInputs?: boolean;
  ignoreNetwork?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => ({
  load() {
    return script('https://cdn.logr-in.com/LogRocket.min.js').then(() => {
      w.LogRocket.init(settings.appId, {
        release: settings.release,
        dom: { inputSanitizer: !!settings.maskInputs },
        network: { isEnabled: !settings.ignoreNetwork },
      });
    });
  },
  track(e) {
    w.LogRocket.track(e.event, flat(e.properties!));
  },
  identify(e) {
    const t = flat(e.traits!);
    if (fullName(t)) t.name = fullName(t);
    // Without an id LogRocket adds to the visitor it knows.
    if (e.userId) w.LogRocket.identify(e.userId, t);
    else w.LogRocket.identify(t);
  },
  reset() {
    w.LogRocket.startNewSession();
  },
});

export default integration;
