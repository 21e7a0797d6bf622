import type { Props } from '../types';
import { eventKey } from './eventkey';
import { lookup } from './lookup';

const standard: Props = {
  'products searched': 'Search',
  'product list viewed': 'ViewCategory',
  'product category viewed': 'ViewCategory',
  'product viewed': 'ViewContent',
  'product added': 'AddToCart',
  'product added to wishlist': 'AddToWishlist',
  'checkout started': 'InitiateCheckout',
  'payment info entered': 'AddPaymentInfo',
  'order completed': 'Purchase',
  'signed up': 'CompleteRegistration',
  'lead generated': 'Lead',
  'form submitted': 'Lead',
};

/**
 * A vendor's name for an event: what the customer's map says, else, for a
 * standard event, what `own` has instead of the name most pixels share. A
 * vendor without the event has '' there. Undefined or '' for any other event.
 */
export function adEvent(event: string, own: Props = {}, map?: Props): string | undefined {
  const key = eventKey(event);
  const name = standard.hasOwnProperty(key) ? standard[key] : undefined;
  return lookup(map, event) || (name in own ? own[name] : name);
}
