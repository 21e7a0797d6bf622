import type { WireEvent } from './context';
import type { Props } from './types';

/** payload.obj is the event; the methods are those of Segment's facade that middleware uses. */
export type Payload = { obj: WireEvent } & Record<string, any>;

export type Middleware = (params: {
  payload: Payload;
  /** For a destination middleware: its name. */
  integration?: string;
  integrations?: Props;
  next(payload: Payload | null): void;
}) => unknown;

const getters = 'type event userId anonymousId groupId previousId messageId name category properties traits context integrations timestamp';

function wrap(event: WireEvent): Payload {
  const payload: Payload = { obj: event };
  payload.rawEvent = payload.json = () => payload.obj;
  getters.split(' ').forEach((name) => (payload[name] = () => payload.obj[name]));
  return payload;
}

/**
 * Runs one middleware over an event and resolves to the event it passed on:
 * nothing if it called next(null), or finished without calling next.
 */
export function runMiddleware(fn: Middleware, event: WireEvent, more: Props): Promise<WireEvent | undefined> {
  let passed: WireEvent | undefined;
  return new Promise((resolve) => {
    const next = (payload: Payload | null) => {
      passed = payload ? payload.obj : undefined;
    };
    resolve(fn(Object.assign({ payload: wrap(event), next }, more)));
  }).then(() => passed);
}
