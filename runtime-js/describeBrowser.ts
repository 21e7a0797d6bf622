import { attempt } from './attempt';
import type { Config, Props } from './types';
import { merge } from './merge';
import { parseQuery } from './parseQuery';
import { readCookie } from './cookies';
import { version } from './version';

/** The parts of context that are the browser's; `page` is context.page, whose search holds the campaign. */
export function describeBrowser(config: Config, page: Props, userAgentData?: Props): Props {
  const n: any = window.navigator || {};
  const campaign: Props = {};
  parseQuery(`${page.search || ''}`).forEach(([name, value]) => {
    if (/^utm_./.test(name)) campaign[name === 'utm_campaign' ? 'name' : name.slice(4)] = value;
  });
  const ga = readCookie('_ga') || '';
  return merge(
    {
      userAgent: n.userAgent,
      userAgentData,
      locale: n.language,
      timezone: attempt(() => Intl.DateTimeFormat().resolvedOptions().timeZone),
      library: { name: 'analytics.js', version: 'tagmill-' + version, build: config.buildId },
    },
    Object.keys(campaign)[0] && { campaign },
    /^amp/.test(ga) && { amp: { id: ga } },
  );
}

/** User-Agent Client Hints: the low-entropy ones, or those asked for by name. */
export function readClientHints(wanted?: string[]): Promise<Props | undefined> {
  const hints: any = window.navigator && (navigator as any).userAgentData;
  return Promise.resolve(
    attempt(() => (wanted && wanted[0] ? hints.getHighEntropyValues(wanted) : hints.toJSON())),
  ).catch(() => undefined);
}
