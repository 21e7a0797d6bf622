import { attempt } from './attempt';
import { merge } from './merge';
import { makeUuid } from './makeUuid';
import type { Call, Props } from './types';
import type { WireEvent } from './context';
import type { Resolved } from './resolveArguments';

/** What goes into an event beside its arguments. */
export interface EventInputs {
  type_: Call;
  args_: Resolved;
  page_: Props;
  browser_: Props;
  userId_: string | null | undefined;
  anonymousId_: string | null | undefined;
  /** Milliseconds since the epoch at which the page made the call. */
  time_: number;
  /** The load option `integrations`. */
  integrations_: Props;
}

const lifted = ['userId', 'anonymousId', 'timestamp', 'messageId'];

/** ISO 8601, from anything the page may pass as a time. */
const toIso = (value: any, fallback: number) =>
  attempt(() => new Date(value == null ? fallback : value).toISOString()) || new Date(fallback).toISOString();

/**
 * The event as it goes over the wire. It shares nothing with what the page
 * passed, so a later change on either side cannot reach the other. Throws
 * where the arguments have no JSON form (a cycle).
 */
export function buildEvent(inputs: EventInputs): WireEvent {
  const { type_: type, args_: args, page_: page, browser_: browser } = inputs;
  const options = args.options;
  const context = merge(browser, options.context);
  const integrations: Props = {};
  // Settings given at load stay in the page; the wire carries on or off.
  Object.keys(inputs.integrations_).forEach((name) => (integrations[name] = !!inputs.integrations_[name]));
  const event: Props = {
    type,
    timestamp: inputs.time_,
    userId: inputs.userId_ || undefined,
    anonymousId: inputs.anonymousId_ || undefined,
    context,
    integrations: merge(integrations, options.integrations),
  };
  Object.keys(options).forEach((key) => {
    if (lifted.indexOf(key) >= 0) event[key] = options[key] || event[key];
    else if (key !== 'context' && key !== 'integrations') context[key] = options[key];
  });
  event.timestamp = toIso(event.timestamp, inputs.time_);
  event.messageId = event.messageId || `ajs-next-${Date.now()}-${makeUuid()}`;

  const own: Props = {};
  if (type === 'page') {
    event.properties = merge(page, args.data);
    Object.keys(page).forEach((key) => (own[key] = event.properties[key]));
    if (args.name) event.properties.name = args.name;
    if (args.category) event.properties.category = args.category;
  } else if (type === 'identify' || type === 'group') {
    event.traits = args.data;
  } else if (type !== 'alias') {
    event.properties = args.data;
  }
  context.page = merge(page, own, options.context && options.context.page);

  if (type === 'track') event.event = args.event;
  else if (type === 'group') event.groupId = args.id;
  else if (type === 'alias') {
    event.previousId = args.previousId || event.userId || event.anonymousId;
    event.userId = args.id;
  } else {
    event.name = args.name;
    event.category = args.category;
  }
  return JSON.parse(JSON.stringify(event));
}
