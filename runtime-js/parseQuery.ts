import { attempt } from './attempt';

/** The parameters of a query string, decoded; with or without its question mark. */
export function parseQuery(query: string): [name: string, value: string][] {
  return query
    .replace(/^.*?\?/, '')
    .split(/[?&]/)
    .filter((pair) => pair)
    .map((pair) => {
      const [name, ...value] = pair.split('=');
      const text = value.join('=').replace(/\+/g, ' ');
      return [name, attempt(() => decodeURIComponent(text)) || text];
    });
}
