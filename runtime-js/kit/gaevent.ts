import type { Props } from '../types';
import { eventKey } from './eventkey';

const names: Props = {
  'products searched': 'search',
  'product list viewed': 'view_item_list',
  'product category viewed': 'view_item_list',
  'product clicked': 'select_item',
  'product viewed': 'view_item',
  'product added': 'add_to_cart',
  'product removed': 'remove_from_cart',
  'product added to wishlist': 'add_to_wishlist',
  'cart viewed': 'view_cart',
  'checkout started': 'begin_checkout',
  'checkout step completed': 'add_shipping_info',
  'payment info entered': 'add_payment_info',
  'order completed': 'purchase',
  'order refunded': 'refund',
  'promotion viewed': 'view_promotion',
  'promotion clicked': 'select_promotion',
  'product shared': 'share',
  'cart shared': 'share',
  'signed up': 'sign_up',
  'logged in': 'login',
  'lead generated': 'generate_lead',
  'form submitted': 'generate_lead',
};

/** A standard event under Google's name, which others took over; undefined for any other event. */
export function gaEvent(name: string): string | undefined {
  const key = eventKey(name);
  return names.hasOwnProperty(key) ? names[key] : undefined;
}
