import { merge } from './merge';

const inserted = new Map<string, Promise<void>>();

/** Inserts a script once per URL, async as all inserted ones. Resolves on load; rejects when blocked or after ten seconds. */
export function insertScript(src: string, nonce?: string, attrs?: Record<string, string>): Promise<void> {
  let done = inserted.get(src);
  if (!done) {
    done = new Promise((resolve, reject) => {
      const script = document.createElement('script');
      const fail = () => reject(Error(src + ' was blocked or took longer than 10 s'));
      // A page's policy with a nonce lets in only scripts that carry it.
      const all = merge(attrs, nonce && { nonce });
      Object.keys(all).forEach((name) => script.setAttribute(name, all[name]));
      script.onload = () => resolve();
      script.onerror = fail;
      setTimeout(fail, 10000);
      script.src = src;
      (document.head || document.documentElement).appendChild(script);
    });
    inserted.set(src, done);
  }
  return done;
}
