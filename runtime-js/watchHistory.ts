/**
 * Calls changed with the URL before whenever a single-page application
 * changes path or query string; once for several changes in a row.
 */
export function watchHistory(changed: (before: string) => void): void {
  let before = location.href;
  let timer: any;
  const place = (url: string) => url.split('#')[0];
  const check = () => {
    clearTimeout(timer);
    // Later, when the application has set the new page's title.
    timer = setTimeout(() => {
      const old = before;
      before = location.href;
      if (place(old) !== place(before)) changed(old);
    }, 0);
  };
  ['pushState', 'replaceState'].forEach((name) => {
    const h: any = history;
    const original = h[name];
    h[name] = function () {
      const result = original.apply(this, arguments);
      check();
      return result;
    };
  });
  addEventListener('popstate', check);
}
