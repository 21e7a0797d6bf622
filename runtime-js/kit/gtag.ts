/** Gives Google's command queue, one for all its products on the page, a command. A gtag that the page has already is used. */
export function gtag(w: any, ...command: any[]): void {
  w.dataLayer = w.dataLayer || [];
  // gtag.js reads the arguments object; it ignores arrays.
  w.gtag = w.gtag || function () { w.dataLayer.push(arguments); };
  w.gtag(...command);
}
