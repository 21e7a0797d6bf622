import { allowed, optionsFor } from './allowed';
import { buildEvent } from './buildEvent';
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
import { resolveAlias, resolveIdentify, resolvePage, resolveTrack } from './resolveArguments';
import { createSwitchedOff } from './switchedOff';
import { createTransport } from './transport';
import { version } from './version';
import { watchForms, watchLinks } from './watchElements';
import { within } from './within';
import type { Middleware } from './middleware';
import type { Call, Config, Env, Factory, Props } from './types';

const calls: Record<Call, typeof resolveTrack> = {
  track: resolveTrack,
  page: resolvePage,
  screen: resolvePage,
  identify: resolveIdentify,
  group: resolveIdentify,
  alias: resolveAlias,
};

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
  const plugins: Plugin[] = [];
  const destinations: Destination[] = [];
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
  const emitter = createEmitter((e) => report('listener', e));

  const identityOptions = (given: Props) => merge({ storage: options.storage }, given, !persist && { persist: false });
  const user = createIdentity(
    { id_: 'ajs_user_id', traits_: 'ajs_user_traits', anonymous_: 'ajs_anonymous_id' },
    identityOptions(options.user),
    options.cookie || {},
  );
  const group = createIdentity(
    { id_: 'ajs_group_id', traits_: 'ajs_group_properties' },
    identityOptions(options.group),
    options.cookie || {},
  );

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
    const page = readPage(takeBufferedPage(args));
    const a = calls[type](args);
    const o = a.options;
    let ctx: Context;
    try {
      if (type === 'track' && (!a.event || typeof a.event !== 'string')) throw Error('track needs the name of an event as its first argument');
      if (type === 'alias' && !a.id) throw Error('alias needs the new user id as its first argument');
      if (o.anonymousId) user.anonymousId(o.anonymousId);
      if (type === 'identify' || type === 'group') {
        const who = type === 'group' ? group : user;
        who.identify(a.id, a.data);
        a.id = who.id() || a.id;
        a.data = who.traits();
      }
      ctx = createContext(
        buildEvent({
          type_: type,
          args_: a,
          page_: page,
          browser_: describeBrowser(config, page, hints),
          userId_: type === 'identify' ? a.id : user.id(),
          anonymousId_: user.anonymousId(),
          time_: callTime || Date.now(),
          integrations_: integrations,
        }),
      );
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
        const e = ctx.event;
        sent = sendOut(ctx);
        if (type === 'track') emitter.emit(type, e.event, e.properties, o);
        else if (type === 'identify') emitter.emit(type, e.userId, e.traits, o);
        else if (type === 'group') emitter.emit(type, e.groupId, e.traits, o);
        else if (type === 'alias') emitter.emit(type, e.userId, e.previousId, o);
        else emitter.emit(type, e.category, e.name, e.properties, o);
      })
      .catch((e) => debug && console.warn('tagmill: event dropped', ctx.event, e));
    return within(
      turn.then(() => sent).then(() => runPlugins(plugins, 'after', ctx, report)),
      timeout,
    ).then(() => {
      if (a.callback) {
        try {
          a.callback(ctx);
        } catch (e) {
          report('callback', e);
        }
      }
      return ctx;
    });
  }

  function register(plugin: Plugin): Promise<unknown> {
    if (plugin.type === 'destination') {
      const load = () => plugin.load && plugin.load(createContext({} as any), api);
      const instance: any = { load };
      Object.keys(calls).forEach((type) => {
        if (plugin[type]) instance[type] = (e: any) => plugin[type](createContext(e));
      });
      const d = loadDestination([plugin.name], plugin.name, undefined, () => instance, report);
      d.plugin_ = plugin;
      destinations.push(d);
      return d.loaded_;
    }
    plugins.push(plugin);
    const loaded = within(
      new Promise((resolve) => resolve(plugin.load && plugin.load(createContext({} as any), api))),
      10000,
    ).catch((e) => {
      plugins.splice(plugins.indexOf(plugin), 1);
      report(plugin.name, e);
    });
    // Events wait for it: it may be there to change them.
    turn = turn.then(() => loaded);
    return loaded;
  }

  function deregister(name: string) {
    const at = plugins.findIndex((p) => p.name === name);
    const dAt = destinations.findIndex((d) => d.plugin_ && d.name_ === name);
    const plugin = plugins.splice(at, at < 0 ? 0 : 1)[0] || (destinations.splice(dAt, dAt < 0 ? 0 : 1)[0] || {}).plugin_;
    return plugin && plugin.unload && plugin.unload(createContext({} as any), api);
  }

  const send = (event: string, properties: any, o: any) => within(call('track', [event, properties, o]), timeout);

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
      const traits: Props = {};
      const properties: Props = {};
      parseQuery(query).forEach(([name, value]) => {
        params[name] = value;
        if (/^ajs_trait_/.test(name)) traits[name.slice(10)] = value;
        if (/^ajs_prop_/.test(name)) properties[name.slice(9)] = value;
      });
      const fits = (value: string, pattern: unknown) => value && (!(pattern instanceof RegExp) || pattern.test(value));
      const { aid, uid } = isObject(patterns) ? patterns : ({} as Props);
      if (fits(params.ajs_aid, aid)) user.anonymousId(params.ajs_aid);
      return Promise.all([
        fits(params.ajs_uid, uid) && call('identify', [params.ajs_uid, traits]),
        params.ajs_event && call('track', [params.ajs_event, properties]),
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
  (Object.keys(calls) as Call[]).forEach((type) => {
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
  // Whatever goes wrong in here stays in here.
  Object.keys(methods).forEach((name) => {
    api[name] = (...args: any[]) => {
      try {
        return methods[name](...args);
      } catch (e) {
        report(name, e);
      }
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
        destinations.push(
          loadDestination(names, displayName(d), d.id, () => factories[d.slug](merge(d.settings, optionsFor(names, integrations)), env), report),
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
