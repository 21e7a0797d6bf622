/**
 * Creates w[name] as vendors' snippets do: a function that keeps its calls in
 * its `queue` until the vendor's code answers in its `dispatch`. One that the
 * page has already stays. Returns what calls w[name], whoever owns it by then.
 */
export function stub(w: any, name: string, dispatch = '', queue = 'queue'): (...call: any[]) => any {
  if (!w[name]) {
    const f: any = (w[name] = (...call: any[]) => (f[dispatch] ? f[dispatch](...call) : f[queue].push(call)));
    f[queue] = [];
  }
  return (...call) => w[name](...call);
}
