import type { Factory } from '@tagmill/runtime/types';
import { flatten } from '@tagmill/runtime/kit/flatten';
import { pageName } from '@tagmill/runtime/kit/pagename';

interface Settings {
  projectId: string;
  scriptOrigin: string;
  apiOrigin?: string;
  respectDnt?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => ({
  load() {
    return script(settings.scriptOrigin + '/swetrix.js').then(() => {
      w.swetrix.init(settings.projectId, {
        apiURL: settings.apiOrigin && settings.apiOrigin + '/log',
        respectDNT: !!settings.respectDnt,
      });
    });
  },
  page(e) {
    w.swetrix.pageview({ payload: { pg: e.properties!.path } });
  },
  screen(e) {
    w.swetrix.track({ ev: pageName(e).replace(/Page$/, 'Screen') });
  },
  track(e) {
    w.swetrix.track({ ev: e.event, meta: flatten(e.properties!) });
  },
  identify(e) {
    if (e.userId) w.swetrix.identify(e.userId, flatten(e.traits!));
  },
  reset() {
    w.swetrix.reset();
  },
});

export default integration;
