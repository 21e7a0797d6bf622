import { byteLength } from './byteLength';
import { localStore } from './stores';
import type { WireEvent } from './context';

/** The form Segment's client stores, so that a queue it left behind is delivered too. */
export interface Item {
  id: string;
  event: WireEvent;
  /** Milliseconds since the epoch: when it was first stored. */
  t?: number;
}

/** Events that wait for a collector that answers. Whoever takes them owns them. */
export interface EventStore {
  /** Adds items; beyond 100 items or 450 KB the oldest are given up. */
  put_(items: Item[]): void;
  /** Removes and returns all that are younger than a day. */
  take_(): Item[];
  /** All, in place. */
  read_(): Item[];
}

/** key is the localStorage key; without one, or where localStorage fails, items live in memory. */
export function createEventStore(key: string | undefined): EventStore {
  let memory: Item[] = [];
  // Other code may have written there: only what looks like an item counts.
  const read = (): Item[] =>
    memory.concat((key && localStore(key)) || []).filter((item) => item && item.event && item.id);
  return {
    put_(items) {
      items.forEach((item) => (item.t = item.t || Date.now()));
      const all = read()
        .filter((item) => !items.some((other) => other.id === item.id))
        .concat(items)
        .slice(-100);
      // 450 KB is what one batch may hold.
      while (all[1] && byteLength(JSON.stringify(all)) > 450000) all.shift();
      memory = key && localStore(key, all) ? [] : all;
    },
    take_() {
      const items = read();
      memory = [];
      if (key) localStore(key, null);
      return items.filter((item) => !(item.t! < Date.now() - 864e5));
    },
    read_: read,
  };
}
