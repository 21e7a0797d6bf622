import type { Props } from './types';

/** Sends the track call and resolves when it is out, or has had its time. */
export type Send = (event: string, properties?: Props, options?: Props) => Promise<unknown>;

/** An element, a list of them, or a jQuery object; what to track; its properties and options. */
export type Watched = [elements: any, event: Value<string>, properties?: Value<Props>, options?: Props];

type Value<T> = T | ((element: any) => T);

const valueOf = <T>(value: Value<T>, element: Element): T =>
  typeof value === 'function' ? (value as (element: Element) => T)(element) : value;

/**
 * Tracks an event of each element and, where the page lets the event take its
 * course, holds that back until the call is out. plan returns what the browser
 * would then do, if that is to be held back at all.
 */
function watch(
  type: string,
  plan: (element: any, e: any) => (() => void) | false,
  send: Send,
  elements: any,
  event: Value<string>,
  properties?: Value<Props>,
  options?: Props,
) {
  Array.from(elements && elements.addEventListener ? [elements] : elements || []).forEach((element: any) =>
    element.addEventListener(type, (e: any) => {
      const sent = send(valueOf(event, element), valueOf(properties, element), options);
      const go = plan(element, e);
      // Last of all listeners, where it is known whether the page has
      // prevented the default. If the event never gets here, the browser goes
      // ahead by itself and the post survives as a keepalive request.
      const last = (event: any) => {
        removeEventListener(type, last);
        if (go && event === e && !e.defaultPrevented) {
          e.preventDefault();
          sent.then(go);
        }
      };
      addEventListener(type, last);
    }),
  );
}

/** trackLink: track on click, then follow the link, unless it opens elsewhere or the page prevents it. */
export function watchLinks(send: Send, ...args: Watched): void {
  const plan = (link: any, e: any) => {
    const href =
      link.getAttribute('href') ||
      link.getAttribute('xlink:href') ||
      (link.querySelector('a') || {}).href;
    const elsewhere =
      e.ctrlKey || e.shiftKey || e.metaKey || e.altKey || e.button || link.target === '_blank' || link.hasAttribute('download');
    return href && !elsewhere && (() => (location.href = href));
  };
  watch('click', plan, send, ...args);
}

/** trackForm: track on submit, then submit with the button that was clicked, unless the page prevents it. */
export function watchForms(send: Send, ...args: Watched): void {
  const plan = (form: any, e: any) => () => {
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
  };
  watch('submit', plan, send, ...args);
}
