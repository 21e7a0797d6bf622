/**
 * Calls into the browser where it may be forbidden, full or missing (storage
 * in a sandboxed frame, malformed percent escapes); undefined when it throws.
 */
export function attempt<T>(fn: () => T): T | undefined {
  try {
    return fn();
  } catch (e) {
    return undefined;
  }
}
