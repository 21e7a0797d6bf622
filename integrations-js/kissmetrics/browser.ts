import type { Factory, Props } from '@tagmill/runtime/types';
import { flatten } from '@tagmill/runtime/kit/flatten';
import { pageName } from '@tagmill/runtime/kit/pagename';
import { unix } from '@tagmill/runtime/kit/unix';

interface Settings {
  apiKey: string;
  prefixProperties?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const push = (...call: unknown[]) => w._kmq.push(call);

  const named = (prefix: string, p: Props) => {
    prefix = settings.prefixProperties ? prefix + ' - ' : '';
    const out = flatten(p, prefix);
    if (p.revenue != null) {
      // Kissmetrics' revenue reports read this name alone.
      out['Billing Amount'] = p.revenue;
      delete out[prefix + 'revenue'];
    }
    return out;
  };

  return {
    load() {
      w._kmq = w._kmq || [];
      w._kmk = settings.apiKey;
      w.KM_SKIP_PAGE_VIEW = 1;
      return Promise.all([
        script('https://i.kissmetrics.io/i.js'),
        script(`https://scripts.kissmetrics.io/${settings.apiKey}.2.js`),
      ]);
    },
    page(e) {
      push('record', pageName(e), named('Page', e.properties!));
    },
    track(e) {
      const p = e.properties!;
      push('record', e.event, named(e.event!, p));
      if (Array.isArray(p.products)) {
        // KM keeps one value per property and second: a second for each product.
        w._kmq.push(() => p.products.forEach((product: Props, i: number) =>
          w.KM.set(Object.assign(named(e.event!, product), { _t: unix(e.timestamp)! + i, _d: 1 }))));
      }
    },
    identify(e) {
      if (e.userId) push('identify', e.userId);
      push('set', flatten(e.traits!));
    },
    group(e) {
      push('set', flatten(Object.assign({}, e.traits, { id: e.groupId }), 'Group - '));
    },
    alias(e) {
      push('alias', e.userId, e.previousId);
    },
    reset() {
      push('clearIdentity');
    },
  };
};

export default integration;
