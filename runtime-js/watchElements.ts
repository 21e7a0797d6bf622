import type { Props } from './types';

/** Sends the track call and resolves when it is out, or has had its time. */
export type Send = (event: string, properties: Props | undefined, options: Props | undefined) => Promise<unknown>;

type Value<T> = T | ((element: any) => T);
type Elements = any;

const valueOf = <T>(value: Value<T>, element: Element): T =>
  typeof value === 'function' ? (value as (element: Element) => T)(element) : value;

/**
 * Calls track on an event of each element and, where the page lets the event
 * take its course, holds that back until the track call is out.
 */
function watch(elements: Elements, type: string, track: (el: any, e: any) => Promise<unknown>, proceed: (el: any, e: any) => (() => void) | undefined) {
  if (!elements) return;
  const list: any[] = elements.addEventListener ? [elements] : Array.from(elements);
  list.forEach((el) =>
    el.addEventListener(type, (e: any) => {
      const sent = track(el, e);
      const go = proceed(el, e);
      if (!go) return;
      // Last of all listeners, where it is known whether the page has
      // prevented the default. If the event never gets here, the browser goes
      // ahead by itself and the post survives as a keepalive request.
      const last = (event: any) => {
        removeEventListener(type, last);
        if (event !== e || e.defaultPrevented) return;
        e.preventDefault();
        sent.then(go);
      };
      addEventListener(type, last);
    }),
  );
}

/** trackLink: track on click, then follow the link, unless it opens elsewhere or the page prevents it. */
export function watchLinks(links: Elements, event: Value<string>, properties: Value<Props>, options: Props, send: Send): void {
  watch(
    links,
    'click',
    (el) => send(valueOf(event, el), valueOf(properties, el), options),
    (el, e) => {
      const inner = el.getElementsByTagName('a')[0];
      const href =
        el.getAttribute('href') ||
        el.getAttributeNS('http://www.w3.org/1999/xlink', 'href') ||
        el.getAttribute('xlink:href') ||
        (inner && inner.getAttribute('href'));
      const elsewhere = e.ctrlKey || e.shiftKey || e.metaKey || e.altKey || e.button || el.target === '_blank' || el.hasAttribute('download');
      if (href && !elsewhere) return () => (location.href = href);
    },
  );
}

/** trackForm: track on submit, then submit with the button that was clicked, unless the page prevents it. */
export function watchForms(forms: Elements, event: Value<string>, properties: Value<Props>, options: Props, send: Send): void {
  watch(
    forms,
    'submit',
    (form) => send(valueOf(event, form), valueOf(properties, form), options),
    (form, e) => () => {
      // The page's handlers have run once and must not run again.
      const hide = (again: any) => again.target === form && again.stopImmediatePropagation();
      addEventListener('submit', hide, true);
      // From the prototype: a field named "submit" hides the form's own method.
      const { requestSubmit, submit } = HTMLFormElement.prototype;
      try {
        requestSubmit.call(form, e.submitter);
      } catch (_) {
        submit.call(form); // no requestSubmit, or the button is gone by now
      }
      removeEventListener('submit', hide, true);
    },
  );
}
