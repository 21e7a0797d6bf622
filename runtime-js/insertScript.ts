const inserted = new Map<string, Promise<void>>();

/** Inserts a script once per URL, async. Resolves on load; rejects when blocked or after ten seconds. */
export function insertScript(src: string, nonce?: string, attrs?: Record<string, string>): Promise<void> {
  let done = inserted.get(src);
  if (!done) {
    done = new Promise((resolve, reject) => {
      const script = document.createElement('script');
      const fail = () => reject(Error(src + ' did not load: blocked, unreachable or slower than 10 s'));
      script.async = true;
      // A page's policy with 'strict-dynamic' or a nonce lets in only scripts that carry it.
      if (nonce) script.setAttribute('nonce', nonce);
      Object.keys(attrs || {}).forEach((name) => script.setAttribute(name, attrs![name]));
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
