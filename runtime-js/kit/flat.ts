import type { Props } from '../types';

/**
 * A copy of o's plain values, under the vendor's names where it has others.
 * Null, objects and lists are left out, and so are keys of `skip` and keys
 * that every object inherits ("constructor").
 */
export function flat(o: Props, names: Props = {}, skip: Props = {}): Props {
  const out: Props = {};
  for (const k in o) {
    if (o[k] != null && typeof o[k] != 'object' && !(k in skip)) out[names[k] || k] = o[k];
  }
  return out;
}
