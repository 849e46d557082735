import { beforeAll, describe, expect, it } from '@jest/globals';
import { jobErrorsOfCore } from '@rhizome/errors';
import { type TestDatabase, waitFor } from '@rhizome/testkit';
import { aQueue } from '../support/scheduler.fixture.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { pilotOf, TestWorker } from '../support/test-worker.fixture.js';

let db: TestDatabase;
let fleet: TestFleet;

beforeAll(async () => {
  db = await fleetDatabase();
  fleet = await startFleet(db, { queues: [aQueue({}), aQueue({ id: 'queue_2', name: 'other' })] });
  await waitFor('the broker leads', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });
});

describe('a job cycle', () => {
  it('grants, starts and finishes a job, with attempt, fence and times', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1);
    const grants = await worker.acquire(5, { waitSeconds: 60 });
    expect(grants).toEqual([expect.objectContaining({ jobId: id, attempt: 1 })]);
    const [grant] = grants;
    expect((await storedJobs(db, [id]))[0]).toMatchObject({
      state: 'SENT',
      fence: grant?.fence,
      workerId: worker.id,
      attempt: 1,
    });
    expect((await worker.start(grants, 'STARTING')).acceptedIds).toEqual([id]);
    expect((await worker.start(grants)).acceptedIds).toEqual([id]);
    expect((await worker.finish(grants)).acceptedIds).toEqual([id]);
    const [job] = await storedJobs(db, [id]);
    expect(job).toMatchObject({
      state: 'FINISHED',
      exitCode: 0,
      attempts: [{ number: 1, outcome: 'FINISHED', workerId: worker.id }],
    });
    expect(job?.transitions.map(({ to }) => to)).toEqual(['SENT', 'STARTING', 'RUNNING', 'FINISHED']);
    expect(fleet.services.cache.ledger.workerUse(worker.id).jobs).toBe(0);
  });

  it('stores how the memory limit of each payload is enforced', async () => {
    const worker = await TestWorker.register(fleet);
    await submitJobs(db, 3);
    const grants = await worker.acquireInAll(3);
    const methods = ['CONTROL_GROUP_V2', 'SAMPLES', undefined] as const;
    const reports = grants.map(({ jobId: id, fence }, at) => ({ id, fence, memoryLimit: methods[at] }));
    for (const phase of ['STARTING', 'RUNNING'] as const) {
      const all = reports.map((report) => ({ ...report, phase }));
      const { userErrors } = await fleet.services.reports.start(pilotOf('main'), worker.id, all);
      expect(userErrors).toEqual([]);
    }
    const stored = await storedJobs(
      db,
      grants.map(({ jobId }) => jobId),
    );
    const found = new Map(stored.map(({ _id, attempts }) => [_id, attempts[0]]));
    expect(grants.map(({ jobId }) => found.get(jobId)?.memoryLimit)).toEqual(methods);
    expect(found.get(grants[2]?.jobId ?? '')).not.toHaveProperty('memoryLimit');
    await worker.finish(grants);
  });

  it('accepts repeated reports again, and changes nothing', async () => {
    const worker = await TestWorker.register(fleet);
    const ids = await submitJobs(db, 3);
    const grants = await worker.acquireInAll(3);
    await worker.start(grants);
    expect((await worker.start(grants)).acceptedIds.length).toBe(3);
    await worker.finish(grants);
    const before = await storedJobs(db, ids);
    expect(await worker.finish(grants)).toEqual({
      acceptedIds: grants.map(({ jobId }) => jobId),
      userErrors: [],
    });
    expect(await storedJobs(db, ids)).toEqual(before);
  });

  it('refuses to finish a payload that was never reported running', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1);
    const grants = await worker.acquire(1, { waitSeconds: 60 });
    const refused = {
      acceptedIds: [],
      userErrors: [
        {
          code: 'JOB_STATE_CONFLICT',
          path: ['jobs', '0', 'id'],
          message: expect.stringMatching(/RUNNING, HOLDING or TRANSFERRING/),
        },
      ],
    };
    expect(await worker.reportFinished(grants)).toEqual(refused);
    await worker.start(grants, 'STARTING');
    expect(await worker.reportFinished(grants)).toEqual(refused);
    expect((await storedJobs(db, [id]))[0]?.state).toBe('STARTING');
    await worker.start(grants);
    expect(await worker.reportFinished(grants)).toEqual({ acceptedIds: [id], userErrors: [] });
    expect((await storedJobs(db, [id]))[0]?.transitions.map(({ to }) => to)).toEqual([
      'SENT',
      'STARTING',
      'RUNNING',
      'FINISHED',
    ]);
  });

  it('requires all declared outputs, and only those', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1, { payload: { outputs: ['a.root', 'b.json'] } });
    const [grant] = await worker.acquire(1, { waitSeconds: 60 });
    if (!grant) throw new Error('no grant');
    await worker.start([grant]);
    const output = (name: string) => ({
      name,
      location: `/store/${name}`,
      sizeBytes: 3,
      sha256: 'a'.repeat(64),
    });
    const finish = (outputs: readonly string[], phase?: 'HOLDING' | 'TRANSFERRING') =>
      fleet.services.reports.finish(pilotOf('main'), worker.id, [
        { id, fence: grant.fence, outputs: outputs.map(output), ...(phase ? { phase } : {}) },
      ]);
    expect((await finish(['a.root'])).userErrors).toEqual([
      expect.objectContaining({ code: 'OUTPUT_MISSING', path: ['jobs', '0', 'outputs'] }),
    ]);
    expect((await finish(['a.root', 'b.json', 'c.txt'])).userErrors).toEqual([
      expect.objectContaining({ code: 'INVALID_VALUE' }),
    ]);
    expect((await finish([], 'HOLDING')).acceptedIds).toEqual([id]);
    expect((await storedJobs(db, [id]))[0]?.state).toBe('HOLDING');
    expect((await finish([], 'TRANSFERRING')).acceptedIds).toEqual([id]);
    expect((await finish(['b.json', 'a.root'])).acceptedIds).toEqual([id]);
    expect((await storedJobs(db, [id]))[0]).toMatchObject({
      state: 'FINISHED',
      outputs: [output('b.json'), output('a.root')],
    });
  });

  it('starts another attempt after a failed one, until none is left', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1, { retry: { maxAttempts: 2 } });
    const first = await worker.acquire(1, { waitSeconds: 60 });
    await worker.start(first);
    expect(await worker.fail(first)).toMatchObject({ acceptedIds: [id], retriedIds: [id], userErrors: [] });
    const second = await worker.acquire(1, { waitSeconds: 60 });
    expect(second).toEqual([expect.objectContaining({ jobId: id, attempt: 2 })]);
    // The first attempt's words are void by now.
    expect((await worker.finish(first)).userErrors).toEqual([
      expect.objectContaining({ code: 'FENCE_STALE' }),
    ]);
    await worker.start(second);
    expect(await worker.fail(second)).toMatchObject({ acceptedIds: [id], retriedIds: [] });
    const [job] = await storedJobs(db, [id]);
    expect(job).toMatchObject({ state: 'FAILED', exitCode: 3, error: { code: 'EXIT_CODE' } });
    expect(job?.attempts.map(({ outcome, exitCode }) => [outcome, exitCode])).toEqual([
      ['FAILED', 3],
      ['FAILED', 3],
    ]);
  });

  it('ends the job at once after a failure that is not retryable', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1);
    const grants = await worker.acquire(1, { waitSeconds: 60 });
    await worker.start(grants);
    await worker.fail(grants, false);
    expect((await storedJobs(db, [id]))[0]).toMatchObject({ state: 'FAILED', attempt: 1 });
  });

  it.each(jobErrorsOfCore)('refuses the code %s, with which only core ends attempts', async (code) => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1);
    const [grant] = await worker.acquire(1, { waitSeconds: 60 });
    const error = { family: 'WORKER', code, message: 'not received' } as const;
    const report = { id, fence: grant?.fence ?? 0, error };
    expect(await fleet.services.reports.fail(pilotOf('main'), worker.id, [report])).toMatchObject({
      acceptedIds: [],
      userErrors: [{ code: 'INVALID_VALUE', path: ['jobs', '0', 'error', 'code'] }],
    });
    expect((await storedJobs(db, [id]))[0]).toMatchObject({ state: 'SENT', attempt: 1 });
    await worker.finish(grant ? [grant] : []);
  });

  it('refuses reports of other workers, of wrong fences and of unknown jobs one by one', async () => {
    const [worker, stranger] = [await TestWorker.register(fleet), await TestWorker.register(fleet)];
    await submitJobs(db, 2);
    const [a, b] = await worker.acquireInAll(2);
    if (!a || !b) throw new Error('no grants');
    const result = await fleet.services.reports.start(pilotOf('main'), worker.id, [
      { id: a.jobId, fence: a.fence, phase: 'RUNNING' },
      { id: b.jobId, fence: b.fence + 1, phase: 'RUNNING' },
      { id: 'job_nowhere', fence: 8, phase: 'RUNNING' },
      { id: a.jobId, fence: a.fence, phase: 'RUNNING' },
    ]);
    expect(result.acceptedIds).toEqual([a.jobId]);
    expect(result.userErrors.map(({ code, path }) => [code, path[1]]).sort()).toEqual([
      ['FENCE_STALE', '1'],
      ['INVALID_VALUE', '3'],
      ['JOB_NOT_FOUND', '2'],
    ]);
    expect((await stranger.start([b])).userErrors).toEqual([
      expect.objectContaining({ code: 'FENCE_STALE' }),
    ]);
    expect(await fleet.services.reports.start(pilotOf('other'), worker.id, [])).toMatchObject({
      acceptedIds: [],
      userErrors: [{ code: 'WORKER_NOT_FOUND' }],
    });
    await worker.finish([a, b]);
  });

  it('kills a cancelled job at the worker, and ignores later reports about it', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1);
    const grants = await worker.acquire(1, { waitSeconds: 60 });
    await worker.start(grants);
    const commands = await fleet.services.workers.commands(pilotOf('main'), worker.id);
    expect((await commands.next()).value).toEqual({ sequence: 0, commands: [] });
    const pushed = waitFor('the kill', commands, {
      deadlineMs: 60_000,
      until: ({ commands: list }) => list.some(({ kind }) => kind === 'KILL'),
    });
    await fleet.writer.apply([
      {
        jobId: id,
        from: 'RUNNING',
        to: 'CANCELLED',
        by: 'principal',
        actor: 'ada@example',
        reason: 'not needed',
      },
    ]);
    expect((await pushed).commands).toContainEqual({
      kind: 'KILL',
      jobId: id,
      fence: grants[0]?.fence,
      reason: 'not needed',
    });
    await commands.return?.();
    expect((await worker.heartbeat(grants)).commands).toEqual([
      { kind: 'KILL', jobId: id, fence: grants[0]?.fence, reason: 'not needed' },
    ]);
    expect((await worker.finish(grants)).userErrors).toEqual([
      expect.objectContaining({ code: 'FENCE_STALE' }),
    ]);
    expect(fleet.services.cache.ledger.get(id)).toBeUndefined();
  });
});
