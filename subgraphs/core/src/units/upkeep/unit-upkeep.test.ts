import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { waitFor } from '@rhizome/testkit';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import { UnitUpkeep, type UnitUpkeepOptions } from './unit-upkeep.js';

describe('UnitUpkeep', () => {
  it('ends the leases of jobs that ended while nobody led, and of those whose sweep failed', async () => {
    const term = new AbortController();
    let send: (events: readonly JobEvent[]) => void = () => undefined;
    const swept: string[][] = [];
    const blocks: UnitUpkeepOptions['blocks'] = {
      async *holders() {
        yield await Promise.resolve(['job_held', 'job_ended']);
      },
      ofJobs: (jobIds) => {
        swept.push([...jobIds].sort());
        return swept.length === 2 ? Promise.reject(new Error('not now')) : Promise.resolve([]);
      },
      overdue: () => Promise.resolve([]),
      uncounted: () => Promise.resolve([]),
      addToPool: () => Promise.resolve(true),
      expired: () => Promise.resolve([]),
      remove: () => Promise.resolve(true),
    };
    const upkeep = new UnitUpkeep({
      ...{ blocks, clock: systemClock, config: { sweepMs: 10, graceMs: 0, settleMs: 50 } },
      pools: { findMany: () => Promise.resolve([]) },
      works: {
        of() {
          throw new Error('no block was found');
        },
      },
      endedJobs: (jobIds) => Promise.resolve(jobIds.filter((id) => id === 'job_ended')),
      events: {
        onEvents(listener) {
          send = listener;
          return () => undefined;
        },
      },
      leader: {
        onGained(work) {
          work(term.signal);
          return () => undefined;
        },
      },
      log: silentLogger(),
    });
    upkeep.start();
    await waitFor('the jobs of the start', () => swept.length === 1, { deadlineMs: 60_000 });
    expect(swept).toEqual([['job_ended']]);
    const last = { from: 'RUNNING', to: 'FAILED', at: systemClock.now() };
    send([{ jobId: 'job_a', last } as unknown as JobEvent]);
    await waitFor('the sweep after the one that failed', () => swept.length === 3, { deadlineMs: 60_000 });
    expect(swept.slice(1)).toEqual([['job_a'], ['job_a']]);
    term.abort();
    await upkeep.stop();
  });
});
