import { isObject } from './isObject';
import type { Call, Props } from './types';

const isString = (v: unknown): v is string => typeof v === 'string';
const asText = (v: any) => (typeof v === 'number' ? `${v}` : v);

/** What the loosely typed arguments of a call mean: the event's members, and the call's options. */
export function resolveArguments(type: Call, args: any[]): [values: Props, options: Props] {
  const [first] = args;
  if (type === 'track') {
    // (event, properties?, options?) or ({event, properties}, options?)
    return isObject(first) ? [{ event: first.event, properties: first.properties }, args[1]] : [{ event: first, properties: args[1] }, args[2]];
  }
  if (type === 'alias') {
    // (to, from?, options?)
    const [userId, previousId] = args.map(asText).filter(isString);
    return [{ userId, previousId }, args.find(isObject)!];
  }
  if (type === 'identify' || type === 'group') {
    // (id?, traits?, options?), where the id may be left out altogether
    const id = asText(first);
    const [traits, options] = isString(id) || id == null ? args.slice(1) : args;
    return [{ [type === 'group' ? 'groupId' : 'userId']: isString(id) ? id : undefined, traits }, options];
  }
  // page and screen: one string is the name, two are category and name; one
  // object is the properties unless it stands fourth, two are properties and options
  const strings = args.filter(isString);
  const objects = args.filter(isObject);
  if (!objects[1] && objects[0] === args[3]) objects.unshift({});
  if (strings.length < 2) strings.unshift('');
  return [{ category: strings[0] || undefined, name: strings[1] || undefined, properties: objects[0] }, objects[1]];
}
