import type { Props } from './types';

/**
 * May this event go to the destination known by these names? The one place
 * that decides: consent and rules belong here too.
 */
export function allowed(names: string[], integrations: Props, fallback: unknown = integrations.All): boolean {
  const given = names.map((name) => integrations[name]).filter((v) => v != null);
  return given.length ? !given.includes(false) : fallback !== false;
}

/** The options a page gave for the destination known by these names, else {}. */
export function optionsFor(names: string[], integrations: Props): Props {
  return names.map((name) => integrations[name]).find((v) => v && typeof v === 'object') || {};
}
