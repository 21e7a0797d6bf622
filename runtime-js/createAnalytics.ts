import { allowed, optionsFor } from './allowed';
import { buildEvent, members } from './buildEvent';
import { createContext, type Context } from './context';
import { deliver, displayName, enqueue, loadDestination, type Destination } from './destinations';
import { describeBrowser, readClientHints } from './describeBrowser';
import { createEmitter } from './emitter';
import { createIdentity } from './identity';
import { insertScript } from './insertScript';
import { isObject } from './isObject';
import { merge } from './merge';
import { parseQuery } from './parseQuery';
import { fromMiddleware, runPlugins, type Plugin } from './plugins';
import { pollUntil } from './pollUntil';
import { readPage, takeBufferedPage } from './readPage';
import { resolveArguments } from './resolveArguments';
import { createSwitchedOff } from './switchedOff';
import { createTransport } from './transport';
import { version } from './version';
import { watchForms, watchLinks, type Send } from './watchElements';
import { within } from './within';
import type { Middleware } from './middleware';
import type { Call, Config, Env, Factory, Props } from './types';

// The collector's delivery, as pages name it.
const own = ['Segment.io', 'tagmill'];

/** What the page does not see of its analytics object. */
export interface Analytics {
  /** The object that becomes window.analytics. */
  api_: Props;
  /** Loads the destinations; events made before wait. */
  load_(): void;
  /** Runs a buffered call as of the time it was made. */
  replay_(time: number, method: string, args: any[]): void;
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
  const middlewares: [name: string, fns: Middleware[]][] = [];
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

  function describeDelivery(): Props {
    const loaded = destinations.filter((d) => d.ok_);
    const failed = failedNames();
    return merge(
      {
        bundled: [own[0]].concat(loaded.map((d) => d.name_)).sort(),
        unbundled: [],
        bundledIds: loaded.map((d) => d.id_).filter((id) => id),
      },
      failed[0] && { failedInitializations: failed },
    );
  }
  const failedNames = () => destinations.filter((d) => d.ok_ === false).map((d) => d.name_);

  function middlewaresOf(d: Destination): Middleware[] {
    const found = middlewares.filter(
      ([name]) => name === '*' || d.names_.some((n) => n.toLowerCase() === name.toLowerCase()),
    );
    return ([] as Middleware[]).concat(...found.map(([, fns]) => fns));
  }

  function sendOut(ctx: Context): Promise<unknown> {
    const event = ctx.event;
    const sends: Promise<unknown>[] = destinations
      .filter((d) => !switchedOff.has_(d.names_.concat(d.id_ || [])))
      .map((d) => deliver(d, event, middlewaresOf(d)));
    if (collecting && allowed(own, event.integrations, true)) {
      sends.push(transport.send_(merge(event, { _metadata: describeDelivery() }) as any));
    }
    return Promise.all(sends);
  }

  function call(type: Call, args: any[]): Promise<Context> {
    let ctx: Context;
    const page = readPage(takeBufferedPage(args));
    const callback = args.find((arg) => typeof arg === 'function');
    const [values, given] = resolveArguments(type, args);
    const o: Props = isObject(given) ? given : {};
    const data = type === 'identify' || type === 'group' ? 'traits' : 'properties';
    if (!isObject(values[data])) values[data] = {};
    try {
      if (type === 'track' && (!values.event || typeof values.event !== 'string')) throw Error('track: the first argument must be the name of an event');
      if (type === 'alias' && !values.userId) throw Error('alias: the first argument must be the new user id');
      if (o.anonymousId) user.anonymousId(o.anonymousId);
      if (data === 'traits') {
        const [who, id] = type === 'group' ? [group, 'groupId'] : [user, 'userId'];
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
    emitter.emit('dispatch_start', ctx);
    let sent: Promise<unknown> | undefined;
    turn = turn
      .then(() => runPlugins(plugins, 'before', ctx, report))
      .then(() => runPlugins(plugins, 'enrichment', ctx, report))
      .then(() => {
        sent = sendOut(ctx);
        emitter.emit(type, ...members[type].map((name) => ctx.event[name]), o);
      })
      .catch((e) => debug && console.warn('tagmill: dropped', ctx.event, e));
    return within(
      turn.then(() => sent).then(() => runPlugins(plugins, 'after', ctx, report)),
      timeout,
    ).then(() => {
      if (callback) guard('callback', () => callback(ctx));
      return ctx;
    });
  }

  function register(plugin: Plugin): Promise<unknown> {
    const load = () => plugin.load && plugin.load(system, api);
    if (plugin.type === 'destination') {
      const instance: any = { load };
      Object.keys(members).forEach((type) => {
        if (plugin[type]) instance[type] = (e: any) => plugin[type](createContext(e));
      });
      const d = loadDestination([plugin.name], plugin.name, () => instance, report);
      d.plugin_ = plugin;
      destinations.push(d);
      return d.loaded_;
    }
    plugins.push(plugin);
    const loaded = within(
      new Promise((resolve) => resolve(load())),
      10000,
    ).catch((e) => {
      plugins = plugins.filter((p) => p !== plugin);
      report(plugin.name, e);
    });
    // Events wait for it: it may be there to change them.
    turn = turn.then(() => loaded);
    return loaded;
  }

  function deregister(name: string) {
    const gone = plugins.filter((p) => p.name === name);
    plugins = plugins.filter((p) => p.name !== name);
    destinations = destinations.filter((d) => d.name_ !== name || !d.plugin_ || !gone.push(d.plugin_));
    return Promise.all(gone.map((p) => p.unload && p.unload(system, api)));
  }

  const system = createContext({} as any);
  const send: Send = (...args) => call('track', args);

  const methods: Record<string, (...args: any[]) => any> = {
    user: () => user,
    group: (...args) => {
      const page = takeBufferedPage(args);
      return args.length ? call('group', page ? args.concat(page) : args) : group;
    },
    setAnonymousId: (id) => user.anonymousId(id),
    reset() {
      user.reset();
      group.reset();
      turn = turn.then(() => {
        destinations.forEach((d) => enqueue(d, () => d.instance_.reset && d.instance_.reset()));
      });
      emitter.emit('reset');
    },
    ready: (callback) =>
      turn
        .then(() => Promise.all(destinations.map((d) => d.loaded_)))
        .then(() => callback && callback())
        .catch((e) => report('ready', e)),
    debug(on) {
      debug = on !== false;
      return api;
    },
    timeout: (ms) => {
      timeout = ms;
    },
    on: (name, fn) => (emitter.on(name, fn), api),
    once: (name, fn) => (emitter.once(name, fn), api),
    off: (name, fn) => (emitter.off(name, fn), api),
    emit: (name, ...args) => (emitter.emit(name, ...args), api),
    addSourceMiddleware(fn) {
      plugins.push(
        fromMiddleware(fn, () => {
          const names: Props = {};
          destinations.forEach((d) => (names[d.name_] = true));
          return names;
        }),
      );
      return Promise.resolve(api);
    },
    addDestinationMiddleware(name, ...fns) {
      middlewares.push([name, fns]);
      return Promise.resolve(api);
    },
    register: (...list) => Promise.all(list.map(register)),
    deregister: (...names) => Promise.all(names.map(deregister)),
    trackLink: (links, event, properties, o) => (watchLinks(links, event, properties, o, send), api),
    trackForm: (forms, event, properties, o) => (watchForms(forms, event, properties, o, send), api),
    queryString(query) {
      const patterns = options.useQueryString;
      if (patterns === false) return Promise.resolve([]);
      const params: Props = {};
      const parts: Record<string, Props> = { trait: {}, prop: {} };
      parseQuery(query).forEach(([name, value]) => {
        const [, part, key] = /^ajs_(trait|prop)_(.+)/.exec(name) || ([] as string[]);
        if (part) parts[part][key] = value;
        else params[name] = value;
      });
      const fits = (value: string, pattern: any) => value && (!pattern || pattern.test(value));
      const { ajs_aid, ajs_uid, ajs_event } = params;
      const { aid, uid } = patterns || ({} as Props);
      if (fits(ajs_aid, aid)) user.anonymousId(ajs_aid);
      return Promise.all([
        fits(ajs_uid, uid) && call('identify', [ajs_uid, parts.trait]),
        ajs_event && call('track', [ajs_event, parts.prop]),
      ]);
    },
    use: (plugin) => (plugin(api), api),
    push(args) {
      const [method, ...rest] = args;
      if (methods[method]) api[method](...rest);
    },
    pageview: (path) => call('page', path ? [{ path }] : []),
    noConflict: () => api,
    load: () => api,
    initialize: () => Promise.resolve(api),
  };
  (Object.keys(members) as Call[]).forEach((type) => {
    if (type !== 'group') methods[type] = (...args) => call(type, args);
  });
  methods.trackClick = methods.trackLink;
  methods.trackSubmit = methods.trackForm;
  methods.init = methods.initialize;
  // Once were methods, still are in pages and snippets.
  'log addIntegrationMiddleware listeners addEventListener removeAllListeners removeListener removeEventListener hasListeners add addIntegration'
    .split(' ')
    .forEach((name) => (methods[name] = () => api));

  const api: Props = {
    VERSION: version,
    initialized: false,
    settings: { writeKey: config.writeKey, cdnSettings: settings, timeout },
    options,
    integrations: settings.integrations,
    get failedInitializations() {
      return failedNames();
    },
  };
  Object.keys(methods).forEach((name) => {
    api[name] = (...args: any[]) => guard(name, () => methods[name](...args));
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
        destinations.push(
          Object.assign(
            loadDestination(names, displayName(d), () => factories[d.slug](merge(d.settings, optionsFor(names, integrations)), env), report),
            { id_: d.id },
          ),
        );
      });
      transport.drain_();
    },
    replay_(time, method, args) {
      callTime = time;
      if (methods[method]) api[method](...args);
      callTime = undefined;
    },
  };
}
