import type { Factory } from '@tagmill/runtime/types';

interface Settings {
  accountNumber: string;
  userVariables?: string[];
}

const integration: Factory<Settings> = (settings, { w, script, until }) => ({
  load() {
    const account = settings.accountNumber.padStart(8, '0');
    // The vendor's snippet asks for a fresh file every hour.
    return script(`https://script.crazyegg.com/pages/scripts/${account.slice(0, 4)}/${account.slice(4)}.js?${Math.floor(Date.now() / 36e5)}`)
      .then(() => until(() => w.CE2));
  },
  identify(e) {
    const { CE2 } = w;
    if (e.userId && CE2.identify) CE2.identify(e.userId);
    (settings.userVariables || []).forEach((k, i) => {
      // Slots 1 to 5.
      if (CE2.set && e.traits![k] != null) CE2.set(i + 1, k, String(e.traits![k]));
    });
  },
});

export default integration;
