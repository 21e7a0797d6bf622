import type { Props } from '../types';

/** What a customer's map has for a name, in whatever case it was written. */
export function lookup(map: Props | undefined, name: string): any {
  const key = (s: string) => s.trim().toLowerCase();
  for (const k in map) if (key(k) == key(name)) return map[k];
}
