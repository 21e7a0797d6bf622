import { attempt } from './attempt';
import { isObject } from './isObject';
import type { Props } from './types';

/** The page as a snippet noted it at the moment of a buffered call. */
interface BufferedPage {
  __t: 'bpc';
  c?: string | null; // canonical URL
  p: string; // path
  u: string; // URL
  s: string; // query string
  t: string; // title
  r: string; // referrer
}

/** Takes the buffered page off the end of a buffered call's arguments, if there is one. */
export function takeBufferedPage(args: any[]): BufferedPage | undefined {
  const last = args[args.length - 1];
  return isObject(last) && last.__t === 'bpc' ? args.pop() : undefined;
}

/** context.page: as buffered, else as it is now. The canonical link decides about path and URL. */
export function readPage(buffered?: BufferedPage): Props {
  const link = buffered ? null : document.querySelector('link[rel="canonical"]');
  const b: Omit<BufferedPage, '__t'> = buffered || {
    c: link && link.getAttribute('href'),
    p: location.pathname,
    u: location.href,
    s: location.search,
    t: document.title,
    r: document.referrer,
  };
  const canonical = b.c;
  const search = b.s;
  return {
    path: canonical ? attempt(() => new URL(canonical, b.u).pathname) || b.p : b.p,
    referrer: b.r,
    search,
    title: b.t,
    url: canonical ? (canonical.includes('?') ? canonical : canonical + search) : b.u.split('#')[0],
  };
}
