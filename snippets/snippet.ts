// The inline loader, as a function called with what makes it a customer's own.
// It is compiled to snippet.min.js (go generate); rendering appends the call.
// flags: 1 makes the first page call, 2 leaves analytics.load to the page.
//
// The order and names of the stubs, the buffered page and the properties set
// on the stub are Segment's, so that code which knows one snippet knows the
// other. What is ours: the time of each call, user() before there is a
// client, and the nonce.

export default function (writeKey: string, global: string, url: string, flags: number, options?: unknown) {
  const w: any = window;
  const d: any = document;
  const stub: any = (w[global] = w[global] || []);
  const self = d.currentScript;
  if (stub.initialize) return;
  if (stub.invoked) return console.error('included twice');
  stub.invoked = 1;

  // What a visitor is known by before the client is there to say it; their
  // traits did not fit in. A blob URL ends in a UUID, in pages without TLS too.
  const cookie = (name: string) =>
    decodeURIComponent((d.cookie.match(`ajs_${name}_id=([^;]*)`) || [, ''])[1]);
  const user = {
    id: () => cookie('user') || null,
    anonymousId: () =>
      cookie('anonymous') ||
      (stub._anonymousId = stub._anonymousId || URL.createObjectURL(new Blob()).slice(-36)),
    traits: () => ({}),
  };

  stub.factory = (method: string) =>
    (...args: any[]) => {
      if (w[global].initialized) return w[global][method](...args);
      if (method == 'user') return user;
      args.unshift(method);
      if (/^(track|screen|alias|group|page|identify)$/.test(method)) {
        args.push({
          __t: 'bpc',
          c: (d.querySelector('[rel=canonical]') || 0).href,
          p: location.pathname,
          u: location.href,
          s: location.search,
          t: d.title,
          r: d.referrer,
        });
      }
      (args as any).t = Date.now();
      stub.push(args);
      return stub;
    };
  stub.methods =
    'trackSubmit trackClick trackLink trackForm pageview identify reset group track ready alias debug page screen once off on addSourceMiddleware addIntegrationMiddleware setAnonymousId addDestinationMiddleware register deregister user'.split(
      ' ',
    );
  stub.methods.map((method: string) => (stub[method] = stub.factory(method)));

  // A script inserted by a script is async by itself.
  stub.load = (key: string, loadOptions: unknown) => {
    const script = d.createElement('script');
    script.setAttribute('data-global-segment-analytics-key', global);
    if (self) script.nonce = self.nonce;
    script.src = url + `/analytics.js/v1/${key}/analytics.min.js`;
    d.head.append(script);
    stub._loadOptions = loadOptions;
  };
  stub._writeKey = writeKey;
  stub._cdn = url;
  stub.SNIPPET_VERSION = '5.2.0';
  if (!(flags & 2)) stub.load(writeKey, options);
  if (flags & 1) stub.page();
}
