import type { Factory, Props } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { fullName } from '@tagmill/runtime/kit/fullname';

interface Settings {
  applicationId: string;
  clientToken: string;
  region: 'us1' | 'us3' | 'us5' | 'eu1' | 'ap1' | 'ap2';
  proxyOrigin?: string;
  service?: string;
  env?: string;
  version?: string;
  sessionSampleRate?: number;
  sessionReplaySampleRate?: number;
  privacy: 'mask' | 'mask-user-input' | 'allow';
  trackUserInteractions?: boolean;
  persistence: 'cookie' | 'local-storage';
}

/** Sites whose domain is not REGION.datadoghq.com. */
const sites: Props = { us1: 'datadoghq.com', eu1: 'datadoghq.eu' };

const integration: Factory<Settings> = (settings, { w, script }) => ({
  load() {
    const { region } = settings;
    return script(`https://www.datadoghq-browser-agent.com/${region}/v7/datadog-rum.js`).then(() => {
      // Ignored, with a word on the console, where the page has started it already.
      w.DD_RUM.init({
        applicationId: settings.applicationId,
        clientToken: settings.clientToken,
        site: sites[region] || region + '.datadoghq.com',
        proxy: settings.proxyOrigin,
        service: settings.service,
        env: settings.env,
        version: settings.version,
        sessionSampleRate: settings.sessionSampleRate || 0,
        sessionReplaySampleRate: settings.sessionReplaySampleRate || 0,
        defaultPrivacyLevel: settings.privacy,
        sessionPersistence: settings.persistence,
        trackUserInteractions: !!settings.trackUserInteractions,
      });
    });
  },
  page(e) {
    if (e.name) w.DD_RUM.setViewName((e.category ? e.category + ' ' : '') + e.name);
  },
  track(e) {
    w.DD_RUM.addAction(e.event, e.properties);
  },
  identify(e) {
    const t = e.traits!;
    if (e.userId) w.DD_RUM.setUser(Object.assign(flat(t), flat({ id: e.userId, name: fullName(t) || undefined })));
  },
  group(e) {
    w.DD_RUM.setAccount(Object.assign(flat(e.traits!), { id: e.groupId }));
  },
  reset() {
    w.DD_RUM.clearUser();
    w.DD_RUM.clearAccount();
  },
});

export default integration;
