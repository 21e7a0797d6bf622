import { attempt } from './attempt';

/** A random UUID, version 4; from Math.random where the page is not secure, as browsers have it. */
export function makeUuid(): string {
  return (
    attempt(() => crypto.randomUUID()) ||
    '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, (digit) =>
      (+digit ^ ((Math.random() * 16) >> (+digit / 4))).toString(16),
    )
  );
}
