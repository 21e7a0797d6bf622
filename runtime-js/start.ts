import { createAnalytics } from './createAnalytics';
import { displayName } from './destinations';
import './flags';
import { watchHistory } from './watchHistory';
import type { Config, Factory, Props } from './types';

// These calls decide how the others are handled: they go first, as Segment has it.
const setup = /^(on|once|debug|timeout|register|add\w+|setAnonymousId)$/;

/**
 * Brings a bundle to life on its page: takes over from the snippet's stub,
 * loads the destinations and replays what the page has called so far, in the
 * order of the calls. Does nothing where the global is alive already.
 */
export function start(config: Config, factories: Record<string, Factory>): void {
  const w: any = window;
  const now = Date.now();
  const script = document.currentScript as HTMLScriptElement | null;
  const global = (script && script.getAttribute('data-global-segment-analytics-key')) || 'analytics';
  const stub: any = w[global] || [];
  if (stub.initialized) return;
  const options: Props = stub._loadOptions || {};
  const nonce = (script && script.nonce) || undefined;

  const settings: Props = { integrations: { 'Segment.io': { apiKey: config.writeKey } } };
  config.destinations.forEach((d) => (settings.integrations[displayName(d)] = d.settings));

  const begin = (disabled: boolean) => {
    const analytics = createAnalytics(config, factories, options, disabled, settings, nonce);
    const api = analytics.api_;
    // What the snippet told the page before there was anything to remember it.
    if (stub._anonymousId && !disabled) api.user().adopt_(stub._anonymousId);

    const replay = (call: any) => {
      // Our snippet notes the time of each call; of another's, this is the best that is known.
      analytics.replay_(call.t || now, call);
    };
    const buffered: any[] = stub.splice ? stub.splice(0) : [];
    // Only a setAnonymousId that no reset comes before may go first.
    const wasReset = buffered.findIndex((call) => call[0] === 'reset');
    const rest = buffered.filter((call, i) => !setup.test(call[0]) || (call[0] === 'setAnonymousId' && wasReset >= 0 && wasReset < i) || replay(call));
    analytics.load_();

    api.initialized = true;
    // A page that kept a reference to the stub calls us all the same.
    Object.assign(stub, api);
    w[global] = api;
    if (options.globalAnalyticsKey) w[options.globalAnalyticsKey] = api;
    api.emit('initialize', settings, options);

    if (location.href.includes('ajs_')) api.queryString(location.href);
    rest.forEach(replay);
    if (options.initialPageview) api.page();
    if (__SPA__) watchHistory((before) => api.page({ referrer: before }));
  };

  if (typeof options.updateCDNSettings === 'function') options.updateCDNSettings(settings);
  let disabled = options.disable;
  if (typeof disabled === 'function') disabled = disabled(settings);
  if (disabled && disabled.then) disabled.then(begin);
  else begin(disabled);
}
