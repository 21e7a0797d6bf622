import { makeUuid } from './makeUuid';
import { merge } from './merge';
import { type CookieOptions, readCookie } from './cookies';
import { parseStored } from './parseStored';
import { createCookieStore, createLocalStore, createMemoryStore, type Store } from './stores';
import type { Props } from './types';

type Id = string | null | undefined;

/** As the load options `user` and `group` have them. */
export interface IdentityOptions {
  disable?: boolean;
  persist?: boolean;
  cookie?: { key?: string; oldKey?: string };
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
  load(): Identity;
  save(): boolean;
  /** Takes this for the anonymous id if there is none. */
  adopt_(anonymousId: string): void;
}

interface Keys {
  id_: string;
  traits_: string;
  /** Absent for a group. */
  anonymous_?: string;
}

/**
 * The visitor's identity over the same cookies and localStorage keys as
 * Segment's client, so that whoever is known to one is known to the other.
 */
export function createIdentity(keys: Keys, options: IdentityOptions, cookie: CookieOptions): Identity {
  const idKey = (options.cookie && options.cookie.key) || keys.id_;
  const traitsKey = (options.localStorage && options.localStorage.key) || keys.traits_;
  const anonymousKey = keys.anonymous_;
  const order = options.disable
    ? []
    : options.persist === false
      ? ['memory']
      : (options.storage && options.storage.stores) || ['localStorage', 'cookie', 'memory'];
  const cookies = createCookieStore(cookie);
  const stores: Store[] = [];
  const traitStores: Store[] = [];
  order.forEach((name) => {
    if (name === 'cookie') stores.push(cookies);
    else if (name === 'memory' || !options.localStorageFallbackDisabled) {
      const store = name === 'memory' ? createMemoryStore() : createLocalStore();
      stores.push(store);
      traitStores.push(store);
    }
  });
  const refreshed = new Set<string>();

  const write = (list: Store[], key: string, value: any) => list.forEach((store) => store.set_(key, value));

  // Stores that lack the value, or disagree, are brought in line. All are
  // written once per page even so: it is what makes a cookie's year slide.
  function read(key: string, cookieWins?: boolean): any {
    const values = stores.map((store) => store.get_(key));
    const fromCookie = cookieWins && values[stores.indexOf(cookies)];
    const value = fromCookie || values.find((v) => v != null && v !== '');
    if (value == null) return null;
    stores.forEach((store, i) => {
      if (values[i] !== value || !refreshed.has(key)) store.set_(key, value);
    });
    refreshed.add(key);
    return value;
  }

  const self: Identity = {
    id(id) {
      if (id !== undefined) {
        const previous = read(idKey);
        if (id !== null) id = `${id}`;
        write(stores, idKey, id);
        // Another person on the same device must not share the anonymous id.
        if (previous && id && previous !== id) self.anonymousId(null);
      }
      // ajs_user is what clients before 2.0 wrote.
      const old = anonymousKey && parseStored(readCookie((options.cookie && options.cookie.oldKey) || 'ajs_user'));
      return read(idKey) || (id === undefined && stores[0] && old && (old.id || old)) || null;
    },
    anonymousId(id) {
      if (!anonymousKey) return;
      if (id === undefined) {
        // _sio is what Segment's own pages wrote: anonymous----user.
        const known = read(anonymousKey, true) || (stores[0] && (readCookie('_sio') || '').split('----')[0]);
        if (known) return known;
        id = makeUuid();
      }
      write(stores, anonymousKey, id === null ? null : `${id}`);
      return read(anonymousKey);
    },
    traits(traits) {
      if (traits !== undefined) write(traitStores, traitsKey, traits || {});
      return traitStores.map((store) => store.get_(traitsKey)).find((v) => v) || {};
    },
    identify(id, traits) {
      const current = self.id();
      if (!current || current === id) traits = merge(self.traits(), traits);
      if (id) self.id(id);
      self.traits(traits || {});
    },
    logout() {
      self.anonymousId(null);
      self.id(null);
      self.traits({});
    },
    reset() {
      if (anonymousKey) write(stores, anonymousKey, null);
      write(stores, idKey, null);
      write(traitStores, traitsKey, null);
    },
    load: () => self,
    save: () => true,
    adopt_(anonymousId) {
      if (!read(anonymousKey!, true)) self.anonymousId(anonymousId);
    },
  };
  return self;
}
