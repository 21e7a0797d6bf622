import type { Factory } from '@tagmill/runtime/types';
import { fullName } from '@tagmill/runtime/kit/fullname';

interface Settings {
  accessToken: string;
  environment: string;
  codeVersion?: string;
  captureUncaught?: boolean;
  captureIp: 'anonymize' | 'full' | 'none';
}

const integration: Factory<Settings> = (settings, { w, script }) => {
  const person = (id: unknown, username: unknown, email: unknown) => w.Rollbar.configure({ payload: { person: { id, username, email } } });
  const ip = settings.captureIp;

  return {
    load() {
      // What the page has set itself comes first.
      w._rollbarConfig = Object.assign({
        accessToken: settings.accessToken,
        captureUncaught: settings.captureUncaught,
        captureUnhandledRejections: settings.captureUncaught,
        captureIp: ip == 'anonymize' ? ip : ip == 'full',
        payload: {
          environment: settings.environment,
          client: { javascript: { code_version: settings.codeVersion } },
        },
      }, w._rollbarConfig);
      return script('https://cdn.rollbar.com/rollbarjs/refs/tags/v3.1.0/rollbar.min.js');
    },
    track(e) {
      w.Rollbar.captureEvent(Object.assign({}, e.properties, { message: e.event }), 'info');
    },
    identify(e) {
      person(e.userId, fullName(e.traits!), e.traits!.email);
    },
    reset() {
      // Options are merged: what is not overwritten stays.
      person(null, null, null);
    },
  };
};

export default integration;
