import type { Factory } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { stub } from '@tagmill/runtime/kit/stub';

interface Settings {
  siteId: string;
  manualPages?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const hj = stub(w, 'hj', '', 'q');

  return {
    load() {
      hj();
      w._hjSettings = { hjid: +settings.siteId, hjsv: 6 };
      return script(`https://static.hotjar.com/c/hotjar-${settings.siteId}.js?sv=6`);
    },
    page(e) {
      if (settings.manualPages) hj('stateChange', e.properties!.path);
    },
    track(e) {
      // Any other character and Hotjar refuses the event.
      hj('event', e.event!.trim().replace(/\s+/g, '_').replace(/[^\w.:-]/g, '').slice(0, 250));
    },
    identify(e) {
      hj('identify', e.userId || null, flat(e.traits!));
    },
    reset() {
      hj('identify', null, {});
    },
  };
};

export default integration;
