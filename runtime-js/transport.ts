import { attempt } from './attempt';
import { byteLength } from './byteLength';
import { delayFor } from './delayFor';
import { createEventStore, type Item } from './eventStore';
import { merge } from './merge';
import type { WireEvent } from './context';
import type { Props } from './types';

export interface TransportOptions {
  writeKey_: string;
  /** With the version prefix, no trailing slash. */
  collector_: string;
  /** The load option deliveryStrategy: {strategy, config}. */
  strategy_: Props;
  retry_: boolean;
  /** May events be kept in localStorage. */
  persist_: boolean;
  /** What the collector answered. */
  answered_(answer: any): void;
  /** Events given up for good. */
  failed_(events: WireEvent[], reason: unknown): void;
}

export interface Transport {
  /** Resolves when the collector has answered, or the event waits in a queue. Never rejects. */
  send_(event: WireEvent): Promise<unknown>;
  /** Sends what earlier pages left behind. */
  drain_(): void;
}

// Browsers let 64 KB of keepalive requests be in flight, headers included.
const keepaliveLimit = 60000;

/**
 * Takes events to the collector. A failed post puts its events into the event
 * store and leaves the collector alone for a while; new events wait there
 * too. Then one batch takes all that wait, from whichever tab comes first.
 */
export function createTransport(o: TransportOptions): Transport {
  const { writeKey_: writeKey, strategy_: strategy } = o;
  const config: Props = strategy.config || {};
  const batching = strategy.strategy === 'batching';
  const key = `persisted-queue:v1:${writeKey}:dest-Segment.io:items`;
  const store = createEventStore(o.persist_ ? key : undefined);
  const inFlight = new Map<Item[], boolean>(); // to whether it outlives the page
  let buffer: Item[] = [];
  let bufferBytes = 0;
  let bufferTimer: any;
  let keepaliveBytes = 0;
  let failures = 0;
  let pausedUntil = 0;
  let drainTimer: any;
  let hidden = false;

  const paused = () => Date.now() < pausedUntil;

  /** Posts items and settles their fate. Never rejects. */
  function deliver(items: Item[]): Promise<unknown> {
    const events = items.map((item) => item.event);
    const single = !items[1];
    const envelope = { writeKey, sentAt: new Date().toISOString() };
    const body = JSON.stringify(single ? merge(events[0], envelope) : merge({ batch: events }, envelope));
    const url = o.collector_ + '/' + (single ? events[0].type[0] : 'b');
    const wanted = hidden || !batching || config.keepalive;
    const bytes = byteLength(body);
    const keepalive = wanted && keepaliveBytes + bytes < keepaliveLimit;
    const settled = () => {
      if (keepalive) keepaliveBytes -= bytes;
      inFlight.delete(items);
    };
    if (keepalive) keepaliveBytes += bytes;
    inFlight.set(items, keepalive);
    // The executor turns what a page's own fetch may throw into a rejection.
    return new Promise<any>((resolve) => {
      // A text is posted as text/plain: no preflight. What the page has set for
      // fetch (credentials, priority, headers) is passed on with the rest.
      const headers = typeof config.headers === 'function' ? config.headers() : config.headers;
      resolve(
        (window as any).fetch
          ? fetch(url, merge(config, { method: 'POST', body, keepalive, headers }))
          : navigator.sendBeacon(url, body),
      );
    })
      .then((response) => {
        if (response.status >= 400) throw response;
        settled();
        failures = pausedUntil = 0;
        drain();
        return response.json && response.json().then(o.answered_).catch(() => {});
      })
      .catch(
        (problem) =>
          new Promise((resolve) => {
            // Later: when a page goes, what is under way is rejected just before
            // pagehide, though it will arrive. Then this timer never comes.
            setTimeout(() => resolve(failed(items, problem, settled)));
          }),
      );
  }

  function failed(items: Item[], problem: any, settled: () => void) {
    settled();
    const status = problem.status || 0;
    const again = !status || /^(408|410|429|460|5..)$/.test(status);
    if (!again || !o.retry_) return o.failed_(items.map((item) => item.event), problem);
    store.put_(items);
    // Posts that were under way together fail together: that is one failure.
    if (!paused()) failures++;
    const header = attempt(() => /429|503/.test(status) && problem.headers.get('Retry-After'));
    pausedUntil = Math.max(pausedUntil, Date.now() + delayFor(failures, header));
    clearTimeout(drainTimer);
    // Ten failures in a row: no more of our own accord. The next event, page or connection tries again.
    if (failures < (config.maxRetries || 10)) drainTimer = setTimeout(resume, pausedUntil - Date.now());
  }

  function drain() {
    if (!o.retry_ || paused() || !store.read_()[0]) return;
    const deliverAll = () => {
      const items = store.take_();
      if (items[0]) return deliver(items);
    };
    // Held until the collector has answered, so that no other tab sends the same events.
    if (navigator.locks) navigator.locks.request(key, { ifAvailable: true }, (lock) => lock && deliverAll());
    else deliverAll();
  }

  function flush() {
    clearTimeout(bufferTimer);
    const items = buffer;
    buffer = [];
    bufferBytes = 0;
    if (items[0]) deliver(items);
  }

  // Not by the clock: a timer may come a moment before the time it was set for.
  function resume() {
    pausedUntil = 0;
    drain();
  }

  addEventListener('online', resume);
  document.addEventListener('visibilitychange', () => {
    hidden = document.visibilityState === 'hidden';
    if (hidden) flush();
  });
  addEventListener('pagehide', () => {
    hidden = true;
    flush();
    // A first post is trusted to keepalive. Where the collector has failed
    // before, better twice (it knows the messageId) than never.
    inFlight.forEach((keepalive, items) => {
      if (failures || !keepalive) store.put_(items);
    });
  });

  return {
    drain_: drain,
    send_(event) {
      const item: Item = { id: event.messageId, event };
      if (navigator.onLine === false || paused()) {
        if (o.retry_) store.put_([item]);
        else o.failed_([event], 'offline');
      } else if (!batching || hidden) {
        return deliver([item]);
      } else {
        const bytes = byteLength(JSON.stringify(event));
        // A full buffer must still fit into one keepalive request when the page goes.
        if (bufferBytes + bytes > keepaliveLimit - 999) flush();
        bufferBytes += bytes;
        if (buffer.push(item) >= (config.size || 10)) flush();
        else if (!buffer[1]) bufferTimer = setTimeout(flush, config.timeout || 5000);
      }
      return Promise.resolve();
    },
  };
}
