import { describe, expect, it } from '@jest/globals';
import { anEntry } from '../../../test/support/scheduler.fixture.js';
import { Ledger } from '../../scheduler/cache/ledger.js';
import { UnlistedJobs } from './unlisted-jobs.js';

/** Workers with one running job each, whose heartbeats list all jobs but those that are named. */
function fleet(workers: number, missing: readonly string[]) {
  const ledger = new Ledger();
  for (let at = 0; at < workers; at += 1)
    ledger.add(anEntry({ jobId: `job_${at}`, workerId: `worker_${at}`, state: 'RUNNING', since: 0 }));
  let nowMs = 1_000_000;
  let revision = 1;
  const reads: number[] = [];
  const unlisted = new UnlistedJobs({
    ledger,
    clock: { now: () => new Date(nowMs), monotonicMs: () => nowMs },
    leases: {
      findHeldJobs: async (workerIds) => {
        reads.push(workerIds.length);
        return workerIds.map((_id) => {
          const jobs = [...ledger.jobsOf(_id)].filter((id) => !missing.includes(id));
          return { _id, revision, jobs: jobs.map((id) => ({ id, fence: 1 })) };
        });
      },
    },
  });
  return {
    unlisted,
    reads,
    /** Scans each second for a time, with a heartbeat of all workers in each. */
    async scan(seconds: number): Promise<readonly string[]> {
      const found: string[] = [];
      for (let second = 0; second < seconds; second += 1, nowMs += 1000, revision += 1)
        for (const jobs of (await unlisted.begun()).values()) found.push(...jobs.map(({ jobId }) => jobId));
      return found;
    },
  };
}

describe('UnlistedJobs', () => {
  it('reads the leases of a small fleet at once, twice a minute', async () => {
    const { scan, reads } = fleet(300, []);
    expect(await scan(60)).toEqual([]);
    expect(reads).toEqual([300, 300]);
  });

  it('reads those of a large fleet in parts, one in each scan', async () => {
    const { scan, reads } = fleet(1800, []);
    expect(await scan(30)).toEqual([]);
    expect(reads).toEqual([500, 500, 500, 300]);
  });

  it.each([3, 1800])('finds jobs that three further heartbeats lack, among %d workers', async (workers) => {
    const missing = ['job_0', `job_${workers - 1}`];
    const { scan } = fleet(workers, missing);
    expect(await scan(90)).toEqual([]);
    expect((await scan(30)).toSorted()).toEqual(missing);
  });

  it('begins a round after the one before, in a fleet that takes longer than half a minute', async () => {
    const { scan, reads } = fleet(20_000, ['job_7']);
    await scan(40);
    expect(reads).toEqual(Array.from({ length: 40 }, () => 500));
    expect(await scan(80)).toEqual([]);
    expect(await scan(40)).toEqual(['job_7']);
  });
});
