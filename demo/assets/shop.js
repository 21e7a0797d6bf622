// What a shop's own code does with analytics: calls, at the moments that
// matter. The markup says which (data-event, data-properties); nothing here
// depends on analytics being there.
(function () {
  'use strict';
  var analytics = window.analytics;
  function call(method) {
    if (analytics && analytics[method]) analytics[method].apply(analytics, [].slice.call(arguments, 1));
  }
  function read(key) {
    try { return JSON.parse(sessionStorage.getItem(key)); } catch (e) { return null; }
  }
  function write(key, value) {
    try { sessionStorage.setItem(key, JSON.stringify(value)); } catch (e) { /* private mode: this page only */ }
  }

  // The list of events, kept over navigations of this tab.
  var box = document.getElementById('events');
  var list = document.getElementById('event-list');
  var events = read('demo_events') || [];
  function show(e, fresh) {
    var li = document.createElement('li');
    var details = li.appendChild(document.createElement('details'));
    var summary = details.appendChild(document.createElement('summary'));
    [['span', 'type', e.type], ['span', 'name', e.name], ['time', '', e.at]].forEach(function (part) {
      var el = summary.appendChild(document.createElement(part[0]));
      el.className = part[1];
      el.textContent = part[2];
    });
    details.appendChild(document.createElement('pre')).textContent = JSON.stringify(e.what, null, 2);
    list.insertBefore(li, list.firstChild);
    if (fresh) {
      box.classList.remove('new');
      void box.offsetWidth; // starts the animation anew
      box.classList.add('new');
    }
    count();
  }
  function count() {
    document.getElementById('event-count').textContent = list.children.length;
    document.getElementById('event-hint').hidden = list.children.length > 0;
  }
  function note(type, name, what) {
    var e = { type: type, name: String(name || ''), what: what || {}, at: new Date().toTimeString().slice(0, 8) };
    events.push(e);
    events = events.slice(-50);
    write('demo_events', events);
    show(e, true);
  }
  events.forEach(function (e) { show(e, false); });
  box.open = read('demo_open') === null ? matchMedia('(min-width: 75rem)').matches : read('demo_open');
  box.addEventListener('toggle', function () { write('demo_open', box.open); });
  document.getElementById('event-clear').addEventListener('click', function () {
    events = [];
    write('demo_events', events);
    list.textContent = '';
    count();
  });
  call('on', 'track', function (event, properties) { note('track', event, properties); });
  call('on', 'page', function (category, name, properties) { note('page', name || (properties || {}).path || location.pathname, properties); });
  call('on', 'identify', function (id, traits) { note('identify', id || 'anonymous', traits); });
  call('on', 'group', function (id, traits) { note('group', id, traits); });
  call('on', 'reset', function () { note('reset', 'a new visitor'); });

  // What happens on arrival. An order is completed once, however often its
  // page is loaded.
  var body = document.body;
  var name = body.getAttribute('data-event');
  var once = body.getAttribute('data-occasion');
  if (name && !(once && read('demo_once') === once)) {
    call('track', name, JSON.parse(body.getAttribute('data-properties')));
    if (once) write('demo_once', once);
  }

  // Forms and buttons that say what they mean. The browser goes on at once:
  // events on their way survive the navigation.
  document.addEventListener('submit', function (e) {
    var form = e.target;
    var data = new FormData(form);
    var event = form.getAttribute('data-event');
    if (event) {
      var properties = JSON.parse(form.getAttribute('data-properties'));
      if (+data.get('quantity') > 0) properties.quantity = +data.get('quantity');
      call('track', event, properties);
    }
    if (form.id === 'identify') {
      var how = (e.submitter && e.submitter.value) || 'Signed In';
      call('identify', String(data.get('email')).toLowerCase(), { name: data.get('name'), email: data.get('email'), favourite_weather: data.get('weather') });
      call('track', how, { method: 'demo' });
    }
    if (form.id === 'group') {
      var select = form.elements.group;
      call('group', select.value, { name: select.options[select.selectedIndex].text });
    }
    if (form.id === 'checkout') call('track', 'Checkout Step Completed', { step: 1, shipping_method: data.get('delivery') });
    if (form.id === 'leave') {
      call('track', 'Signed Out', {});
      call('reset');
    }
  });
  document.addEventListener('click', function (e) {
    var button = e.target.closest && e.target.closest('button[data-event]');
    if (!button) return;
    call('track', button.getAttribute('data-event'), JSON.parse(button.getAttribute('data-properties')));
    button.textContent = button.getAttribute('data-done') || button.textContent;
    button.disabled = true;
  });
})();
