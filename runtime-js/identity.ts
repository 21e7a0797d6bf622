import { makeUuid } from './makeUuid';
import { merge } from './merge';
import { type CookieOptions } from './cookies';
import { createCookieStore, createMemoryStore, localStore, type Store } from './stores';
import type { Props } from './types';

type Id = string | null | undefined;

/** As the load options `user` and `group` have them. */
export interface IdentityOptions {
  disable?: boolean;
  persist?: boolean;
  cookie?: { key?: string };
  localStorage?: { key?: string };
  localStorageFallbackDisabled?: boolean;
  storage?: { stores?: string[] };
}

/** Who someone (or their group) is. Called with no argument each method reads; with one it writes, null deletes. */
export interface Identity {
  id(id?: Id | number): Id;
  anonymousId(id?: Id | number): Id;
  traits(traits?: Props | null): Props;
  identify(id: Id, traits?: Props): void;
  logout(): void;
  reset(): void;
  /** Takes this for the anonymous id if there is none. */
  adopt_(anonymousId: string): void;
}

/**
 * The identity of prefix "user" or "group" over the same cookies and
 * localStorage keys as Segment's client, so that whoever is known to one is
 * known to the other.
 */
export function createIdentity(prefix: 'user' | 'group', options: IdentityOptions, cookieOptions: CookieOptions): Identity {
  const isUser = prefix === 'user';
  const idKey = (options.cookie || {}).key || `ajs_${prefix}_id`;
  const traitsKey = (options.localStorage || {}).key || (isUser ? 'ajs_user_traits' : 'ajs_group_properties');
  const anonymousKey = 'ajs_anonymous_id';

  const kinds: Record<string, Store | false | undefined> = {
    localStorage: !options.localStorageFallbackDisabled && localStore,
    cookie: createCookieStore(cookieOptions),
    memory: createMemoryStore(),
  };
  const order = options.disable
    ? []
    : options.persist === false
      ? ['memory']
      : (options.storage || {}).stores || Object.keys(kinds);
  const stores = order.map((name) => kinds[name]).filter((store) => store) as Store[];
  const traitStores = stores.filter((store) => store !== kinds.cookie);
  const written: Props = {};

  function write(key: string, value: any, list = stores) {
    list.forEach((store) => store(key, value));
  }

  // Stores that lack the value, or disagree, are brought in line. All are
  // written once per page even so: it is what makes a cookie's year slide.
  function read(key: string): any {
    const values = stores.map((store) => store(key));
    // Only a cookie can tell one subdomain what another has set.
    const cookieValue = key === anonymousKey && values[stores.indexOf(kinds.cookie as Store)];
    const value = cookieValue || values.find((v) => v) || null;
    if (value) {
      stores.forEach((store, i) => {
        if (values[i] !== value || !written[key]) store(key, value);
      });
      written[key] = true;
    }
    return value;
  }

  const self: Omit<Identity, 'logout'> & Partial<Identity> = {
    id(id) {
      if (id !== undefined) {
        const before = read(idKey);
        const after = id === null ? null : `${id}`;
        write(idKey, after);
        // Another person on the same device must not share the anonymous id.
        if (isUser && before && after && before !== after) write(anonymousKey, null);
        return after;
      }
      return read(idKey);
    },
    anonymousId(id) {
      if (!isUser) return;
      const known = id === undefined && read(anonymousKey);
      if (known) return known;
      write(anonymousKey, id === null ? null : `${id || makeUuid()}`);
      return read(anonymousKey);
    },
    traits(traits) {
      if (traits !== undefined) write(traitsKey, traits || {}, traitStores);
      return traitStores.map((store) => store(traitsKey)).find((v) => v) || {};
    },
    identify(id, traits) {
      const current = self.id();
      if (!id || !current || current === id) traits = merge(self.traits(), traits);
      if (id) self.id(id);
      self.traits(traits || {});
    },
    reset() {
      write(idKey, null);
      write(traitsKey, null, traitStores);
      if (isUser) write(anonymousKey, null);
    },
    adopt_(anonymousId) {
      if (!read(anonymousKey)) self.anonymousId(anonymousId);
    },
  };
  self.logout = self.reset;
  return self as Identity;
}
