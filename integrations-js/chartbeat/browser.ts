import type { Event, Factory, Props } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';

interface Settings {
  uid: string;
  domain: string;
  useCanonical?: boolean;
  video?: boolean;
  subscriberKeys?: string[];
}

/** A list becomes one text, as Chartbeat has it. */
const text = (v: any) => v && String(v);

const integration: Factory<Settings> = (settings, { w, script }) => {
  let loaded: Promise<void> | undefined;

  const describe = (e: Event): Props => {
    const { path, title, sections, section, authors, author } = e.properties!;
    return flat({ path, title, sections: text(sections || section || e.category), authors: text(authors || author) });
  };

  return {
    load() {
      w._cbq = w._cbq || [];
    },
    page(e) {
      (settings.subscriberKeys || []).forEach((k) => {
        if (e.properties![k] != null) w._cbq.push([k, e.properties![k]]);
      });
      const page = describe(e);
      if (loaded) {
        loaded.then(() => w.pSUPERFLY.virtualPage(page)).catch(() => {});
        return;
      }
      // Chartbeat reads its configuration once, when it loads: so on the first page.
      w._sf_async_config = Object.assign(page, flat({ uid: +settings.uid, domain: settings.domain, useCanonical: settings.useCanonical }));
      loaded = script(`https://static.chartbeat.com/js/chartbeat${settings.video ? '_video' : ''}.js`);
      loaded.catch(() => {});
    },
  };
};

export default integration;
