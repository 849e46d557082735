import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import {
  aSpec,
  freshKey,
  someone,
  testDomain,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';

let shared: TestDomain;
let process: TestProcess;
let fence = 1000;

beforeAll(async () => {
  shared = await testDomain('backoff');
  process = await shared.process();
});

/** Jobs whose first attempt failed and whose next attempt may start at the given time. */
async function backingOff(count: number, notBefore: Date): Promise<string[]> {
  const { jobs } = await process.domain.submits.submit(someone, {
    experiment: 'alpha',
    idempotencyKey: freshKey(),
    jobs: Array.from({ length: count }, () => aSpec()),
  });
  const ids = jobs.map((job) => job?._id ?? '');
  const grants = ids.map((jobId) => ({ jobId, fence: (fence += 8) }));
  await process.writer.apply(
    grants.map(({ jobId, fence: own }) => ({
      jobId,
      from: 'ACTIVATED',
      to: 'SENT',
      by: 'broker',
      actor: 'system:broker',
      change: {
        grant: {
          workerId: 'worker_1',
          queueId: 'queue_1',
          queue: 'main',
          fence: own,
          attemptId: `attempt_${own}`,
          deviceIds: [],
        },
      },
    })),
  );
  await process.writer.apply(
    grants.map(({ jobId, fence: own }) => ({
      jobId,
      from: 'SENT',
      to: 'PENDING',
      by: 'worker',
      actor: 'pilot:main',
      fence: own,
      change: { notBefore },
    })),
  );
  return ids;
}

const states = async (ids: readonly string[]) =>
  new Set((await process.stores.jobs.find(ids, { state: 1 })).map(({ state }) => state));
const areActivated = (ids: readonly string[]) =>
  waitFor('the backoffs to end', async () => [...(await states(ids))].join() === 'ACTIVATED', {
    deadlineMs: 60_000,
  });

describe('the backoff timer', () => {
  it('activates jobs when their backoff ends, not before, and wakes up for an earlier end', async () => {
    const later = await backingOff(3, new Date(Date.now() + 600_000));
    const soon = new Date(Date.now() + 400);
    const first = await backingOff(5, soon);
    await areActivated(first);
    const job = await shared.read(first[0] ?? '');
    expect(job.transitions.at(-1)).toMatchObject({
      from: 'PENDING',
      to: 'ACTIVATED',
      actor: 'system:backoff',
    });
    expect(job.transitions.at(-1)?.at.getTime()).toBeGreaterThanOrEqual(soon.getTime());
    expect(job.notBefore).toBeUndefined();
    expect(await states(later)).toEqual(new Set(['PENDING']));
  });

  it('ends backoffs that expired without a leader when there is one again', async () => {
    process.leader.lose();
    const ids = await backingOff(1100, new Date(Date.now() - 10));
    expect(await states(ids.slice(0, 5))).toEqual(new Set(['PENDING']));
    process.leader.gain();
    await areActivated(ids);
  });

  it('keeps a held job held when its backoff ends, and activates it on release', async () => {
    // Without a leader no backoff ends, so the hold comes first on a slow machine, too.
    process.leader.lose();
    const [id = ''] = await backingOff(1, new Date(Date.now() + 300));
    await process.domain.bulk.change(someone, 'HOLD', {
      selection: { ids: [id] },
      parameters: { reason: 'look first' },
    });
    process.leader.gain();
    const [mark = ''] = await backingOff(1, new Date(Date.now() + 400));
    await areActivated([mark]);
    expect((await shared.read(id)).state).toBe('PENDING');
    await process.domain.bulk.change(someone, 'RELEASE', { selection: { ids: [id] }, parameters: {} });
    expect((await shared.read(id)).state).toBe('ACTIVATED');
  });
});
