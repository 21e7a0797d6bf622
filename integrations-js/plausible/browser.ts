import type { Factory } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { number } from '@tagmill/runtime/kit/number';

interface Settings {
  snippet: 'site' | 'domain';
  scriptId?: string;
  domain?: string;
  host: string;
  outboundLinks?: boolean;
  fileDownloads?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => ({
  load() {
    const p = w.plausible = w.plausible || function () { (p.q = p.q || []).push(arguments); };
    const js = settings.host + '/js/';
    const endpoint = settings.host + '/api/event';
    // "manual" is the script that counts no view by itself.
    if (settings.snippet == 'domain') return script(js + 'script.manual.js', { 'data-domain': settings.domain!, 'data-api': endpoint });
    // The script starts with what it finds in "o".
    p.o = {
      endpoint,
      autoCapturePageviews: false,
      outboundLinks: !!settings.outboundLinks,
      fileDownloads: !!settings.fileDownloads,
      formSubmissions: false,
    };
    return script(`${js}pa-${settings.scriptId}.js`);
  },
  page(e) {
    const p = e.properties!;
    // Plausible has columns of its own for these.
    w.plausible('pageview', { u: p.url, props: flat(p, {}, { url: 0, path: 0, search: 0, title: 0, referrer: 0 }) });
  },
  track(e) {
    const p = e.properties!;
    const amount = number(p.revenue);
    w.plausible(e.event, Object.assign({ props: flat(p) }, amount != null && { revenue: { amount, currency: String(p.currency || 'USD').toUpperCase() } }));
  },
});

export default integration;
