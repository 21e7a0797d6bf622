/** The SHA-256 of a text in hex; of one that is such a hash already, itself. Resolves with "" on pages without https, which cannot hash. */
export function sha256(w: any, text: string): Promise<string> {
  if (/^[a-f0-9]{64}$/.test(text)) return Promise.resolve(text);
  if (!w.crypto.subtle) return Promise.resolve('');
  return w.crypto.subtle.digest('SHA-256', new w.TextEncoder().encode(text)).then((hash: ArrayBuffer) =>
    Array.from(new Uint8Array(hash), (b) => ('0' + b.toString(16)).slice(-2)).join(''));
}
