import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { type TestDatabase, waitFor } from '@rhizome/testkit';
import { FailurePolicies } from '../../src/policies/failure-policies.js';
import { WastedAttemptsRepository } from '../../src/workers/hosts/wasted-attempts.repository.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { pilotOf, TestWorker } from '../support/test-worker.fixture.js';

let db: TestDatabase;
let fleet: TestFleet;

beforeAll(async () => {
  db = await fleetDatabase();
  fleet = await startFleet(db);
  await waitFor('the broker leads', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });
});

describe('an attempt that costs none', () => {
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

  it('starts another attempt if one is given back while the end of the job is decided', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1, { retry: { maxAttempts: 2 } });
    const next = async () => {
      const grants = await worker.acquire(1, { waitSeconds: 60 });
      await worker.start(grants);
      return grants;
    };
    await worker.fail(await next());
    const second = await next();
    const wasted = new WastedAttemptsRepository(collection(db, jobsCollection));
    const { decide } = FailurePolicies.prototype;
    const deciding = jest.spyOn(FailurePolicies.prototype, 'decide');
    deciding.mockImplementationOnce(async function (this: FailurePolicies, reported) {
      const decisions = await decide.call(this, reported);
      expect(decisions).toMatchObject([{ after: { to: 'FAILED' } }]);
      await wasted.giveBack([{ jobId: id, attempt: 1 }]);
      return decisions;
    });
    await worker.fail(second);
    expect((await storedJobs(db, [id]))[0]).toMatchObject({ state: 'ACTIVATED', uncountedEnds: 1 });
    await worker.fail(await next());
    expect((await storedJobs(db, [id]))[0]).toMatchObject({ state: 'FAILED', attempt: 3, uncountedEnds: 1 });
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
});
