import type { Props } from './types';

/** A new object with the keys of all, later ones winning. (ES2017 has no object spread.) */
export function merge(...objects: unknown[]): Props {
  return Object.assign({}, ...objects);
}
