import { attempt } from './attempt';
import { type CookieOptions, findCookieDomain, readCookie, writeCookie } from './cookies';
import { parseStored } from './parseStored';

/** One place a visitor's identity is kept. Values are strings or objects. */
export interface Store {
  get_(key: string): any;
  /** null deletes. */
  set_(key: string, value: any): void;
}

export function createLocalStore(): Store {
  return {
    get_: (key) => parseStored(attempt(() => localStorage.getItem(key))),
    set_(key, value) {
      attempt(() =>
        value === null ? localStorage.removeItem(key) : localStorage.setItem(key, JSON.stringify(value)),
      );
    },
  };
}

export function createCookieStore(options: CookieOptions): Store {
  let resolved: CookieOptions | undefined;
  return {
    get_: (key) => parseStored(readCookie(key)),
    set_(key, value) {
      // The probe for the domain writes cookies: not before there is one to set.
      resolved = resolved || Object.assign({ domain: findCookieDomain() }, options);
      writeCookie(key, value && (typeof value === 'string' ? value : JSON.stringify(value)), resolved);
    },
  };
}

export function createMemoryStore(): Store {
  const values = new Map<string, any>();
  return {
    get_: (key) => values.get(key),
    set_(key, value) {
      values.set(key, value);
    },
  };
}
