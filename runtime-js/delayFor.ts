/** How long to leave the collector alone, in ms, after its nth failure in a row; a Retry-After header wins. Jittered. */
export function delayFor(failures: number, retryAfter?: string | null): number {
  if (retryAfter) {
    const seconds = +retryAfter >= 0 ? +retryAfter : (Date.parse(retryAfter) - Date.now()) / 1000;
    // Everyone was told the same moment: spread them, never before it.
    if (seconds >= 0) return Math.min(seconds, 300) * 1000 * (1 + Math.random() / 10);
  }
  return Math.min(60000, 250 * 2 ** failures * (1 + Math.random()));
}
