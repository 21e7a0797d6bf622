import { isObject } from './isObject';
import type { Props } from './types';

/** What the loosely typed arguments of a call mean. */
export interface Resolved {
  event?: string;
  category?: string;
  name?: string;
  id?: string;
  previousId?: string;
  /** Properties or traits. */
  data: Props;
  options: Props;
  callback?: (ctx: unknown) => void;
}

const isString = (v: unknown): v is string => typeof v === 'string';
const isFunction = (v: unknown): v is (ctx: unknown) => void => typeof v === 'function';
const asText = (v: any) => (typeof v === 'number' ? `${v}` : v);
const asObject = (v: unknown): Props => (isObject(v) ? v : {});

/** track(event, properties?, options?, callback?) or track({event, properties}, options?, callback?). */
export function resolveTrack(args: any[]): Resolved {
  const whole = isObject(args[0]);
  return {
    event: whole ? args[0].event : args[0],
    data: asObject(whole ? args[0].properties : args[1]),
    options: asObject(args[whole ? 1 : 2]),
    callback: args.find(isFunction),
  };
}

/**
 * page and screen: one string is the name, two are category and name; one
 * object is the properties unless it stands fourth, two are properties and options.
 */
export function resolvePage(args: any[]): Resolved {
  const strings = args.filter(isString);
  const objects = args.filter(isObject);
  if (objects.length === 1 && objects[0] === args[3]) objects.unshift({});
  return {
    category: (strings.length > 1 && strings[0]) || undefined,
    name: strings[strings.length > 1 ? 1 : 0] || undefined,
    data: objects[0] || {},
    options: objects[1] || {},
    callback: args.find(isFunction),
  };
}

/** identify and group: (id?, traits?, options?, callback?), where the id may be left out altogether. */
export function resolveIdentify(args: any[]): Resolved {
  const id = asText(args[0]);
  const rest = isString(id) || id == null ? args.slice(1) : args;
  return {
    id: id && isString(id) ? id : undefined,
    data: asObject(rest[0]),
    options: asObject(rest[1]),
    callback: args.find(isFunction),
  };
}

/** alias(to, from?, options?, callback?). */
export function resolveAlias(args: any[]): Resolved {
  const [id, previousId] = args.map(asText).filter(isString);
  return { id, previousId, data: {}, options: args.find(isObject) || {}, callback: args.find(isFunction) };
}
