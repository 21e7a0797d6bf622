import { attempt } from './attempt';
import { byteLength } from './byteLength';
import { delayFor } from './delayFor';
import { createEventStore, type Item } from './eventStore';
import { merge } from './merge';
import type { WireEvent } from './context';
import type { Props } from './types';

/** Load options of the collector's own delivery: integrations['Segment.io']. */
export interface TransportOptions {
  writeKey_: string;
  /** With the version prefix, no trailing slash. */
  collector_: string;
  /** deliveryStrategy: {strategy, config}. */
  strategy_: Props;
  retry_: boolean;
  /** May events be kept in localStorage. */
  persist_: boolean;
  /** What the collector answered. */
  answered_(answer: Props): void;
  /** Events given up for good. */
  failed_(events: WireEvent[], reason: unknown): void;
}

export interface Transport {
  /** Resolves when the collector has answered, or the event waits in a queue. Never rejects. */
  send_(event: WireEvent): Promise<void>;
  /** Sends what earlier pages left behind. */
  drain_(): void;
}

// Browsers let 64 KB of keepalive requests be in flight, headers included.
const keepaliveLimit = 60000;
const batchLimit = 450000;

/**
 * Takes events to the collector. A failed post puts its events into the event
 * store and leaves the collector alone for a while; new events wait there
 * too. Then one batch takes all that wait, from whichever tab comes first.
 */
export function createTransport(o: TransportOptions): Transport {
  const config: Props = o.strategy_.config || {};
  const key = `persisted-queue:v1:${o.writeKey_}:dest-Segment.io:items`;
  const store = createEventStore(o.persist_ ? key : undefined);
  const batching = o.strategy_.strategy === 'batching';
  const inFlight = new Set<Item>();
  let buffer: Item[] = [];
  let bufferBytes = 0;
  let bufferTimer: any;
  let keepaliveBytes = 0;
  let failures = 0;
  let pausedUntil = 0;
  let drainTimer: any;
  let hidden = false;

  /** True when taken; rejects with a Response or an error when not. */
  function post(path: string, body: string, leaving?: boolean): Promise<Response | void> {
    const bytes = byteLength(body);
    const wanted = leaving || (batching ? config.keepalive : config.keepalive !== false);
    const keepalive = !!wanted && keepaliveBytes + bytes < keepaliveLimit;
    const url = o.collector_ + path;
    if (!window.fetch) {
      return navigator.sendBeacon && navigator.sendBeacon(url, body) ? Promise.resolve() : Promise.reject(Error('no fetch'));
    }
    if (keepalive) keepaliveBytes += bytes;
    const done = () => {
      if (keepalive) keepaliveBytes -= bytes;
    };
    const headers = typeof config.headers === 'function' ? config.headers() : config.headers;
    const request: Props = { method: 'POST', body, keepalive, headers: merge({ 'Content-Type': 'text/plain' }, headers) };
    if (config.credentials) request.credentials = config.credentials;
    if (config.priority) request.priority = config.priority;
    // The executor turns what a page's own fetch may throw into a rejection.
    return new Promise<Response>((resolve) => resolve(fetch(url, request))).then(
      (response) => {
        done();
        if (response.status < 400) return response;
        throw response;
      },
      (e) => {
        done();
        throw e;
      },
    );
  }

  /** Posts items and settles their fate. Never rejects. */
  function deliver(items: Item[], leaving?: boolean, single?: boolean): Promise<void> {
    const sentAt = new Date().toISOString();
    const writeKey = o.writeKey_;
    const body = JSON.stringify(
      single
        ? merge(items[0].event, { writeKey, sentAt })
        : { writeKey, batch: items.map((item) => merge(item.event, { writeKey, sentAt: undefined })), sentAt },
    );
    items.forEach((item) => inFlight.add(item));
    return post(single ? '/' + items[0].event.type[0] : '/b', body, leaving).then(
      (response) => {
        if (items.some((item) => item.t)) store.remove_(items);
        items.forEach((item) => inFlight.delete(item));
        failures = pausedUntil = 0;
        drain();
        return response && response.json().then(o.answered_, () => {});
      },
      (problem) => {
        items.forEach((item) => inFlight.delete(item));
        const status = problem.status || 0;
        const again = !status || /^(408|410|429|460)$/.test(status) || (status > 499 && !/^5(01|05|11)$/.test(status));
        if (!again || !o.retry_) return o.failed_(items.map((item) => item.event), problem);
        store.put_(items);
        const header = attempt(() => (status === 429 || status === 503) && problem.headers.get('Retry-After'));
        const now = Date.now();
        // Posts that were under way together fail together: that is one failure.
        if (now >= pausedUntil) failures++;
        pausedUntil = Math.max(pausedUntil, now + delayFor(failures, header || undefined));
        clearTimeout(drainTimer);
        // Ten failures in a row: no more of our own accord. The next event, page or connection tries again.
        if (failures < (config.maxRetries || 10)) drainTimer = setTimeout(drain, pausedUntil - now);
      },
    );
  }

  function drain() {
    if (!o.retry_ || Date.now() < pausedUntil || !store.waiting_()) return;
    const takeAll = () => {
      const all = store.take_();
      let rest: Promise<void> = Promise.resolve();
      split(all, batchLimit).forEach((items) => {
        // One at a time: where the first fails, the others go back unsent.
        rest = rest.then(() => (Date.now() < pausedUntil ? store.put_(items) : deliver(items)));
      });
      return rest;
    };
    // Held until the collector has answered, so that no other tab sends the same events.
    if (navigator.locks) navigator.locks.request(key, { ifAvailable: true }, (lock) => lock && takeAll()).catch(() => {});
    else takeAll();
  }

  function flush(leaving?: boolean) {
    clearTimeout(bufferTimer);
    const items = buffer;
    buffer = [];
    bufferBytes = 0;
    split(items, leaving || config.keepalive ? keepaliveLimit : batchLimit).forEach((part) => deliver(part, leaving));
  }

  addEventListener('online', () => {
    pausedUntil = 0;
    drain();
  });
  document.addEventListener('visibilitychange', () => {
    hidden = document.visibilityState === 'hidden';
    if (hidden) flush(true);
  });
  addEventListener('pagehide', () => {
    hidden = true;
    flush(true);
    // A first post is trusted to keepalive. Where the collector has failed
    // before, better twice (it knows the messageId) than never.
    if (failures || !store.durable_) {
      const risky = Array.from(inFlight);
      if (store.durable_) store.put_(risky);
      else split(store.take_(), keepaliveLimit).forEach((part) => deliver(part, true));
    }
  });

  return {
    drain_: drain,
    send_(event) {
      const item: Item = { id: event.messageId, event };
      if (navigator.onLine === false || Date.now() < pausedUntil) {
        if (o.retry_) store.put_([item]);
        else o.failed_([event], 'offline');
        return Promise.resolve();
      }
      if (!batching || hidden) return deliver([item], hidden, true);
      const bytes = byteLength(JSON.stringify(event));
      if (bufferBytes + bytes > (config.keepalive ? keepaliveLimit : batchLimit)) flush();
      buffer.push(item);
      bufferBytes += bytes;
      if (buffer.length >= (config.size || 10)) flush();
      else if (buffer.length === 1) bufferTimer = setTimeout(flush, config.timeout || 5000);
      return Promise.resolve();
    },
  };
}

/** Cuts items into parts of at most limit bytes; an item larger than that is a part of its own. */
function split(items: Item[], limit: number): Item[][] {
  const parts: Item[][] = [];
  let room = 0;
  items.forEach((item) => {
    const bytes = byteLength(JSON.stringify(item.event)) + 1;
    if (bytes > room) {
      parts.push([]);
      room = limit - 200;
    }
    room -= bytes;
    parts[parts.length - 1].push(item);
  });
  return parts;
}
