import type { Factory, Props } from '@tagmill/runtime/types';
import { number } from '@tagmill/runtime/kit/number';

interface Settings {
  websiteId: string;
  host: string;
  dataOrigin?: string;
  domains?: string[];
  tag?: string;
  doNotTrack?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script, until }) => ({
  load() {
    const attrs: Record<string, string> = { 'data-website-id': settings.websiteId, 'data-auto-track': 'false' };
    if (settings.dataOrigin) attrs['data-host-url'] = settings.dataOrigin;
    if (settings.domains) attrs['data-domains'] = settings.domains.join();
    if (settings.tag) attrs['data-tag'] = settings.tag;
    if (settings.doNotTrack) attrs['data-do-not-track'] = 'true';
    return script(settings.host + '/script.js', attrs).then(() => until(() => w.umami));
  },
  page(e) {
    const p = e.properties!;
    // Umami fills in website, language, screen and the rest.
    w.umami.track((own: Props) => Object.assign({}, own, { url: p.url, title: p.title, referrer: p.referrer }));
  },
  track(e) {
    const p = Object.assign({}, e.properties);
    const revenue = number(p.revenue);
    // Its revenue report reads numbers and codes in capitals alone.
    if (revenue != null) {
      p.revenue = revenue;
      p.currency = String(p.currency || 'USD').toUpperCase();
    }
    w.umami.track(e.event!.slice(0, 50), p);
  },
  identify(e) {
    if (e.userId) w.umami.identify(e.userId, e.traits);
    else w.umami.identify(e.traits);
  },
});

export default integration;
