import type { Props } from '../types';
import { number } from './number';

/** What an event is worth: total, value, revenue, or price times quantity, to two decimals. */
export function value(p: Props): number | undefined {
  for (const v of [p.total, p.value, p.revenue, p.price * (p.quantity || 1)]) {
    const n = number(v);
    if (n != null) return Math.round(n * 100) / 100;
  }
  return;
}
