import type { Factory } from '@tagmill/runtime/types';

interface Settings {
  token: string;
  application?: string;
  version?: string;
  ignoreConsole?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => ({
  load() {
    return script('https://cdn.trackjs.com/agent/v3/latest/t.js').then(() => {
      w.TrackJS.install({
        token: settings.token,
        application: settings.application || '',
        version: settings.version || '',
        console: { enabled: !settings.ignoreConsole },
      });
    });
  },
  track(e) {
    // Kept beside the next error; shown nowhere.
    w.TrackJS.console.log(e.event, e.properties);
  },
  identify(e) {
    w.TrackJS.configure({ userId: e.userId || '' });
  },
  group(e) {
    w.TrackJS.addMetadata('group', e.groupId);
  },
  reset() {
    w.TrackJS.configure({ userId: '' });
    w.TrackJS.removeMetadata('group');
  },
});

export default integration;
