import { attempt } from './attempt';
import type { Config, Props } from './types';
import { merge } from './merge';
import { pickQuery } from './pickQuery';
import { version } from './version';

/** The parts of context that are the browser's; `page` is context.page, whose search holds the campaign. */
export function describeBrowser(config: Config, page: Props, userAgentData?: Props): Props {
  const n: any = window.navigator || {};
  const utm = pickQuery(`${page.search}`, 'utm_');
  const campaign = merge(utm, { campaign: undefined, name: utm.campaign || utm.name });
  return merge(
    {
      userAgent: n.userAgent,
      userAgentData,
      locale: n.language,
      timezone: attempt(() => Intl.DateTimeFormat().resolvedOptions().timeZone),
      library: { name: 'analytics.js', version: 'tagmill-' + version, build: config.buildId },
    },
    Object.keys(utm)[0] && { campaign },
  );
}

/** User-Agent Client Hints: the low-entropy ones, or those asked for by name. */
export function readClientHints(wanted?: string[]): Promise<Props | undefined> {
  const hints: any = window.navigator && (navigator as any).userAgentData;
  return Promise.resolve(
    attempt(() => (wanted && wanted[0] ? hints.getHighEntropyValues(wanted) : hints.toJSON())),
  ).catch(() => undefined);
}
