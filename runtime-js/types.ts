// The vocabulary between the runtime and an integration. An integration's
// browser.ts default-exports a Factory and imports nothing but this file and
// the helpers in kit/.
//
// Property names that end in an underscore are private to the bundle: the
// bundler mangles them. No name on window, in storage or on the wire may.

export type Props = Record<string, any>;

/** The six calls that make an event. */
export type Call = 'track' | 'page' | 'screen' | 'identify' | 'group' | 'alias';

/**
 * One event as an integration receives it: a deep copy of its own, so nothing
 * an integration or its vendor does to it can reach another one.
 */
export interface Event {
  type: Call;
  /** Unique per event. Vendors that deduplicate are given this. */
  messageId: string;
  /** ISO 8601: when the page made the call, not when it was replayed. */
  timestamp: string;
  anonymousId: string;
  userId?: string;
  /** track: the event's name. */
  event?: string;
  /** page and screen. */
  name?: string;
  category?: string;
  /** track, page and screen: always present there. */
  properties?: Props;
  /** identify and group: always present there. */
  traits?: Props;
  /** group. */
  groupId?: string;
  /** alias: the id before; userId is the new one. */
  previousId?: string;
  context: Props;
  /**
   * This integration's own options for this call: the object given under its
   * slug, name or alias in the call's `integrations` option, else {}.
   */
  options: Props;
}

/** What the runtime lends an integration. One per destination. */
export interface Env {
  /** The page's window and document; tests pass literals. */
  w: any;
  d: Document;
  /**
   * Inserts a script once per URL, async, with the page's nonce and the given
   * attributes. Resolves on load; rejects when blocked or after ten seconds.
   */
  script(src: string, attrs?: Record<string, string>): Promise<void>;
  /** Resolves when test() is true (polled, errors count as false); rejects after ten seconds. */
  until(test: () => unknown): Promise<void>;
  /** Who the visitor is now. userId and traits are empty before identify. */
  user(): { userId?: string; anonymousId: string; traits: Props };
  /** Sends a track call on behalf of the vendor (a chat began); never given back to this integration. */
  track(event: string, properties?: Props): void;
}

/**
 * One destination, alive on a page. load runs once, before any call. Where it
 * returns a promise, calls wait in order until it settles; where it returns
 * nothing (the vendor's stub queues everything), they go out at once. A
 * rejected load drops the calls waiting for it, reports once, and never
 * reaches the page. Calls the vendor has no use for are left out.
 */
export interface Integration {
  load(): void | Promise<unknown>;
  page?(e: Event): void;
  screen?(e: Event): void;
  track?(e: Event): void;
  identify?(e: Event): void;
  group?(e: Event): void;
  alias?(e: Event): void;
  /** The visitor logged out: forget who they were. */
  reset?(): void;
}

export type Factory<S = Props> = (settings: S, env: Env) => Integration;

/** One destination as compiled into a bundle. Only browser-scoped, non-secret settings are ever here. */
export interface DestinationConfig {
  /** Stable for the destination's life; what `off` answers and reports name. */
  id: string;
  slug: string;
  /** Every name a page may use for it: slug, display name, aliases, and `slug:name` for a second one of its kind. */
  names: string[];
  settings: Props;
}

/** The settings a bundle is compiled with; the module `tagmill:config`. */
export interface Config {
  writeKey: string;
  /** Hash of everything that can change the bundle's bytes; sent as context.library.build of each event. */
  buildId: string;
  /** Where events go, with the version prefix and no trailing slash: `https://c.example.com/v1`. */
  collector: string;
  destinations: DestinationConfig[];
  /** page() on every history change; absent when off. */
  spa?: boolean;
}
