import { runMiddleware, type Middleware } from './middleware';
import type { Context } from './context';
import type { Props } from './types';

/** A plugin as pages register it. */
export interface Plugin {
  name: string;
  /** Else it is only loaded. */
  type?: 'before' | 'enrichment' | 'destination' | 'after' | 'utility';
  load?(ctx: Context | undefined, analytics: unknown): unknown;
  unload?(ctx: Context | undefined, analytics: unknown): unknown;
  /** track, page, ...: take the context and return it, or a promise of it. */
  [call: string]: any;
}

/** A source middleware as a plugin. */
export function fromMiddleware(fn: Middleware, integrations: () => Props): Plugin {
  return {
    name: 'Source Middleware ' + fn.name,
    type: 'before',
    each_: (ctx: Context) =>
      runMiddleware(fn, ctx.event, { integrations: integrations() }).then((event) => {
        if (!event) ctx.cancel();
        ctx.event = event!;
      }),
  };
}

/**
 * Runs the plugins of a type over a context, in order. What a plugin throws is
 * reported and the event goes on without it; only a cancelled context rejects.
 */
export function runPlugins(
  plugins: Plugin[],
  type: string,
  ctx: Context,
  report: (name: string, error: unknown) => void,
): Promise<unknown> {
  return plugins
    .filter((plugin) => plugin.type === type)
    .reduce<Promise<any>>(
      (before, plugin) =>
        before.then(() => {
          const run = plugin.each_ || plugin[ctx.event.type];
          return (
            run &&
            Promise.resolve(ctx)
              .then(run.bind(plugin))
              .then((result: any) => {
                if (result && result.event) ctx.event = result.event;
              })
              .catch((e) => {
                if (ctx.cancelled_) throw e;
                report(plugin.name, e);
              })
          );
        }),
      Promise.resolve(),
    );
}
