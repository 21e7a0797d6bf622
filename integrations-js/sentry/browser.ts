import type { Factory, Props } from '@tagmill/runtime/types';
import { fullName } from '@tagmill/runtime/kit/fullname';
import { pageName } from '@tagmill/runtime/kit/pagename';

interface Settings {
  dsn: string;
  ingestOrigin?: string;
  environment: string;
  release?: string;
  tracesSampleRate?: number;
  replaysSessionSampleRate?: number;
  replaysOnErrorSampleRate?: number;
  ignoreErrors?: string[];
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const { ingestOrigin, tracesSampleRate, replaysSessionSampleRate, replaysOnErrorSampleRate } = settings;
  const replay = replaysSessionSampleRate || replaysOnErrorSampleRate;

  const crumb = (category: string, message: string, data: Props, at: string) =>
    w.Sentry.addBreadcrumb({ category, message, data, timestamp: Date.parse(at) / 1000 });

  return {
    load() {
      // The smallest of Sentry's files that has what is asked for.
      const parts = (tracesSampleRate ? '.tracing' : '') + (replay ? '.replay' : '');
      return script(`https://browser.sentry-cdn.com/11.12.0/bundle${parts}.min.js`).then(() => {
        const integrations = [];
        if (tracesSampleRate) integrations.push(w.Sentry.browserTracingIntegration());
        if (replay) integrations.push(w.Sentry.replayIntegration());
        w.Sentry.init({
          dsn: ingestOrigin ? settings.dsn.replace(/@[^/]+/, '@' + ingestOrigin.slice(8)) : settings.dsn,
          environment: settings.environment,
          release: settings.release,
          ignoreErrors: settings.ignoreErrors,
          tracesSampleRate,
          replaysSessionSampleRate,
          replaysOnErrorSampleRate,
          integrations,
        });
      });
    },
    page(e) {
      crumb('navigation', pageName(e), e.properties!, e.timestamp);
    },
    track(e) {
      crumb('track', e.event!, e.properties!, e.timestamp);
    },
    identify(e) {
      w.Sentry.setUser({ id: e.userId, email: e.traits!.email, username: fullName(e.traits!) || undefined });
    },
    group(e) {
      w.Sentry.setTag('group', e.groupId);
    },
    reset() {
      w.Sentry.setUser(null);
      w.Sentry.setTag('group');
    },
  };
};

export default integration;
