import { attempt } from './attempt';
import { merge } from './merge';
import { makeUuid } from './makeUuid';
import type { Call, Props } from './types';
import type { WireEvent } from './context';

/** The members of each type of event that are its own, in the order of its arguments. */
export const members: Record<Call, string[]> = {
  track: ['event', 'properties'],
  page: ['category', 'name', 'properties'],
  screen: ['category', 'name', 'properties'],
  identify: ['userId', 'traits'],
  group: ['groupId', 'traits'],
  alias: ['userId', 'previousId'],
};

/** ISO 8601, from anything a page may pass as a time. */
const toIso = (value: any) => attempt(() => new Date(value).toISOString());

/**
 * The event as it goes over the wire. values are the candidates for its
 * members; time (ms since the epoch) is when the page made the call; browser
 * and page go into its context; switches is the load option `integrations`.
 *
 * It shares nothing with what the page passed, so a later change on either
 * side cannot reach the other. Throws where that has no JSON form (a cycle).
 */
export function buildEvent(
  type: Call,
  values: Props,
  options: Props,
  time: number,
  browser: Props,
  page: Props,
  switches: Props,
): WireEvent {
  const { userId, anonymousId, timestamp, messageId, integrations, context } = options;
  const event: Props = {
    type,
    messageId: messageId || `ajs-next-${Date.now()}-${makeUuid()}`,
    timestamp: (timestamp && toIso(timestamp)) || toIso(time),
    userId: userId || values.userId,
    anonymousId: anonymousId || values.anonymousId,
    integrations: {},
  };
  // Settings given at load stay in the page; the wire carries on or off.
  Object.keys(switches).forEach((name) => (event.integrations[name] = !!switches[name]));
  Object.assign(event.integrations, integrations);
  members[type].forEach((name) => (event[name] = event[name] || values[name]));

  const given: Props = {};
  if (type === 'page') {
    const { name, category } = event;
    event.properties = merge(page, event.properties, name && { name }, category && { category });
    Object.keys(page).forEach((key) => (given[key] = event.properties[key]));
  }
  // What an option's key does not say otherwise is context. (JSON leaves undefined out.)
  const none = undefined;
  const lifted = { userId: none, anonymousId: none, timestamp: none, messageId: none, integrations: none, context: none };
  event.context = merge(browser, options, lifted, context);
  event.context.page = merge(page, given, event.context.page);
  return JSON.parse(JSON.stringify(event));
}
