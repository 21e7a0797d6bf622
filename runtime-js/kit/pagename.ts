import type { Event } from '../types';

/** A page view as the name of an event: "Viewed Docs Index Page", or "Loaded a Page" when it has no name. */
export function pageName(e: Event): string {
  return e.name ? `Viewed ${e.category ? e.category + ' ' : ''}${e.name} Page` : 'Loaded a Page';
}
