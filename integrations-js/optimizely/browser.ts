import type { Factory } from '@tagmill/runtime/types';
import { flat } from '@tagmill/runtime/kit/flat';
import { number } from '@tagmill/runtime/kit/number';

interface Settings {
  projectId: string;
  loadSnippet?: boolean;
  experimentEvents?: boolean;
}

const integration: Factory<Settings> = (settings, { w, script, track }) => {
  const push = (call: unknown) => (w.optimizely = w.optimizely || []).push(call);

  return {
    load() {
      if (settings.experimentEvents) {
        push({
          type: 'addListener',
          filter: { type: 'lifecycle', name: 'campaignDecided' },
          handler({ data: { decision: d, campaign } }: any) {
            // Visitors held back are in no experiment.
            if (!d.experimentId || d.isCampaignHoldback) return;
            const experiment = (campaign.experiments || []).filter((x: any) => x.id == d.experimentId)[0] || {};
            const variation = (experiment.variations || []).filter((x: any) => x.id == d.variationId)[0] || {};
            track('Experiment Viewed', {
              campaignId: d.campaignId, campaignName: campaign.name,
              experimentId: d.experimentId, experimentName: experiment.name,
              variationId: d.variationId, variationName: variation.name,
            });
          },
        });
      }
      return settings.loadSnippet ? script(`https://cdn.optimizely.com/js/${settings.projectId}.js`) : undefined;
    },
    page(e) {
      if (e.name) push({ type: 'page', pageName: e.name, tags: flat(e.properties!) });
    },
    track(e) {
      const tags = flat(e.properties!);
      const revenue = number(e.properties!.revenue);
      // Optimizely counts money in cents.
      if (revenue != null) tags.revenue = Math.round(revenue * 100);
      else delete tags.revenue;
      // A colon ends a name there.
      push({ type: 'event', eventName: e.event!.replace(/:/g, '_'), tags });
    },
    identify(e) {
      push({ type: 'user', attributes: flat(e.traits!) });
    },
  };
};

export default integration;
