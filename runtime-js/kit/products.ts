import type { Props } from '../types';

/** The products of an event: its `products`, or the event itself when it is about one product. */
export function products(p: Props): Props[] {
  return Array.isArray(p.products) ? p.products.filter((x) => x && typeof x == 'object') : p.product_id || p.sku ? [p] : [];
}
