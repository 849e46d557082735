import { beforeAll, describe, expect, it } from '@jest/globals';
import { jobErrorsOfCore } from '@rhizome/errors';
import { collection } from '@rhizome/mongo';
import { type TestDatabase, waitFor } from '@rhizome/testkit';
import { aQueue } from '../support/scheduler.fixture.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { admin, pilotOf, TestWorker } from '../support/test-worker.fixture.js';

let db: TestDatabase;
let fleet: TestFleet;

beforeAll(async () => {
  db = await fleetDatabase();
  fleet = await startFleet(db, { queues: [aQueue({}), aQueue({ id: 'queue_2', name: 'other' })] });
  await waitFor('the broker leads', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });
});

/** Runs jobs on a worker until these have run. */
async function runAll(worker: TestWorker, ids: readonly string[]): Promise<void> {
  const left = new Set(ids);
  while (left.size > 0) {
    const grants = await worker.acquire(left.size, { waitSeconds: 60 });
    await worker.start(grants);
    await worker.finish(grants);
    for (const { jobId } of grants) left.delete(jobId);
  }
}

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

  it.each([
    ['WORKER', 'PILOT_FAULT'],
    ['SYSTEM', 'REPORT_REFUSED'],
    ['WORKER', 'CONTACT_LOST'],
  ] as const)(
    'starts another attempt after one that a pilot lost, at no cost: %s %s',
    async (family, code) => {
      const worker = await TestWorker.register(fleet);
      const [id = ''] = await submitJobs(db, 1, { retry: { maxAttempts: 1 } });
      const [grant] = await worker.acquire(1, { waitSeconds: 60 });
      const fail = (fence = 0, of: 'PAYLOAD' | 'SYSTEM' | 'WORKER' = family) =>
        fleet.services.reports.fail(pilotOf('main'), worker.id, [
          { id, fence, error: { family: of, code, message: 'a fault' } },
        ]);
      expect(await fail(grant?.fence)).toMatchObject({ retriedIds: [id], userErrors: [] });
      const [second] = await worker.acquire(1, { waitSeconds: 60 });
      expect(second).toMatchObject({ jobId: id, attempt: 2 });
      // Under another family the code is no fault of the pilot.
      expect(await fail(second?.fence, 'PAYLOAD')).toMatchObject({ acceptedIds: [id], retriedIds: [] });
      expect((await storedJobs(db, [id]))[0]).toMatchObject({ state: 'FAILED', attempt: 2 });
    },
  );

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

  it('charges no attempt to a payload that saved its state after a notice, however often', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1, { retry: { maxAttempts: 1 } });
    // More than the attempts that a job lists.
    for (let attempt = 1; attempt <= 22; attempt += 1) {
      const grants = await worker.acquire(1, { waitSeconds: 60 });
      expect(grants).toMatchObject([{ jobId: id, attempt }]);
      await worker.start(grants);
      await worker.fail(grants, true, { family: 'PAYLOAD', code: 'CHECKPOINTED' });
    }
    const [job] = await storedJobs(db, [id]);
    expect(job).toMatchObject({ state: 'ACTIVATED', attempt: 22, plannedEnds: 22 });
    expect(job?.attempts.length).toBe(20);
    const last = await worker.acquire(1, { waitSeconds: 60 });
    await worker.start(last);
    await worker.fail(last);
    expect((await storedJobs(db, [id]))[0]).toMatchObject({ state: 'FAILED', attempt: 23 });
  });

  it('charges no attempt that stored a checkpoint after a notice, whatever ended its payload', async () => {
    const worker = await TestWorker.register(fleet);
    const payload = { notice: { seconds: 60, signal: 'NONE' as const } };
    const [id = ''] = await submitJobs(db, 1, { retry: { maxAttempts: 1 }, payload });
    const next = async () => {
      const grants = await worker.acquire(1, { waitSeconds: 60 });
      await worker.start(grants);
      return grants;
    };
    const killed = await next();
    expect((await worker.checkpoint(killed, true)).acceptedIds).toEqual([id]);
    await worker.fail(killed, false, { family: 'LIMIT', code: 'WALLTIME_EXCEEDED', message: 'too long' });
    const [job] = await storedJobs(db, [id]);
    const message =
      'The payload stored a checkpoint of step 7 after the notice of its end, and ended with WALLTIME_EXCEEDED: too long';
    expect(job).toMatchObject({ state: 'ACTIVATED', plannedEnds: 1, last: { reason: message } });
    expect(job?.error).toEqual({ family: 'PAYLOAD', code: 'CHECKPOINTED', message, retryable: true });
    // The checkpoint of the attempt before says nothing about this one, nor does one without a notice.
    const failed = await next();
    await worker.checkpoint(failed, true, { attempt: 1 });
    await worker.checkpoint(failed, false);
    await worker.fail(failed);
    expect((await storedJobs(db, [id]))[0]).toMatchObject({ state: 'FAILED', attempt: 2, plannedEnds: 1 });
  });

  it('limits the attempts that cost none, also those that the job no longer lists', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1, { retry: { maxAttempts: 1 } });
    const round = async (code: string, family: 'PAYLOAD' | 'WORKER'): Promise<void> => {
      const grants = await worker.acquire(1, { waitSeconds: 60 });
      await worker.start(grants);
      await worker.fail(grants, true, { family, code });
    };
    for (let count = 0; count < 10; count += 1) await round('PILOT_FAULT', 'WORKER');
    for (let count = 0; count < 20; count += 1) await round('CHECKPOINTED', 'PAYLOAD');
    expect((await storedJobs(db, [id]))[0]).toMatchObject({
      ...{ state: 'ACTIVATED', attempt: 30, uncountedEnds: 10, plannedEnds: 20 },
    });
    await round('PILOT_FAULT', 'WORKER');
    expect((await storedJobs(db, [id]))[0]).toMatchObject({
      state: 'FAILED',
      attempt: 31,
      uncountedEnds: 11,
    });
  });

  it('counts on from the listed attempts of a job of an earlier version', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1, { retry: { maxAttempts: 1 } });
    for (const attempt of [1, 2, 3]) {
      if (attempt === 3)
        await collection(db, jobsCollection).updateOne({ _id: id }, { $unset: { uncountedEnds: '' } });
      const grants = await worker.acquire(1, { waitSeconds: 60 });
      await worker.start(grants);
      await worker.fail(grants, true, { family: 'WORKER', code: 'PILOT_FAULT' });
    }
    expect((await storedJobs(db, [id]))[0]).toMatchObject({ attempt: 3, uncountedEnds: 3 });
    await worker.finish(await worker.acquire(1, { waitSeconds: 60 }));
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

describe('acquireJobs', () => {
  it('answers a waiting worker as soon as there is a job', async () => {
    const worker = await TestWorker.register(fleet);
    const asked = worker.acquire(1, { waitSeconds: 60 });
    const [id] = await submitJobs(db, 1);
    expect((await waitFor('the grant', asked, { deadlineMs: 60_000 })).map(({ jobId }) => jobId)).toEqual([
      id,
    ]);
    await worker.finish(await asked);
  });

  it('answers a worker that does not wait with no job', async () => {
    const worker = await TestWorker.register(fleet);
    expect(await worker.acquire(1)).toEqual([]);
    const gone = new AbortController();
    const asked = worker.acquire(1, { waitSeconds: 60, signal: gone.signal });
    gone.abort();
    expect(await waitFor('the answer', asked, { deadlineMs: 60_000 })).toEqual([]);
  });

  it('divides new jobs among waiting workers, and grants no job twice', async () => {
    const workers = await Promise.all(Array.from({ length: 4 }, () => TestWorker.register(fleet)));
    const asked = workers.map((worker) => worker.acquire(8, { waitSeconds: 60 }));
    const ids = await submitJobs(db, 16);
    const given = await waitFor('the grants', Promise.all(asked), { deadlineMs: 60_000 });
    for (const grants of given) expect(grants.length).toBeGreaterThan(0);
    const first = given.flat().map(({ jobId }) => jobId);
    await Promise.all(workers.map((worker, i) => worker.finish(given[i] ?? [])));
    const [worker] = workers;
    if (worker)
      await runAll(
        worker,
        ids.filter((id) => !first.includes(id)),
      );
    expect(new Set(first).size).toBe(first.length);
    expect(
      (await storedJobs(db, ids)).every(({ state, attempt }) => state === 'FINISHED' && attempt === 1),
    ).toBe(true);
  });

  it('grants the jobs beyond the window one after another, each once', async () => {
    const worker = await TestWorker.register(fleet, { cores: 1000 });
    const ids = await submitJobs(db, 3000);
    const seen: string[] = [];
    for (let rounds = 0; seen.length < ids.length && rounds < 100; rounds += 1) {
      const grants = await worker.acquire(500, { waitSeconds: 60 });
      seen.push(...grants.map(({ jobId }) => jobId));
      await worker.start(grants);
      await worker.finish(grants);
    }
    expect(seen).toEqual(ids);
    const counts = await collection(db, jobsCollection).countDocuments({
      _id: { $in: ids },
      state: 'FINISHED',
      attempt: 1,
    });
    expect(counts).toBe(3000);
  });

  it('grants a job that needs a GPU with its device, and the device to no other job', async () => {
    const worker = await TestWorker.register(fleet, { devices: ['GPU-a', 'GPU-b'] });
    const gpu = { count: 1, models: [], sassTargets: [], ptxTargets: [], nvlink: false, optional: false };
    await submitJobs(db, 3, { requirements: { gpu } });
    const offered = { freeDeviceIds: ['GPU-a', 'GPU-b'] };
    const grants = await worker.acquireInAll(2, offered);
    expect(grants.flatMap(({ deviceIds }) => deviceIds).sort()).toEqual(['GPU-a', 'GPU-b']);
    expect(await worker.acquire(8, offered)).toEqual([]);
    expect(await fleet.services.workers.deviceHolder(worker.id, 'GPU-a')).toBe(
      grants.find(({ deviceIds }) => deviceIds[0] === 'GPU-a')?.jobId,
    );
    await worker.finish(grants);
    await worker.finish(await worker.acquireInAll(1, offered));
  });

  it('grants only jobs of experiments that the principal was granted', async () => {
    const worker = await TestWorker.register(fleet);
    const [alpha = ''] = await submitJobs(db, 1, { share: 'alpha/default' });
    const [beta = ''] = await submitJobs(db, 1, { share: 'beta/default' });
    const free = { cores: 8, memoryMiB: 10_000, diskMiB: 10_000 };
    const principal = { ...pilotOf('main'), grants: [{ experiment: 'beta', roles: ['PILOT' as const] }] };
    const ask = (waitSeconds: number) =>
      fleet.services.acquire.acquire(
        { workerId: worker.id, count: 8, free, waitSeconds },
        { principal, requestId: 'test', isForwarded: false },
      );
    expect((await ask(60)).assignments.map(({ jobId }) => jobId)).toEqual([beta]);
    expect((await ask(0)).assignments).toEqual([]);
    await runAll(worker, [alpha]);
    expect((await storedJobs(db, [alpha]))[0]?.state).toBe('FINISHED');
  });

  it('refuses inputs out of range with their paths', async () => {
    const worker = await TestWorker.register(fleet);
    const { userErrors } = await fleet.services.acquire.acquire(
      { workerId: worker.id, count: 0, free: { cores: -1, memoryMiB: 1, diskMiB: 1 }, waitSeconds: 61 },
      { principal: admin, requestId: 'test', isForwarded: false },
    );
    expect(userErrors.map(({ path }) => path.join('.'))).toEqual(['count', 'free.cores', 'waitSeconds']);
    const unknown = await fleet.services.acquire.acquire(
      { workerId: 'worker_nowhere', count: 1, free: { cores: 1, memoryMiB: 1, diskMiB: 1 } },
      { principal: admin, requestId: 'test', isForwarded: false },
    );
    expect(unknown.userErrors).toEqual([
      expect.objectContaining({ code: 'WORKER_NOT_FOUND', path: ['workerId'] }),
    ]);
  });
});
