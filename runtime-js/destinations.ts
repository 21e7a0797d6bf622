import { allowed, optionsFor } from './allowed';
import { runMiddleware, type Middleware } from './middleware';
import type { Plugin } from './plugins';
import { within } from './within';
import { createContext, type WireEvent } from './context';
import type { DestinationConfig, Integration, Props } from './types';

/** One destination of this page: compiled in, or a plugin the page registered. */
export interface Destination {
  /** Every name a page may use for it. */
  names_: string[];
  /** What _metadata and middleware call it. */
  name_: string;
  id_?: string;
  /** Registered by the page: takes contexts instead of events. */
  plugin_?: boolean;
  instance_?: any;
  /** Resolves when load has ended, well or not. */
  loaded_?: Promise<unknown>;
  /** Undefined while loading. */
  ok_?: boolean;
  /** The calls on their way to it, one after the other. */
  queue_?: Promise<unknown>;
  failed_(error: unknown): void;
}

export const displayName = (config: DestinationConfig) => config.names[1] || config.slug;

/** Makes a destination's integration or plugin and runs its load. A load that takes longer than ten seconds has failed. */
export function loadDestination(d: Destination, make: () => Integration | Plugin, analytics: Props): Promise<unknown> {
  const loading = new Promise((resolve) => {
    d.instance_ = make();
    const promise = d.instance_.load && d.instance_.load(createContext({} as WireEvent), analytics);
    if (!promise || !promise.then) d.ok_ = true;
    resolve(promise);
  });
  return (d.queue_ = d.loaded_ = within(loading.then(() => (d.ok_ = true)), 10000)
    .then(() => {
      if (!d.ok_) throw Error('load took longer than 10 s');
    })
    .catch((e) => {
      d.ok_ = false;
      d.failed_(e);
    }));
}

/** Does something with a destination when it has loaded and all before is done; not at all if it failed. */
export function enqueue(d: Destination, act: () => unknown): Promise<unknown> {
  return (d.queue_ = d.queue_!.then(() => d.ok_ && act()).catch(d.failed_));
}

/** Hands a destination a copy of the event, if it may have it. Never rejects. */
export function deliver(d: Destination, event: WireEvent, middlewares: Middleware[]): Promise<unknown> {
  if (!d.instance_ || !d.instance_[event.type] || !allowed(d.names_, event.integrations)) return Promise.resolve();
  const copy: WireEvent = JSON.parse(JSON.stringify(event));
  return enqueue(d, () =>
    middlewares
      .reduce<Promise<WireEvent | undefined | void>>(
        (passed, fn) => passed.then((e) => e && within(runMiddleware(fn, e, { integration: d.name_ }), 10000)),
        Promise.resolve(copy),
      )
      .then((e) => {
        if (!e) return;
        e.options = optionsFor(d.names_, e.integrations);
        return d.instance_[e.type](d.plugin_ ? createContext(e) : e);
      }),
  );
}
