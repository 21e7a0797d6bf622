/**
 * What calls w[name], whoever owns it by then. Where the page has none it is
 * created at the first call as vendors' snippets do: a function that keeps its
 * calls in its `queue` until the vendor's code answers in its `dispatch`.
 * Called with nothing it only creates, and returns the function.
 */
export function stub(w: any, name: string, dispatch = '', queue = 'queue'): (...call: any[]) => any {
  return (...call) => {
    if (!w[name]) {
      const f: any = (w[name] = (...args: any[]) => (f[dispatch] ? f[dispatch](...args) : f[queue].push(args)));
      f[queue] = [];
    }
    return call[0] ? w[name](...call) : w[name];
  };
}
