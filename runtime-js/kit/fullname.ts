import type { Props } from '../types';

/** A person's whole name, from name or from its parts; "" when there is none. */
export function fullName(t: Props): string {
  return t.name || [t.firstName, t.lastName].filter(Boolean).join(' ');
}
