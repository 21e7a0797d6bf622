import { attempt } from './attempt';
import type { Props } from './types';

/** The decoded parameters of a query string (or a URL with one) whose names begin with prefix, without it. */
export function pickQuery(query: string, prefix: string): Props {
  const found: Props = {};
  query.split(/[?&#]/).forEach((pair) => {
    const [name, ...rest] = pair.split('=');
    const value = rest.join('=').replace(/\+/g, ' ');
    if (name.startsWith(prefix)) found[name.slice(prefix.length)] = attempt(() => decodeURIComponent(value)) || value;
  });
  return found;
}
