import { attempt } from './attempt';
import { type CookieOptions, findCookieDomain, readCookie, writeCookie } from './cookies';
import { parseStored } from './parseStored';

/**
 * One place to keep strings and objects by key. With a key it reads; with a
 * value it writes, null deletes, and the answer is truthy where that worked.
 */
export type Store = (key: string, value?: any) => any;

export const localStore: Store = (key, value) =>
  attempt(() => {
    if (value === undefined) return parseStored(localStorage.getItem(key));
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
    return 1;
  });

export function createCookieStore(options: CookieOptions): Store {
  let resolved: CookieOptions | undefined;
  return (key, value) => {
    if (value === undefined) return parseStored(readCookie(key));
    // The probe for the domain writes cookies: not before there is one to set.
    resolved = resolved || Object.assign({ domain: findCookieDomain() }, options);
    writeCookie(key, value && (typeof value === 'string' ? value : JSON.stringify(value)), resolved);
  };
}

export function createMemoryStore(): Store {
  const values = new Map<string, any>();
  return (key, value) => (value === undefined ? values.get(key) : values.set(key, value));
}
