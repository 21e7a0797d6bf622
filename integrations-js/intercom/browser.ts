import type { Factory, Props } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { fullName } from '@tagmill/runtime/kit/fullname';
import { number } from '@tagmill/runtime/kit/number';
import { unix } from '@tagmill/runtime/kit/unix';

interface Settings {
  appId: string;
  apiBase?: string;
  hideLauncher?: boolean;
  launcherSelector?: string;
}

/** Plain attributes with Intercom's names and Unix dates. */
function attributes(t: Props, own: Props): Props {
  own.created_at = unix(t.createdAt || t.created_at || t.created);
  return Object.assign(flat(t, { monthlySpend: 'monthly_spend' }, { createdAt: 0, created: 0, id: 0 }), flat(own));
}

const company = (id: unknown, t: Props) => attributes(t, { company_id: id });

const integration: Factory<Settings> = (settings, { w, script }) => {
  const boot = () => w.Intercom('boot', flat({
    app_id: settings.appId,
    api_base: settings.apiBase,
    hide_default_launcher: settings.hideLauncher,
    custom_launcher_selector: settings.launcherSelector,
  }));
  const update = (p: Props) => w.Intercom('update', p);

  return {
    load() {
      if (!w.Intercom) {
        const stub: any = w.Intercom = function () { stub.c(arguments); };
        stub.q = [];
        stub.c = (call: unknown) => stub.q.push(call);
      }
      boot();
      return script('https://widget.intercom.io/widget/' + settings.appId);
    },
    page(e) {
      update({ last_request_at: unix(e.timestamp) });
    },
    track(e) {
      const p = e.properties!;
      const meta = flat(p);
      const revenue = number(p.revenue) || number(p.total);
      // Intercom counts money in cents.
      if (revenue) meta.price = { amount: Math.round(revenue * 100), currency: p.currency || 'USD' };
      if (p.order_id && p.order_url) meta.order_number = { value: p.order_id, url: p.order_url };
      w.Intercom('trackEvent', e.event, meta);
    },
    identify(e) {
      const t = e.traits!;
      const p = attributes(t, { user_id: e.userId, name: fullName(t) || undefined });
      const companies = t.companies || (t.company && [t.company]);
      if (t.avatar) p.avatar = { type: 'avatar', image_url: t.avatar };
      if (Array.isArray(companies)) p.companies = companies.map((c) => (c.name || c.id ? company(c.id || c.name, c) : company(c, { name: c })));
      // user_hash and intercom_user_jwt prove who the visitor is. They are made
      // on the site's server and can come with the call alone.
      update(Object.assign(p, e.options));
    },
    group(e) {
      update({ company: company(e.groupId, e.traits!) });
    },
    reset() {
      w.Intercom('shutdown');
      boot();
    },
  };
};

export default integration;
