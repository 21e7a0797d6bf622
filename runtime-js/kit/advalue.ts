import type { Props } from '../types';
import { number } from './number';
import { value } from './value';

/** What an event is worth to an advertiser, {value, currency}: revenue comes before a total with tax and shipping. {} when it has none. */
export function adValue(p: Props): { value?: number; currency?: string } {
  const worth = value(number(p.revenue) == null ? p : { total: p.revenue });
  return worth == null ? {} : { value: worth, currency: ('' + (p.currency || 'USD')).toUpperCase() };
}
