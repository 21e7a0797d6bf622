// The page that a bundle is run on before it goes live: enough of a browser for
// the runtime and for the stubs of vendors, recording what they do to it. It is
// run in a fresh engine each time, before the bundle. Nothing leaves it: no
// script loads, no request is sent, time passes only when it is told to.
(function (global) {
  'use strict';

  var seen = { errors: [], factories: {}, loads: {}, scripts: [], posts: [] };
  var inCall = ''; // the integration whose code runs now, synchronously
  var script; // the bundle's own tag

  function describe(e) {
    return String((e && (e.stack || e.message)) || e);
  }
  function fail(who, where, e) {
    seen.errors.push({ who: who, where: where, error: describe(e) });
  }
  function noop() {}
  function undef() {}
  function nothing() { return null; }
  function list() { return []; }

  // --- Time -----------------------------------------------------------------
  var now = 0, timers = [], timerId = 0;
  function later(fn, ms, args, every) {
    timers.push({ id: ++timerId, at: now + Math.max(every ? 1 : 0, +ms || 0), fn: fn, args: args, every: every });
    return timerId;
  }
  function cancel(id) {
    timers = timers.filter(function (t) { return t.id !== id; });
  }
  global.setTimeout = function (fn, ms) { return later(fn, ms, [].slice.call(arguments, 2)); };
  global.setInterval = function (fn, ms) { return later(fn, ms, [].slice.call(arguments, 2), Math.max(1, +ms || 0)); };
  global.clearTimeout = global.clearInterval = global.cancelIdleCallback = global.cancelAnimationFrame = cancel;
  global.requestIdleCallback = function (fn) { return later(fn, 1, [{ didTimeout: false, timeRemaining: function () { return 10; } }]); };
  global.requestAnimationFrame = function (fn) { return later(fn, 16, [16]); };
  global.queueMicrotask = function (fn) { Promise.resolve().then(fn); };

  // --- Events ---------------------------------------------------------------
  function Target() {}
  Target.prototype.addEventListener = function (type, fn) {
    var l = this.__listeners || (this.__listeners = {});
    (l[type] = l[type] || []).push(fn);
  };
  Target.prototype.removeEventListener = function (type, fn) {
    var l = (this.__listeners || {})[type];
    if (l) this.__listeners[type] = l.filter(function (f) { return f !== fn; });
  };
  Target.prototype.dispatchEvent = function (event) {
    ((this.__listeners || {})[event.type] || []).slice().forEach(function (fn) {
      if (typeof fn === 'function') fn.call(this, event); else fn.handleEvent(event);
    }, this);
    return true;
  };
  function PageEvent(type, init) {
    this.type = type;
    this.preventDefault = this.stopPropagation = this.stopImmediatePropagation = noop;
    if (init) this.detail = init.detail;
  }
  PageEvent.prototype.initEvent = PageEvent.prototype.initCustomEvent = function (type) { this.type = type; };

  // --- Elements -------------------------------------------------------------
  function Element(tag) {
    this.tagName = this.nodeName = String(tag).toUpperCase();
    this.nodeType = 1;
    this.childNodes = this.children = [];
    this.parentNode = null;
    this.style = { setProperty: noop };
    this.dataset = {};
    this.classList = { add: noop, remove: noop, toggle: noop, contains: function () { return false; } };
    this.__attrs = {};
  }
  Element.prototype = Object.create(Target.prototype);
  Object.assign(Element.prototype, {
    constructor: Element,
    setAttribute: function (k, v) { this.__attrs[k] = String(v); if (k === 'src') this.src = v; },
    getAttribute: function (k) { return k in this.__attrs ? this.__attrs[k] : this[k] === undefined ? null : this[k]; },
    hasAttribute: function (k) { return k in this.__attrs; },
    removeAttribute: function (k) { delete this.__attrs[k]; },
    appendChild: function (n) { return insert(this, n); },
    insertBefore: function (n) { return insert(this, n); },
    append: function () { [].forEach.call(arguments, insert.bind(null, this)); },
    prepend: function () { [].forEach.call(arguments, insert.bind(null, this)); },
    before: function () { [].forEach.call(arguments, insert.bind(null, this.parentNode)); },
    after: function () { [].forEach.call(arguments, insert.bind(null, this.parentNode)); },
    insertAdjacentElement: function (_, n) { return insert(this, n); },
    insertAdjacentHTML: noop,
    removeChild: function (n) { return take(this, n); },
    replaceChild: function (n, old) { take(this, old); insert(this, n); return old; },
    remove: function () { if (this.parentNode) take(this.parentNode, this); },
    cloneNode: function () { return Object.assign(new Element(this.tagName), { __attrs: Object.assign({}, this.__attrs) }); },
    contains: function (n) { return n === this || this.childNodes.indexOf(n) >= 0; },
    matches: function () { return false; },
    closest: nothing,
    querySelector: nothing,
    querySelectorAll: list,
    getElementsByTagName: list,
    getElementsByClassName: list,
    getBoundingClientRect: function () { return { top: 0, left: 0, bottom: 0, right: 0, width: 0, height: 0 }; },
    click: noop,
    focus: noop,
  });
  function insert(parent, node) {
    if (node.parentNode) take(node.parentNode, node);
    node.parentNode = parent;
    parent.childNodes.push(node);
    if (node.tagName === 'SCRIPT' && node.src) {
      // It never loads: what waits for the vendor's code goes on waiting.
      seen.scripts.push({ src: String(node.src), slug: inCall });
    }
    (node.tagName === '#FRAGMENT' ? node.childNodes.slice() : []).forEach(function (n) { insert(parent, n); });
    return node;
  }
  function take(parent, node) {
    var i = parent.childNodes.indexOf(node);
    if (i >= 0) parent.childNodes.splice(i, 1);
    node.parentNode = null;
    return node;
  }

  // --- The window -----------------------------------------------------------
  function parseURL(text) {
    var m = /^([a-z][a-z0-9+.-]*:)\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/i.exec(text);
    if (!m) throw new TypeError('Invalid URL: ' + text);
    return { protocol: m[1].toLowerCase(), host: m[2].toLowerCase(), pathname: m[3] || '/', search: m[4] || '', hash: m[5] || '' };
  }
  function absolute(text, base) {
    text = String(text);
    if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return text;
    var b = parseURL(String(base === undefined ? 'nowhere' : base));
    if (text.slice(0, 2) === '//') return b.protocol + text;
    var root = b.protocol + '//' + b.host;
    return root + (text.charAt(0) === '/' ? text : b.pathname.replace(/[^/]*$/, '') + text);
  }
  function Params(init) {
    this.list = String(init || '').replace(/^\?/, '').split('&').filter(Boolean).map(function (pair) {
      var at = (pair + '=').indexOf('=');
      return [pair.slice(0, at), pair.slice(at + 1)].map(function (s) { return decodeURIComponent(s.replace(/\+/g, ' ')); });
    });
  }
  Object.assign(Params.prototype, {
    get: function (k) { var hit = this.list.filter(function (p) { return p[0] === k; })[0]; return hit ? hit[1] : null; },
    getAll: function (k) { return this.list.filter(function (p) { return p[0] === k; }).map(function (p) { return p[1]; }); },
    has: function (k) { return this.get(k) !== null; },
    append: function (k, v) { this.list.push([String(k), String(v)]); },
    set: function (k, v) { this.delete(k); this.append(k, v); },
    delete: function (k) { this.list = this.list.filter(function (p) { return p[0] !== k; }); },
    forEach: function (fn) { this.list.forEach(function (p) { fn(p[1], p[0]); }); },
    toString: function () { return this.list.map(function (p) { return p.map(encodeURIComponent).join('='); }).join('&'); },
  });
  Params.prototype[Symbol.iterator] = function () { return this.list[Symbol.iterator](); };
  function PageURL(text, base) {
    var href = absolute(text, base), u = parseURL(href);
    Object.assign(this, u, {
      href: href, origin: u.protocol + '//' + u.host, hostname: u.host.split(':')[0], port: u.host.split(':')[1] || '',
      username: '', password: '', searchParams: new Params(u.search),
    });
  }
  PageURL.prototype.toString = PageURL.prototype.toJSON = function () { return this.href; };
  PageURL.createObjectURL = function () { return 'blob:nothing'; };
  PageURL.revokeObjectURL = noop;

  function Storage() { this.__map = new Map(); }
  Object.assign(Storage.prototype, {
    getItem: function (k) { k = String(k); return this.__map.has(k) ? this.__map.get(k) : null; },
    setItem: function (k, v) { this.__map.set(String(k), String(v)); },
    removeItem: function (k) { this.__map.delete(String(k)); },
    key: function (i) { return Array.from(this.__map.keys())[i] || null; },
    clear: function () { this.__map.clear(); },
  });
  Object.defineProperty(Storage.prototype, 'length', { get: function () { return this.__map.size; } });

  // A request is answered with success. Bodies are text, or a Blob of text.
  function post(how, url, body) {
    if (body && body.__text !== undefined) body = body.__text;
    seen.posts.push({ how: how, url: absolute(url, location.href), body: body === undefined || body === null ? '' : String(body) });
  }
  var answer = '{"success":true}';
  function Blob(parts, options) {
    this.__text = (parts || []).join('');
    this.size = this.__text.length;
    this.type = (options && options.type) || '';
  }
  Blob.prototype.text = function () { return Promise.resolve(this.__text); };
  function response() {
    return {
      ok: true, status: 200, statusText: 'OK', headers: { get: nothing, has: function () { return false; } },
      text: function () { return Promise.resolve(answer); },
      json: function () { return Promise.resolve(JSON.parse(answer)); },
      clone: response,
    };
  }
  function Request(input, init) { Object.assign(this, init, { url: String((input && input.url) || input) }); }
  function XHR() { this.readyState = 0; this.upload = new Target(); }
  XHR.prototype = Object.create(Target.prototype);
  Object.assign(XHR.prototype, {
    open: function (method, url) { this.__url = url; this.readyState = 1; },
    setRequestHeader: noop, overrideMimeType: noop, abort: noop,
    getResponseHeader: nothing, getAllResponseHeaders: function () { return ''; },
    send: function (body) {
      var xhr = this;
      post('xhr', xhr.__url, body);
      later(function () {
        Object.assign(xhr, { readyState: 4, status: 200, statusText: 'OK', responseText: answer, response: answer });
        ['readystatechange', 'load', 'loadend'].forEach(function (type) {
          if (xhr['on' + type]) xhr['on' + type](new PageEvent(type));
          xhr.dispatchEvent(new PageEvent(type));
        });
      }, 1);
    },
  });

  var location = new PageURL('https://page.test/path?utm_source=check');
  Object.assign(location, { assign: noop, replace: noop, reload: noop });
  var html = new Element('html'), head = new Element('head'), body = new Element('body');
  insert(html, head);
  insert(html, body);
  script = new Element('script');
  insert(head, script);
  script.src = 'https://edge.test/analytics.js/v1/key/analytics.min.js';

  function byTag(tag) {
    tag = tag.toLowerCase();
    return tag === 'head' ? [head] : tag === 'body' ? [body] : tag === 'html' ? [html]
      : head.childNodes.concat(body.childNodes).filter(function (n) { return tag === '*' || n.tagName === tag.toUpperCase(); });
  }
  var cookies = {};
  var document = Object.assign(new Element('#document'), {
    nodeType: 9, documentElement: html, head: head, body: body, currentScript: script, readyState: 'complete',
    title: 'A page', referrer: '', URL: location.href, location: location, domain: location.hostname, defaultView: global,
    characterSet: 'UTF-8', charset: 'UTF-8', compatMode: 'CSS1Compat', visibilityState: 'visible', hidden: false,
    createElement: function (tag) { return new Element(tag); },
    createElementNS: function (_, tag) { return new Element(tag); },
    createTextNode: function (text) { return Object.assign(new Element('#text'), { textContent: text }); },
    createDocumentFragment: function () { return new Element('#fragment'); },
    createEvent: function () { return new PageEvent(''); },
    getElementById: nothing,
    getElementsByTagName: byTag,
    getElementsByName: list,
    querySelector: function (s) { return /^[a-z]+$/i.test(s) ? byTag(s)[0] || null : null; },
    querySelectorAll: function (s) { return /^[a-z]+$/i.test(s) ? byTag(s) : []; },
    hasFocus: function () { return true; },
    write: noop, writeln: noop, open: noop, close: noop,
  });
  Object.defineProperty(document, 'scripts', { get: function () { return byTag('script'); } });
  Object.defineProperty(document, 'cookie', {
    get: function () { return Object.keys(cookies).map(function (k) { return k + '=' + cookies[k]; }).join('; '); },
    set: function (text) {
      var pair = String(text).split(';')[0], at = pair.indexOf('=');
      if (/;\s*max-age=(0|-\d+)\s*(;|$)/i.test(text) || /;\s*expires=[^;]*\b19[67]\d\b/i.test(text)) delete cookies[pair.slice(0, at)];
      else cookies[pair.slice(0, at)] = pair.slice(at + 1);
    },
  });

  function Observer() {}
  Object.assign(Observer.prototype, { observe: noop, unobserve: noop, disconnect: noop, takeRecords: list });
  var b64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

  Object.assign(global, {
    addEventListener: Target.prototype.addEventListener.bind(global),
    removeEventListener: Target.prototype.removeEventListener.bind(global),
    dispatchEvent: Target.prototype.dispatchEvent.bind(global),
    window: global, self: global, top: global, parent: global, frames: global, globalThis: global,
    opener: null, frameElement: null, name: '', closed: false, length: 0, isSecureContext: true, origin: location.origin,
    document: document, location: location,
    navigator: {
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
      language: 'en-GB', languages: ['en-GB', 'en'], platform: 'Linux x86_64', vendor: 'Google Inc.', appVersion: '5.0',
      cookieEnabled: true, onLine: true, doNotTrack: null, webdriver: false, plugins: [], mimeTypes: [],
      javaEnabled: function () { return false; },
      sendBeacon: function (url, data) { post('beacon', url, data); return true; },
    },
    history: { length: 1, state: null, pushState: noop, replaceState: noop, back: noop, forward: noop, go: noop },
    screen: { width: 1280, height: 800, availWidth: 1280, availHeight: 800, colorDepth: 24, pixelDepth: 24 },
    innerWidth: 1280, innerHeight: 720, outerWidth: 1280, outerHeight: 800, devicePixelRatio: 1,
    scrollX: 0, scrollY: 0, pageXOffset: 0, pageYOffset: 0,
    localStorage: new Storage(), sessionStorage: new Storage(),
    performance: { now: function () { return now; }, timeOrigin: 0, timing: { navigationStart: 0 }, mark: noop, measure: noop, getEntriesByType: list, getEntriesByName: list },
    crypto: {
      getRandomValues: function (a) { for (var i = 0; i < a.length; i++) a[i] = Math.random() * 4294967296; return a; },
      randomUUID: function () { return 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, function () { return (Math.random() * 16 | 0).toString(16); }); },
    },
    console: { log: noop, info: noop, warn: noop, error: noop, debug: noop, trace: noop, group: noop, groupEnd: noop, table: noop, assert: noop },
    fetch: function (input, init) {
      post('fetch', (input && input.url) || input, (init && init.body) || (input && input.body));
      return Promise.resolve(response());
    },
    XMLHttpRequest: XHR, Request: Request, Blob: Blob, URL: PageURL, URLSearchParams: Params,
    Event: PageEvent, CustomEvent: PageEvent, EventTarget: Target, Element: Element, HTMLElement: Element, Node: Element,
    Image: function () { return new Element('img'); },
    Headers: function () { Object.assign(this, { get: nothing, set: noop, append: noop, has: function () { return false; } }); },
    FormData: function () { Object.assign(this, { append: noop, set: noop }); },
    AbortController: function () { this.signal = new Target(); this.abort = noop; },
    MutationObserver: Observer, IntersectionObserver: Observer, ResizeObserver: Observer, PerformanceObserver: Observer,
    TextEncoder: function () {
      this.encode = function (s) { return Uint8Array.from(unescape(encodeURIComponent(s)), function (c) { return c.charCodeAt(0); }); };
    },
    TextDecoder: function () { this.decode = function (a) { return decodeURIComponent(escape(String.fromCharCode.apply(null, a))); }; },
    btoa: function (s) {
      for (var out = '', i = 0; i < s.length; i += 3) {
        var n = (s.charCodeAt(i) << 16) | ((s.charCodeAt(i + 1) || 0) << 8) | (s.charCodeAt(i + 2) || 0);
        out += b64[n >> 18] + b64[(n >> 12) & 63] + (i + 1 < s.length ? b64[(n >> 6) & 63] : '=') + (i + 2 < s.length ? b64[n & 63] : '=');
      }
      return out;
    },
    atob: function (s) {
      for (var out = '', bits = 0, n = 0, i = 0; i < s.length && s[i] !== '='; i++) {
        n = (n << 6) | b64.indexOf(s[i]); bits += 6;
        if (bits >= 8) { bits -= 8; out += String.fromCharCode((n >> bits) & 255); }
      }
      return out;
    },
    Intl: { DateTimeFormat: function () { return { resolvedOptions: function () { return { timeZone: 'UTC', locale: 'en-GB' }; }, format: String }; } },
    matchMedia: function () { return { matches: false, media: '', addListener: noop, removeListener: noop, addEventListener: noop, removeEventListener: noop }; },
    getComputedStyle: function () { return { getPropertyValue: function () { return ''; } }; },
    getSelection: nothing, postMessage: noop, alert: noop, confirm: undef, prompt: nothing, open: nothing, scroll: noop, scrollTo: noop, focus: noop, blur: noop, print: noop, stop: noop, close: noop,
  });

  // --- What the check hangs on ----------------------------------------------
  global.__tagmill_error = function (who, e) { fail(String(who), 'reported by the runtime', e); };

  // Wraps every factory: what an integration throws is seen though the runtime
  // catches it, and so is a load that never happens.
  global.__tagmill_check = function (factories) {
    var watched = {};
    Object.keys(factories).forEach(function (slug) {
      seen.factories[slug] = seen.loads[slug] = 0;
      function guard(where, fn) {
        return function () {
          var before = inCall;
          inCall = slug;
          try {
            var result = fn.apply(this, arguments);
            if (result && typeof result.then === 'function') result.then(undefined, function (e) { fail(slug, where, e); });
            return result;
          } catch (e) {
            fail(slug, where, e);
            throw e;
          } finally {
            inCall = before;
          }
        };
      }
      watched[slug] = guard('its factory', function (settings, env) {
        seen.factories[slug]++;
        // Asked for by this integration, though another may have inserted it.
        var lent = Object.create(env);
        lent.script = function (src) {
          seen.scripts.push({ src: String(src), slug: slug });
          return env.script.apply(env, arguments);
        };
        var integration = factories[slug](settings, lent);
        if (typeof integration.load !== 'function') throw new Error('has no load()');
        Object.keys(integration).forEach(function (name) {
          if (typeof integration[name] === 'function') integration[name] = guard(name + '()', integration[name]);
        });
        var load = integration.load;
        integration.load = function () {
          seen.loads[slug]++;
          return load.apply(this, arguments);
        };
        return integration;
      });
    });
    return watched;
  };

  global.__page = {
    // What a page has when the bundle arrives: the snippet's array of calls.
    begin: function (writeKey) {
      var calls = global.analytics = [['page']];
      Object.assign(calls, { _writeKey: writeKey, initialize: false, invoked: true, _loadOptions: {} });
    },
    bundleRan: function () { document.currentScript = null; },
    // Runs the next timer due by a moment; false when there is none. One at a
    // time, so that promises settle in between.
    step: function (until) {
      var next = null;
      timers.forEach(function (t) { if (t.at <= until && (!next || t.at < next.at)) next = t; });
      if (!next) { now = until; return false; }
      now = Math.max(now, next.at);
      if (next.every) next.at = now + next.every; else cancel(next.id);
      try {
        if (typeof next.fn === 'function') next.fn.apply(global, next.args);
      } catch (e) {
        fail('', 'a timer', e);
      }
      return true;
    },
    get clock() { return now; },
    current: function () { return inCall; },
    call: function (method, args) {
      try {
        global.analytics[method].apply(global.analytics, args);
      } catch (e) {
        fail('', 'analytics.' + method + '()', e);
      }
    },
    report: function () { return JSON.stringify(seen); },
  };
})(this);
