import { attempt } from './attempt';

/** As the load option `cookie` has them; maxage in days. */
export interface CookieOptions {
  domain?: string;
  maxage?: number;
  path?: string;
  sameSite?: string;
  secure?: boolean;
}

/** The decoded value, or undefined when there is none or cookies are forbidden. */
export function readCookie(name: string): string | undefined {
  const found = (attempt(() => '; ' + document.cookie) || '').split(`; ${name}=`)[1];
  const text = found && found.split(';')[0];
  return text && (attempt(() => decodeURIComponent(text)) || text);
}

/** Sets a cookie; null deletes it. */
export function writeCookie(name: string, value: string | null, options: CookieOptions): void {
  const days = value === null ? 0 : options.maxage || 365;
  attempt(() => {
    document.cookie =
      `${name}=${encodeURIComponent(value || '')};path=${options.path || '/'};max-age=${days * 86400}` +
      (options.domain ? ';domain=' + options.domain : '') +
      ';samesite=' + (options.sameSite || 'Lax') +
      (options.secure ? ';secure' : '');
  });
}

/**
 * The widest domain this page may set cookies on, found by trying from the
 * shortest suffix up; undefined on an IP address or a name without a dot.
 */
export function findCookieDomain(): string | undefined {
  const labels = location.hostname.split('.');
  if (/^[\d.]+$/.test(location.hostname)) return;
  for (let i = labels.length - 2; i >= 0; i--) {
    const domain = labels.slice(i).join('.');
    const probe = { domain };
    writeCookie('__tld__', '1', probe);
    if (readCookie('__tld__')) {
      writeCookie('__tld__', null, probe);
      return domain;
    }
  }
}
