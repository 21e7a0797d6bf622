import { isObject } from './isObject';
import type { Event, Props } from './types';

export type WireEvent = Omit<Event, 'options'> & { integrations: Record<string, any>; [key: string]: any };

/** What plugins are given and what the promise of a call resolves to. */
export interface Context {
  event: WireEvent;
  id: string;
  attempts: number;
  /** Sets a value by its dotted path: 'properties.price'. */
  updateEvent(path: string, value: unknown): WireEvent;
  /** Drops the event: from a `before` plugin. */
  cancel(reason?: unknown): never;
  log(): void;
  cancelled_?: boolean;
}

export function createContext(event: WireEvent): Context {
  const ctx: Context = {
    event,
    id: event.messageId,
    attempts: 0,
    updateEvent(path, value) {
      const keys = path.split('.');
      const last = keys.pop()!;
      keys.reduce((at, key) => {
        // Never up a prototype chain: '__proto__.x' would change every object of the page.
        if (!Object.keys(at).includes(key) || !isObject(at[key])) at[key] = {};
        return at[key];
      }, ctx.event as Props)[last] = value;
      return ctx.event;
    },
    cancel(reason) {
      ctx.cancelled_ = true;
      throw reason || Error('cancelled');
    },
    log() {},
  };
  return ctx;
}
