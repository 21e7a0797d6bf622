import { attempt } from './attempt';

/** A random UUID, version 4; from Math.random only where the browser has no crypto. */
export function makeUuid(): string {
  const bytes = attempt(() => crypto.getRandomValues(new Uint8Array(31)));
  let i = 0;
  return '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, (digit) => {
    const random = bytes ? bytes[i++] : Math.random() * 256;
    return (+digit ^ (random & (15 >> (+digit / 4)))).toString(16);
  });
}
