import type { Env } from '../types';
import { gtag } from './gtag';

let loaded: Promise<void> | undefined;

/**
 * Loads gtag.js, once for all of Google's products: the first one's id and
 * origin are asked for, the others need their `config` command alone.
 */
export function gtagScript(env: Env, origin: string, id: string): Promise<void> {
  if (!loaded) {
    gtag(env.w, 'js', new Date());
    loaded = env.script(origin + '/gtag/js?id=' + id);
  }
  return loaded;
}
