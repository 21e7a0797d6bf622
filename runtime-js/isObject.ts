import type { Props } from './types';

/** A plain object or a class instance; not an array, a function, a date or a DOM node. */
export function isObject(value: unknown): value is Props {
  return Object.prototype.toString.call(value) === '[object Object]';
}
