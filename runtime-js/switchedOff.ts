import { localStore } from './stores';

/** The integrations a collector's answer has stopped, by slug or destination id; remembered for the next page. */
export interface SwitchedOff {
  has_(names: string[]): boolean;
  set_(names: unknown): void;
}

export function createSwitchedOff(writeKey: string, persist: boolean): SwitchedOff {
  const key = 'tagmill:off:' + writeKey;
  let off: unknown[] = [].concat((persist && localStore(key)) || []);
  return {
    has_: (names) => names.some((name) => off.includes(name)),
    set_(names) {
      // Most answers say nothing about it, or nothing new.
      if (!Array.isArray(names) || `${names}` === `${off}`) return;
      off = names;
      if (persist) localStore(key, off[0] ? off : null);
    },
  };
}
