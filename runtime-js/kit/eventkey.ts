/**
 * A standard event's name in one spelling: lower case, noun first. The old
 * ecommerce spellings have the verb first: "Completed Order" is "order completed".
 */
export function eventKey(name: string): string {
  return name.trim().toLowerCase().replace(/^(viewed|added|removed|completed|searched) (.+)/, '$2 $1');
}
