import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ManualClock, manualClock, type TestDatabase, waitFor } from '@rhizome/testkit';
import type { Grant } from '../../src/scheduler/scheduler.types.js';
import { usualLongestNoticeSeconds } from '../../src/shared/notice.js';
import { fleetDatabase } from '../support/fleet.fixture.js';
import { submitJobs, type TestJob } from '../support/fleet-jobs.fixture.js';
import { type ManualFleet, startManualFleet } from '../support/manual-fleet.fixture.js';
import { aQueue } from '../support/scheduler.fixture.js';
import { pilotOf, TestWorker } from '../support/test-worker.fixture.js';

let db: TestDatabase;
let fleet: ManualFleet;
let clock: ManualClock;

const allowing = { heartbeatSeconds: 300, leaseSeconds: 3600, maxPreemptionsPerMinute: 1 };
const patience = { deadlineMs: 60_000 };

async function startProcess(limits: object = allowing): Promise<ManualFleet> {
  const started = await startManualFleet(db, clock);
  started.queues[0] = aQueue({ limits, revision: 2 });
  await waitFor('the queue', () => started.services.cache.fleet.queue('queue_1')?.revision === 2, patience);
  return started;
}

beforeEach(async () => {
  db = await fleetDatabase();
  clock = manualClock();
  fleet = await startProcess();
});

afterEach(() => fleet.stop());

const cheap: TestJob = { requirements: { cores: 4, preemptible: true } };
const urgent: TestJob = { requirements: { cores: 4 }, priority: 100, share: 'beta/default' };

/** A worker that runs two preemptible jobs with all its cores, the second with a checkpoint just made. */
async function fullWorker(): Promise<{
  readonly worker: TestWorker;
  readonly grants: readonly [Grant, Grant];
}> {
  const worker = await TestWorker.register(fleet);
  await submitJobs(db, 2, cheap);
  const [first, second] = await worker.acquireInAll(2);
  if (!first || !second) throw new Error('no grants');
  await worker.start([first, second]);
  await fleet.pass(62);
  await worker.heartbeat([first, second]);
  await worker.checkpoint([second], false, { at: clock.now() });
  return { worker, grants: [first, second] };
}

async function preempted(id: string): Promise<void> {
  await waitFor(
    `job ${id} is preempted`,
    async () => (await fleet.stored(id)).attempts.at(-1)?.preemption !== undefined,
    patience,
  );
}

/** Steps of the leader that follow. */
async function steps(count: number): Promise<void> {
  const { cache } = fleet.services;
  const refresh = cache.refresh.bind(cache);
  let seen = 0;
  cache.refresh = async () => {
    seen += 1;
    await refresh();
  };
  await waitFor('steps of the leader', () => seen > count, patience);
  cache.refresh = refresh;
}

const free = { cores: 4, memoryMiB: 1_000_000, diskMiB: 1_000_000 };

describe('a job of a higher class that finds no free capacity', () => {
  it('gets that of the cheapest preemptible attempt, which ends as planned and costs none', async () => {
    const { worker, grants } = await fullWorker();
    const [kept, victim] = grants;
    const commands = await fleet.services.workers.commands(pilotOf('main'), worker.id);
    await commands.next();
    const [high = ''] = await submitJobs(db, 1, urgent);
    await preempted(victim.jobId);
    const reason = `preempted for job ${high} of priority 100`;
    const command = { kind: 'PREEMPT', jobId: victim.jobId, fence: victim.fence, reason };
    const { value } = (await commands.next()) as { value: { commands: readonly unknown[] } };
    expect(value.commands).toContainEqual(command);
    await commands.return?.();
    expect((await worker.heartbeat(grants)).commands).toContainEqual(command);
    const running = await fleet.stored(victim.jobId);
    expect(running).toMatchObject({ state: 'RUNNING', last: { reason, preemption: { jobId: high } } });
    expect(running.attempts[0]).toMatchObject({ preemption: { jobId: high, priority: 100 } });
    expect((await fleet.stored(kept.jobId)).attempts[0]).not.toHaveProperty('preemption');
    // Both jobs say it.
    await waitFor(
      'the reason of the waiting job',
      async () => (await fleet.stored(high)).last.reason !== undefined,
      patience,
    );
    const waiting = await fleet.stored(high);
    expect(waiting.last.reason).toBe(`1 job on host host-1 will end for it: ${victim.jobId}`);
    expect((await fleet.services.scheduler.pending(waiting))?.summary).toContain(
      `${victim.jobId} ends for it: preempted`,
    );
    // Its capacity is for the job, not for one of a share that comes first, nor for itself.
    const [other = ''] = await submitJobs(db, 1, { share: 'gamma/default', priority: 99 });
    await worker.fail([victim], true, { message: 'signal SIGTERM' });
    const ended = await fleet.stored(victim.jobId);
    expect(ended).toMatchObject({ state: 'ACTIVATED', attempt: 1, plannedEnds: 1 });
    expect(ended.error).toMatchObject({ family: 'WORKER', code: 'PREEMPTED', retryable: true });
    expect(ended.error?.message).toContain(high);
    const next = await worker.acquire(2, { free, waitSeconds: 60 });
    expect(next.map(({ jobId }) => jobId)).toEqual([high]);
    await worker.finish(next);
    const after = await worker.acquireInAll(1);
    expect([other, victim.jobId]).toContain(after[0]?.jobId);
  });

  it('waits while as many attempts have ended in this minute as the queue allows', async () => {
    const { grants } = await fullWorker();
    const [kept, victim] = grants;
    await submitJobs(db, 2, urgent);
    await preempted(victim.jobId);
    await steps(3);
    expect((await fleet.stored(kept.jobId)).attempts[0]).not.toHaveProperty('preemption');
  });

  it('gets that of another attempt if the first one does not end in time', async () => {
    const { grants } = await fullWorker();
    const [kept, victim] = grants;
    const [high = ''] = await submitJobs(db, 1, urgent);
    await preempted(victim.jobId);
    await fleet.pass(usualLongestNoticeSeconds + 60);
    await steps(3);
    expect((await fleet.stored(kept.jobId)).attempts[0]).not.toHaveProperty('preemption');
    await fleet.pass(62);
    await preempted(kept.jobId);
    expect((await fleet.stored(kept.jobId)).attempts[0]).toMatchObject({ preemption: { jobId: high } });
  });

  it('ends no attempt twice after a change of the leader', async () => {
    const { worker, grants } = await fullWorker();
    const [kept, victim] = grants;
    const [high = ''] = await submitJobs(db, 1, urgent);
    await preempted(victim.jobId);
    await fleet.stop();
    fleet = await startProcess({ ...allowing, maxPreemptionsPerMinute: 100 });
    await fleet.pass(12);
    await steps(3);
    expect((await fleet.stored(kept.jobId)).attempts[0]).not.toHaveProperty('preemption');
    expect((await fleet.stored(victim.jobId)).transitions.filter(({ from, to }) => from === to)).toHaveLength(
      1,
    );
    // The worker is still held for the job.
    await submitJobs(db, 1, { share: 'gamma/default' });
    const moved = worker.at(fleet);
    await moved.fail([victim]);
    const next = await moved.acquire(2, { free, waitSeconds: 60 });
    expect(next.map(({ jobId }) => jobId)).toEqual([high]);
  });

  it('keeps what was freed for the job after a change of the leader', async () => {
    const { worker, grants } = await fullWorker();
    const [high = ''] = await submitJobs(db, 1, urgent);
    await preempted(grants[1].jobId);
    await worker.fail([grants[1]]);
    const holds = db.collection('preemptionHolds');
    await waitFor('the hold is stored', async () => (await holds.countDocuments()) === 1, patience);
    await fleet.stop();
    fleet = await startProcess();
    await submitJobs(db, 1, { share: 'gamma/default', priority: 99 });
    const next = await worker.at(fleet).acquire(2, { free, waitSeconds: 60 });
    expect(next.map(({ jobId }) => jobId)).toEqual([high]);
    await waitFor('the hold is removed', async () => (await holds.countDocuments()) === 0, patience);
  });

  it.each([
    ['it is of the same class', {}, { ...urgent, priority: 99 }],
    ['the queue does not allow it', { maxPreemptionsPerMinute: undefined }, urgent],
    ['the queue is at its limit of running jobs', { maxRunningJobs: 2 }, urgent],
  ])('ends none if %s', async (_, limits, job) => {
    fleet.queues[0] = aQueue({ limits: { ...allowing, ...limits } as typeof allowing, revision: 3 });
    const { grants } = await fullWorker();
    await submitJobs(db, 1, job);
    await steps(3);
    for (const { jobId } of grants)
      expect((await fleet.stored(jobId)).attempts[0]).not.toHaveProperty('preemption');
  });
});
