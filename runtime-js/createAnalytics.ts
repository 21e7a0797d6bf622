import { allowed, optionsFor } from './allowed';
import { buildEvent, members } from './buildEvent';
import { createContext, type Context, type WireEvent } from './context';
import { deliver, displayName, enqueue, loadDestination, type Destination } from './destinations';
import { describeBrowser, readClientHints } from './describeBrowser';
import { createEmitter } from './emitter';
import { createIdentity } from './identity';
import { insertScript } from './insertScript';
import { isObject } from './isObject';
import { merge } from './merge';
import { pickQuery } from './pickQuery';
import { fromMiddleware, runPlugins, type Plugin } from './plugins';
import { pollUntil } from './pollUntil';
import { readPage, takeBufferedPage } from './readPage';
import { resolveArguments } from './resolveArguments';
import { createSwitchedOff } from './switchedOff';
import { createTransport } from './transport';
import { version } from './version';
import { watchForms, watchLinks, type Send, type Watched } from './watchElements';
import { within } from './within';
import type { Middleware } from './middleware';
import type { Call, Config, Env, Factory, Integration, Props } from './types';

// The collector's delivery, as pages name it.
const own = ['Segment.io', 'tagmill'];

/** What the page does not see of its analytics object. */
export interface Analytics {
  /** The object that becomes window.analytics. */
  api_: Props;
  /** Loads the destinations; events made before wait. */
  load_(): void;
  /** Runs a buffered call, [method, ...arguments], as of the time it was made. */
  replay_(time: number, call: any[]): void;
}

/** options are the page's load options; disabled makes an object that does nothing and keeps nothing. */
export function createAnalytics(
  config: Config,
  factories: Record<string, Factory>,
  options: Props,
  disabled: boolean,
  settings: Props,
  nonce: string | undefined,
): Analytics {
  const persist = !disabled && !options.disableClientPersistence;
  const integrations: Props = options.integrations || {};
  let plugins: Plugin[] = [];
  let destinations: Destination[] = [];
  const failed: string[] = [];
  const middlewares: { for_: string; fn_: Middleware }[] = [];
  let debug = false;
  let timeout = 300;
  let callTime: number | undefined;
  let hints: Props | undefined;
  // Events go through the plugins one after the other, in the order of their calls.
  let turn: Promise<unknown> = readClientHints(options.highEntropyValuesClientHints).then((h) => {
    hints = h;
  });

  function report(where: string, reason: unknown) {
    const hook = (window as any).__tagmill_error;
    if (typeof hook === 'function') hook(where, reason);
    if (debug) console.warn('tagmill:', where, reason);
    emitter.emit('error', { code: where, reason });
  }
  /** What goes wrong in here stays in here. */
  function guard(where: string, fn: () => any): any {
    try {
      return fn();
    } catch (e) {
      report(where, e);
    }
  }
  const emitter = createEmitter((e) => report('listener', e));

  const identityOptions = (given: Props) => merge({ storage: options.storage }, given, !persist && { persist: false });
  const user = createIdentity('user', identityOptions(options.user), options.cookie || {});
  const group = createIdentity('group', identityOptions(options.group), options.cookie || {});

  const delivery = optionsFor(own, integrations);
  const switchedOff = createSwitchedOff(config.writeKey, persist);
  const transport = createTransport({
    writeKey_: config.writeKey,
    collector_: delivery.apiHost ? `${delivery.protocol || 'https'}://${delivery.apiHost}` : config.collector,
    strategy_: delivery.deliveryStrategy || {},
    retry_: options.retryQueue !== false,
    persist_: persist,
    answered_: (answer) => answer && switchedOff.set_(answer.off),
    failed_: (events, reason) => report('delivery_failure', { events, reason }),
  });
  const collecting = !disabled && allowed(own, integrations);

  // What really runs here, so that nobody sends it a second time from elsewhere.
  function describeDelivery(): Props {
    const loaded = destinations.filter((d) => d.ok_);
    return {
      bundled: [own[0], ...loaded.map((d) => d.name_)].sort(),
      unbundled: [],
      bundledIds: loaded.map((d) => d.id_).filter((id) => id),
      failedInitializations: failed[0] && failed,
    };
  }

  function sendOut(ctx: Context): Promise<unknown> {
    const event = ctx.event;
    const sends: Promise<unknown>[] = destinations
      .filter((d) => !switchedOff.has_(d.names_.concat(d.id_ || [])))
      .map((d) => {
        const names = d.names_.concat('*').map((name) => name.toLowerCase());
        return deliver(d, event, middlewares.filter((m) => names.includes(m.for_.toLowerCase())).map((m) => m.fn_));
      });
    if (collecting && allowed(own, event.integrations, true)) {
      sends.push(transport.send_(merge(event, { _metadata: describeDelivery() }) as any));
    }
    return Promise.all(sends);
  }

  const run = (type: string, ctx: Context) => runPlugins(plugins, type, ctx, report);

  function call(type: Call, args: any[]): Promise<Context> {
    let ctx: Context;
    const page = readPage(takeBufferedPage(args));
    const callback = args.find((arg) => typeof arg === 'function');
    const [values, given] = resolveArguments(type, args);
    const o: Props = isObject(given) ? given : {};
    const data = type === 'identify' || type === 'group' ? 'traits' : 'properties';
    if (!isObject(values[data])) values[data] = {};
    try {
      const first = values[members[type][0]];
      if (/track|alias/.test(type) && (!first || !first.trim)) throw Error(type + ': the first argument must be a name or an id');
      if (o.anonymousId) user.anonymousId(o.anonymousId);
      if (data === 'traits') {
        const who = type === 'group' ? group : user;
        const id = members[type][0];
        who.identify(values[id], values.traits);
        values[id] = who.id() || values[id] || undefined;
        values.traits = who.traits();
      }
      values.userId = values.userId || user.id() || undefined;
      values.anonymousId = user.anonymousId();
      if (type === 'alias') values.previousId = values.previousId || user.id() || values.anonymousId;
      ctx = createContext(buildEvent(type, values, o, callTime || Date.now(), describeBrowser(config, page, hints), page, integrations));
    } catch (e) {
      report(type, e);
      return Promise.resolve({} as Context);
    }
    let sent: Promise<unknown> | undefined;
    turn = turn
      .then(() => within(run('before', ctx).then(() => run('enrichment', ctx)).then(() => 1), 10000))
      .then((done) => {
        // One that hangs may be there to take something out: no event without it.
        if (!done) throw Error('a plugin took longer than 10 s');
        sent = sendOut(ctx);
        emitter.emit(type, ...members[type].map((name) => ctx.event[name]), o);
      })
      .catch((e) => ctx.cancelled_ || report(type, e));
    return within(
      turn.then(() => sent && sent.then(() => run('after', ctx))),
      timeout,
    ).then(() => {
      if (callback) guard('callback', () => callback(ctx));
      return ctx;
    });
  }

  function addDestination(names: string[], name: string, id: string | undefined, make: () => Integration | Plugin) {
    const d: Destination = { names_: names, name_: name, id_: id, plugin_: !id, failed_: (e) => report(names[0], e) };
    destinations.push(d);
    return loadDestination(d, make, api).then(() => d.ok_ || failed.push(name));
  }

  function register(plugin: Plugin): Promise<unknown> {
    const { name } = plugin;
    if (plugin.type === 'destination') return addDestination([name], name, undefined, () => plugin)!;
    plugins.push(plugin);
    const loaded = within(
      new Promise((resolve) => resolve(plugin.load && plugin.load(createContext({} as WireEvent), api))),
      10000,
    ).catch((e) => {
      plugins = plugins.filter((p) => p !== plugin);
      report(name, e);
    });
    // Events wait for it: it may be there to change them.
    turn = turn.then(() => loaded);
    return loaded;
  }

  function deregister(name: string) {
    const gone: Plugin[] = plugins.filter((p) => p.name === name);
    plugins = plugins.filter((p) => p.name !== name);
    destinations = destinations.filter((d) => d.name_ !== name || !d.plugin_ || !gone.push(d.instance_));
    return Promise.all(gone.map((p) => p.unload && p.unload(createContext({} as WireEvent), api)));
  }

  const send: Send = (...args) => call('track', args);

  const api: Record<string, any> = {
    VERSION: version,
    settings: { writeKey: config.writeKey },
    options,
    failedInitializations: failed,
    on: emitter.on,
    once: emitter.once,
    off: emitter.off,
    emit: emitter.emit,
    user: () => user,
    group(...args: any[]) {
      const page = takeBufferedPage(args);
      return args.length ? call('group', args.concat(page || [])) : group;
    },
    setAnonymousId: user.anonymousId,
    reset() {
      user.reset();
      group.reset();
      turn = turn.then(() => {
        destinations.forEach((d) => enqueue(d, () => d.instance_.reset && d.instance_.reset()));
      });
      emitter.emit('reset');
    },
    ready: (callback?: () => void) =>
      turn
        .then(() => Promise.all(destinations.map((d) => d.loaded_)))
        .then(() => callback && callback())
        .catch((e) => report('ready', e)),
    debug(on?: boolean) {
      debug = on !== false;
    },
    timeout(ms: number) {
      timeout = ms;
    },
    addSourceMiddleware(fn: Middleware) {
      plugins.push(fromMiddleware(fn, () => destinations.reduce((names: Props, d) => merge(names, { [d.name_]: true }), {})));
      return turn;
    },
    addDestinationMiddleware(name: string, ...fns: Middleware[]) {
      middlewares.push(...fns.map((fn) => ({ for_: name, fn_: fn })));
      return turn;
    },
    register: (...list: Plugin[]) => Promise.all(list.map(register)),
    deregister: (...names: string[]) => Promise.all(names.map(deregister)),
    trackLink(...args: Watched) {
      watchLinks(send, ...args);
    },
    trackForm(...args: Watched) {
      watchForms(send, ...args);
    },
    queryString(query: string) {
      const patterns = options.useQueryString;
      if (patterns === false) return turn;
      const { aid, uid, event } = pickQuery(query, 'ajs_');
      const fits = (value: string, pattern: RegExp | undefined) => value && (!pattern || pattern.test(value));
      const { aid: aidPattern, uid: uidPattern } = patterns || ({} as Props);
      if (fits(aid, aidPattern)) user.anonymousId(aid);
      return Promise.all([
        fits(uid, uidPattern) && call('identify', [uid, pickQuery(query, 'ajs_trait_')]),
        event && call('track', [event, pickQuery(query, 'ajs_prop_')]),
      ]);
    },
    use(plugin: (analytics: Props) => void) {
      plugin(api);
    },
    push([method, ...args]: any[]) {
      if (api[method]) api[method](...args);
    },
    pageview: (path?: string) => call('page', [{ path }]),
    initialize: () => turn.then(() => api),
  };
  (Object.keys(members) as Call[]).forEach((type) => {
    api[type] = api[type] || ((...args: any[]) => call(type, args));
  });
  api.trackClick = api.trackLink;
  api.trackSubmit = api.trackForm;
  api.init = api.initialize;
  // Methods once, and still in pages and snippets.
  api.load = api.noConflict = api.addIntegrationMiddleware = () => {};

  Object.keys(api).forEach((name) => {
    const method = api[name];
    if (typeof method !== 'function') return;
    api[name] = (...args: any[]) => {
      const result = guard(name, () => method(...args));
      return result === undefined ? api : result;
    };
  });

  return {
    api_: api,
    load_() {
      config.destinations.forEach((d) => {
        const names = d.names;
        if (disabled || switchedOff.has_(names.concat(d.id)) || !allowed(names, integrations) || !settings.integrations[displayName(d)]) return;
        const env: Env = {
          w: window,
          d: document,
          script: (src, attrs) => insertScript(src, nonce, attrs),
          until: pollUntil,
          user: () => ({ userId: user.id() || undefined, anonymousId: user.anonymousId()!, traits: user.traits() }),
          track: (event, properties) => {
            call('track', [event, properties, { integrations: { [names[0]]: false } }]);
          },
        };
        addDestination(names, displayName(d), d.id, () => factories[d.slug](merge(d.settings, optionsFor(names, integrations)), env));
      });
      transport.drain_();
    },
    replay_(time, call) {
      callTime = time;
      api.push(call);
      callTime = undefined;
    },
  };
}
