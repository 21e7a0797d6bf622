import type { Props } from '../types';
import { number } from './number';
import { pick } from './pick';
import { products } from './products';

/**
 * The products of an event as a vendor lists them: `names` gives the vendor's
 * names of id (text), price, quantity (1 when not given), name, category, brand, ...
 * A product without an id is left out: vendors match by it.
 */
export function lineItems(p: Props, names: Props): Props[] {
  const out: Props[] = [];
  for (const x of products(p)) {
    const id = x.product_id || x.sku || x.id;
    if (id) out.push(pick(Object.assign({}, x, { id: '' + id, price: number(x.price), quantity: number(x.quantity) || 1 }), names));
  }
  return out;
}
