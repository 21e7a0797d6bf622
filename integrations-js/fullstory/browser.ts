import type { Factory } from '@tagmill/runtime/types';
import { fullName } from '@tagmill/runtime/kit/fullname';
import { stub } from '@tagmill/runtime/kit/stub';

interface Settings {
  orgId: string;
  region: 'na1' | 'eu1';
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const FS = stub(w, 'FS', '', 'q');

  return {
    load() {
      FS();
      const host = (settings.region == 'eu1' ? 'eu1.' : '') + 'fullstory.com';
      w._fs_host = host;
      w._fs_script = `edge.${host}/s/fs.js`;
      w._fs_org = settings.orgId;
      w._fs_namespace = 'FS';
      return script('https://' + w._fs_script);
    },
    page(e) {
      FS('setProperties', { type: 'page', properties: Object.assign({ pageName: e.name }, e.properties) });
    },
    track(e) {
      FS('trackEvent', { name: e.event, properties: e.properties });
    },
    identify(e) {
      const properties = Object.assign({}, e.traits);
      if (fullName(properties)) properties.displayName = fullName(properties);
      // An anonymous id is no uid: each change of it would begin a new session.
      if (e.userId) FS('setIdentity', { uid: e.userId, properties });
      else FS('setProperties', { type: 'user', properties });
    },
    reset() {
      FS('setIdentity', { anonymous: true });
    },
  };
};

export default integration;
