import type { Event, Factory, Props } from '@tagmill/runtime/types';

interface Settings {
  apiKey: string;
  region: 'us' | 'eu';
  apiHost?: string;
  personProfiles: string;
  persistence: string;
  groupType: string;
  autocapture?: boolean;
  sessionReplay?: boolean;
  surveys?: boolean;
  featureFlags?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  let posthog: any;

  const capture = (name: string, e: Event, p: Props = e.properties!) => {
    const options: Props = { timestamp: new Date(e.timestamp) };
    // PostHog deduplicates by uuid and drops events where it is none.
    if (/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(e.messageId)) options.uuid = e.messageId;
    posthog.capture(name, p, options);
  };

  return {
    load() {
      const host = settings.apiHost;
      return script((host || `https://${settings.region}-assets.i.posthog.com`) + '/static/array.js').then(() => {
        // A second project on the page is an instance with a name of its own.
        posthog = w.posthog.init(settings.apiKey, {
          api_host: host || `https://${settings.region}.i.posthog.com`,
          capture_pageview: false,
          capture_pageleave: false,
          autocapture: !!settings.autocapture,
          rageclick: !!settings.autocapture,
          enable_heatmaps: !!settings.autocapture,
          capture_performance: false,
          capture_exceptions: false,
          capture_dead_clicks: false,
          disable_session_recording: !settings.sessionReplay,
          disable_surveys: !settings.surveys,
          advanced_disable_flags: !settings.featureFlags,
          // Nothing of what it would load later is switched on.
          disable_external_dependency_loading: !(settings.sessionReplay || settings.surveys),
          person_profiles: settings.personProfiles,
          persistence: settings.persistence,
        }, w.posthog.__loaded && settings.apiKey);
      });
    },
    page(e) {
      const p = e.properties!;
      capture('$pageview', e, Object.assign({}, p, { $current_url: p.url, $pathname: p.path, $referrer: p.referrer }));
    },
    screen(e) {
      capture('$screen', e, Object.assign({}, e.properties, { $screen_name: e.name }));
    },
    track(e) {
      capture(e.event!, e);
    },
    identify(e) {
      // An anonymous visitor must not be identified: all of them would become one person.
      if (e.userId) posthog.identify(e.userId, e.traits);
      else posthog.setPersonProperties(e.traits);
    },
    group(e) {
      posthog.group(e.traits!.groupType || settings.groupType, e.groupId, e.traits);
    },
    alias(e) {
      posthog.alias(e.userId, e.previousId);
    },
    reset() {
      posthog.reset();
    },
  };
};

export default integration;
