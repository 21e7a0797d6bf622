import { attempt } from './attempt';

/**
 * The value behind a stored text: what JSON makes of it where that is a string
 * or an object, else the text itself. Older clients and servers write plain
 * text, and an id of twenty digits must not become a number on the way.
 */
export function parseStored(text: string | null | undefined): any {
  const value = attempt(() => JSON.parse(text!));
  return typeof value === 'string' || typeof value === 'object' ? value : text;
}
