import type { Props } from '../types';

/** A copy of o without depth: {a: {b: 1}} becomes {"a.b": 1}, each key behind `prefix`. Null and lists are left out. */
export function flatten(o: Props, prefix = '', out: Props = {}): Props {
  for (const k in o) {
    const v = o[k];
    if (v == null || Array.isArray(v)) continue;
    if (typeof v == 'object') flatten(v, prefix + k + '.', out);
    else out[prefix + k] = v;
  }
  return out;
}
