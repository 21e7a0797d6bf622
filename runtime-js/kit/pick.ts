import type { Props } from '../types';

/** The plain values of o that `names` has, under the names it gives them. Null, "", objects and lists are left out. */
export function pick(o: Props, names: Props): Props {
  const out: Props = {};
  for (const k in names) {
    if (o[k] != null && o[k] !== '' && typeof o[k] != 'object') out[names[k]] = o[k];
  }
  return out;
}
