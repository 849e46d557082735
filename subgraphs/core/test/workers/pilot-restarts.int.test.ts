import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestDatabase } from '@rhizome/testkit';
import type { Grant } from '../../src/scheduler/scheduler.types.js';
import { fleetDatabase } from '../support/fleet.fixture.js';
import { submitJobs } from '../support/fleet-jobs.fixture.js';
import { admin, pilotOf, TestWorker } from '../support/test-worker.fixture.js';
import { adoptedBy, type ManualFleet, short, startManualFleet } from '../support/manual-fleet.fixture.js';

let db: TestDatabase;
let fleet: ManualFleet;

beforeEach(async () => {
  db = await fleetDatabase();
  fleet = await startManualFleet(db);
});

afterEach(() => fleet.stop());

describe('a pilot that started again', () => {
  const register = (jobs: readonly Grant[], host = 'host-1', principal = pilotOf('main')) =>
    fleet.services.workers.register(principal, {
      queue: 'main',
      name: 'phoenix',
      host,
      version: '1.0',
      hardware: { architecture: 'x86_64', cores: 8, memoryMiB: 1_000_000, diskMiB: 1_000_000 },
      devices: [],
      jobs: jobs.map(({ jobId, fence }) => ({ id: jobId, fence })),
      idempotencyKey: 'started again',
    });

  /** A worker with two running jobs. */
  async function withTwo(): Promise<{ older: TestWorker; ids: string[]; grants: readonly Grant[] }> {
    const older = await TestWorker.register(fleet, { name: 'phoenix' });
    const ids = await submitJobs(db, 2, { requirements: { continuity: short } });
    const grants = await older.acquireInAll(2);
    await older.start(grants);
    return { older, ids, grants };
  }

  it('keeps the payloads that still run; the others go to other workers at once', async () => {
    const { older, grants } = await withTwo();
    const [kept, gone] = grants;
    if (!kept || !gone) throw new Error('no grants');
    const { worker, commands } = await register([kept]);
    const held = adoptedBy([kept], commands);
    expect(await fleet.stored(kept.jobId)).toMatchObject({
      state: 'RUNNING',
      attempt: 1,
      workerId: worker?._id,
      attempts: [{ number: 1, workerId: worker?._id, fence: held[0]?.fence, earlierFence: kept.fence }],
    });
    await fleet.leaseWatch.scan();
    expect(await fleet.workerState(older)).toBe('LOST');
    expect(await fleet.stored(gone.jobId)).toMatchObject({ state: 'ACTIVATED', attempt: 1 });
    const jobs = held.map(({ jobId, fence }) => ({ id: jobId, fence }));
    expect(
      (await fleet.services.reports.finish(pilotOf('main'), worker?._id ?? '', jobs)).userErrors,
    ).toEqual([]);
  });

  it('keeps them after the lease of the earlier worker has ended and its jobs were given away', async () => {
    const { grants } = await withTwo();
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    const { worker, commands } = await register(grants);
    expect(adoptedBy(grants, commands)).toHaveLength(2);
    for (const { jobId } of grants)
      expect(await fleet.stored(jobId)).toMatchObject({ state: 'RUNNING', workerId: worker?._id });
  });

  it.each([
    ['on another host', 'host-2', pilotOf('main')],
    ['as another principal', 'host-1', admin],
  ])('gets nothing %s', async (_what, host, principal) => {
    const { grants } = await withTwo();
    await fleet.passAndScan(31);
    const { commands } = await register(grants, host, principal);
    expect(commands.map(({ kind }) => kind)).toEqual(['DROP', 'DROP']);
    for (const { jobId } of grants) expect((await fleet.stored(jobId)).state).toBe('RUNNING');
  });
});
