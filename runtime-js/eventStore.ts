import { attempt } from './attempt';
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
  /** Removes these again. */
  remove_(items: Item[]): void;
  /** Are there any? Cheap. */
  waiting_(): boolean;
  /** Kept when the page goes. */
  durable_: boolean;
}

/** key is the localStorage key; without one, or where localStorage fails, items live in memory. */
export function createEventStore(key: string | undefined): EventStore {
  let memory: Item[] = [];
  const read = (): Item[] => {
    const stored = key && attempt(() => JSON.parse(localStorage.getItem(key) || '[]'));
    return (Array.isArray(stored) ? stored : []).filter((i) => i && i.event && i.id).concat(memory);
  };
  const write = (items: Item[]) => {
    memory = [];
    let rest = items.slice(-100);
    while (key && rest[0]) {
      const text = JSON.stringify(rest);
      if (text.length < 450000 && attempt(() => (localStorage.setItem(key, text), 1))) return;
      if (rest.length === 1) break;
      rest = rest.slice(1 + (rest.length >> 3));
    }
    if (key) attempt(() => localStorage.removeItem(key));
    memory = items.slice(-100);
  };
  const without = (items: Item[], gone: Item[]) => items.filter((item) => !gone.some((g) => g.id === item.id));
  const now = Date.now;
  return {
    put_(items) {
      items.forEach((item) => (item.t = item.t || now()));
      write(without(read(), items).concat(items));
    },
    take_() {
      const items = read().filter((item) => !(item.t! < now() - 864e5));
      write([]);
      return items;
    },
    remove_: (items) => write(without(read(), items)),
    waiting_: () => !!(memory[0] || (key && attempt(() => localStorage.getItem(key)))),
    durable_: !!key && !!attempt(() => localStorage),
  };
}
