import { expect, it } from '@jest/globals';
import { createIds, systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { waitFor } from '@rhizome/testkit';
import { directoriesOf } from './directories.js';

it('reads a change again until the read succeeds', async () => {
  const written: ((ids: readonly string[]) => void)[] = [];
  const reads: string[][] = [];
  const directory = {
    name: 'accessGrants',
    load: async () => undefined,
    refresh: async (ids: string[]) => {
      reads.push(ids);
      if (reads.length < 3) throw new Error('the store does not answer');
    },
  };
  const unchanged = {
    name: 'downtimes',
    load: async () => undefined,
    refresh: async () => undefined,
    onChanged: () => () => undefined,
  };
  const directories = directoriesOf({
    stores: { access: { directory }, downtimes: { directory: unchanged } } as never,
    clock: systemClock,
    ids: createIds(),
    log: silentLogger(),
    events: {
      counts: { live: () => 0 },
      onWritten: (_collection, listener) => {
        written.push(listener);
        return () => undefined;
      },
      onReset: () => () => undefined,
    },
    liveJobOf: async () => null,
    hasLiveJobs: async () => false,
  });
  await directories.start();
  for (const listener of written) listener(['access_1']);
  await waitFor('the read that succeeds', () => reads.length === 3, { deadlineMs: 60_000 });
  expect(reads).toEqual([['access_1'], ['access_1'], ['access_1']]);
  directories.stop();
});
