/** How long to leave the collector alone, in ms, after its nth failure in a row; a Retry-After of seconds wins. Jittered. */
export function delayFor(failures: number, retryAfter?: string | null | false): number {
  // Everyone is told the same moment: spread them, never before it.
  return retryAfter && +retryAfter >= 0
    ? Math.min(+retryAfter, 300) * (1000 + Math.random() * 100)
    : Math.min(60, 2 ** failures / 4) * (1000 + Math.random() * 1000);
}
