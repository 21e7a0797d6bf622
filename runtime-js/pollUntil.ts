import { attempt } from './attempt';

/** Resolves when test() is true; what it throws counts as false. Rejects after ten seconds. */
export function pollUntil(test: () => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = 200;
    const poll = () => {
      if (attempt(test)) resolve();
      else if (left--) setTimeout(poll, 50);
      else reject(Error('until took longer than 10 s'));
    };
    poll();
  });
}
