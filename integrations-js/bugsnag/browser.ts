import type { Factory } from '@tagmill/runtime/types';
import { fullName } from '@tagmill/runtime/kit/fullname';

interface Settings {
  apiKey: string;
  appVersion?: string;
  releaseStage?: string;
  trackSessions?: boolean;
  collectUserIp?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => ({
  load() {
    return script('https://d2wy8f7a9ursnm.cloudfront.net/v8/bugsnag.min.js').then(() => {
      // Ignored, with a word on the console, where the page has started it already.
      w.Bugsnag.start({
        apiKey: settings.apiKey,
        appVersion: settings.appVersion,
        releaseStage: settings.releaseStage,
        autoTrackSessions: !!settings.trackSessions,
        collectUserIp: !!settings.collectUserIp,
      });
    });
  },
  track(e) {
    w.Bugsnag.leaveBreadcrumb(e.event, e.properties, 'user');
  },
  identify(e) {
    w.Bugsnag.setUser(e.userId, e.traits!.email, fullName(e.traits!));
  },
  group(e) {
    w.Bugsnag.addMetadata('group', Object.assign({}, e.traits, { id: e.groupId }));
  },
  reset() {
    w.Bugsnag.setUser();
    w.Bugsnag.clearMetadata('group');
  },
});

export default integration;
