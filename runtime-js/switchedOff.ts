import { attempt } from './attempt';

/** The integrations a collector's answer has stopped, by slug or destination id; remembered for the next page. */
export interface SwitchedOff {
  has_(names: string[]): boolean;
  set_(names: unknown): void;
}

export function createSwitchedOff(writeKey: string, persist: boolean): SwitchedOff {
  const key = 'tagmill:off:' + writeKey;
  const stored = persist && attempt(() => JSON.parse(localStorage.getItem(key) || '[]'));
  let off: unknown[] = Array.isArray(stored) ? stored : [];
  return {
    has_: (names) => names.some((name) => off.indexOf(name) >= 0),
    set_(names) {
      // Most answers say nothing about it.
      if (!Array.isArray(names) || `${names}` === `${off}`) return;
      off = names;
      if (persist) attempt(() => (off[0] ? localStorage.setItem(key, JSON.stringify(off)) : localStorage.removeItem(key)));
    },
  };
}
