import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { collection } from '@rhizome/mongo';
import { commandsDuring, type TestDatabase } from '@rhizome/testkit';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { jobLogHeadsCollection, jobLogsCollection } from '../../src/jobs/logs/job-log.document.js';
import { JobLogs } from '../../src/jobs/logs/job-logs.js';
import { JobLogsRepository } from '../../src/jobs/logs/job-logs.repository.js';
import type { StoredAttempt } from '../../src/jobs/model/job.types.js';
import type { PolicyDocument } from '../../src/policies/policy.document.js';
import type { PolicyRule, PolicyScope, RuleAction } from '../../src/policies/policy.types.js';
import { SchedulerJobsRepository } from '../../src/scheduler/cache/scheduler-jobs.repository.js';
import { RequeueGrants } from '../../src/scheduler/dispatch/requeue-grants.js';
import type { Grant } from '../../src/scheduler/scheduler.types.js';
import { failurePolicies, fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs, type TestJob } from '../support/fleet-jobs.fixture.js';
import { pilotOf, TestWorker } from '../support/test-worker.fixture.js';
import { aRule, enabledPolicy } from '../support/policies.fixture.js';
import { aQueue } from '../support/scheduler.fixture.js';

let db: TestDatabase;
let fleet: TestFleet;
const policies = new Map<string, PolicyDocument>();
const ofAlpha: PolicyScope = { kind: 'EXPERIMENT', name: 'alpha' };
const outOfMemory = { family: 'LIMIT', code: 'MEMORY_EXCEEDED', message: 'too much memory' } as const;

beforeAll(async () => {
  db = await fleetDatabase();
  const queues = [aQueue({}), aQueue({ id: 'queue_2', name: 'far', site: 'away' })];
  fleet = await startFleet(db, { queues, policies });
});

beforeEach(() => policies.clear());

/** Jobs of a test must not go to the workers of the next. */
afterEach(async () => {
  const left = await collection(db, jobsCollection)
    .find({ state: { $in: ['ACTIVATED', 'PENDING', 'SENT', 'RUNNING'] } })
    .toArray();
  await fleet.writer.apply(
    left.map(({ _id, state }) => ({
      jobId: _id,
      from: state,
      to: 'CANCELLED',
      by: 'principal',
      actor: 'test',
    })),
  );
});

function enable(rules: readonly PolicyRule[], scope = ofAlpha, version = 1): void {
  policies.set(...enabledPolicy(scope, { rules }, version));
}

/** Each test has its own shares, so that its workers get its jobs alone. */
let serial = 0;

interface Running {
  readonly id: string;
  readonly worker: TestWorker;
  readonly grant: Grant;
}

/** A job that runs on a worker which takes no others: it requires the worker's own number of cores. */
async function run(job: TestJob = {}, host = 'host-1'): Promise<Running> {
  const cores = 2 + (serial += 1);
  const [id = ''] = await submitJobs(db, 1, { ...job, requirements: { cores, ...job.requirements } });
  const worker = await TestWorker.register(fleet, { cores, host });
  const [grant] = await worker.acquire(1, { waitSeconds: 60 });
  if (grant?.jobId !== id) throw new Error(`the worker got ${grant?.jobId ?? 'no job'}`);
  await worker.start([grant]);
  return { id, worker, grant };
}

async function stored(id: string) {
  const [job] = await storedJobs(db, [id]);
  if (!job) throw new Error(`Job "${id}" not found.`);
  return job;
}

const lastOf = ({ attempts }: { readonly attempts: readonly StoredAttempt[] }) => attempts.at(-1);

describe('a failed attempt', () => {
  it('is followed by one with more memory, in the class of the new requirements, by rule', async () => {
    enable([aRule({ match: { codes: ['MEMORY_EXCEEDED'] }, action: { retry: { memory: { factor: 3 } } } })]);
    const { id, worker, grant } = await run();
    const before = await stored(id);
    const { acceptedIds, retriedIds } = await worker.fail([grant], false, outOfMemory);
    expect([acceptedIds, retriedIds]).toEqual([[id], [id]]);
    const after = await stored(id);
    expect(after).toMatchObject({ state: 'ACTIVATED', requirements: { memoryMiB: 300 } });
    expect(after.classId).not.toBe(before.classId);
    expect(after.last.classId).toBe(after.classId);
    expect(lastOf(after)).toMatchObject({
      outcome: 'FAILED',
      host: 'host-1',
      site: 'home',
      error: { code: 'MEMORY_EXCEEDED' },
      decision: {
        outcome: 'RETRY',
        policyId: 'experiment/alpha',
        version: 1,
        rule: 'a rule',
        evidence: [{ criterion: 'codes', value: 'MEMORY_EXCEEDED' }],
        changes: [{ field: 'memoryMiB', before: 100, after: 300 }],
      },
    });
    // The worker gets the job again: its new class is known and matched.
    const [second] = await worker.acquire(1, { waitSeconds: 60 });
    expect(second).toMatchObject({ jobId: id, attempt: 2 });
    await worker.finish([second as Grant]);
    expect(await stored(id)).toMatchObject({ state: 'FINISHED' });
  });

  it.each<readonly [string, RuleAction, object]>([
    [
      'walltime and disk',
      { retry: { walltime: { add: 60 }, disk: { value: 7 } } },
      { state: 'ACTIVATED', requirements: { walltimeSeconds: 120, diskMiB: 7 } },
    ],
    [
      'a backoff',
      { retry: { backoffSeconds: 3600 } },
      {
        state: 'PENDING',
        notBefore: expect.any(Date) as unknown,
        lookup: expect.arrayContaining([expect.stringMatching(/^b:/)]) as unknown,
      },
    ],
    ['no other attempt', { fail: { reason: 'It cannot work' } }, { state: 'FAILED' }],
    [
      'a hold',
      { hold: { reason: 'Look at the input' } },
      { state: 'PENDING', hold: { by: 'system:policy', reason: 'Look at the input' } },
    ],
  ])('is followed by %s', async (_name, action, expected) => {
    enable([aRule({ action })]);
    const { id, worker, grant } = await run();
    await worker.fail([grant], true);
    expect(await stored(id)).toMatchObject(expected);
  });

  it('is decided by the rules of its task, then of its queue, then of its experiment', async () => {
    const task = `task_${(serial += 1)}`;
    const failing = (reason: string) => aRule({ name: reason, action: { fail: { reason } } });
    enable([failing('experiment')]);
    const ruleOf = async (job: TestJob): Promise<string | undefined> => {
      const { id, worker, grant } = await run(job);
      await worker.fail([grant]);
      return lastOf(await stored(id))?.decision?.rule;
    };
    const inTask = { task: { id: task, index: 0 } };
    expect(await ruleOf(inTask)).toBe('experiment');
    enable([failing('queue')], { kind: 'QUEUE', name: 'main' });
    expect(await ruleOf(inTask)).toBe('queue');
    enable([failing('task')], { kind: 'TASK', name: task });
    expect(await ruleOf(inTask)).toBe('task');
    expect(await ruleOf({})).toBe('queue');
  });

  it('is decided by rules if its worker is lost, and by none if it costs no attempt', async () => {
    enable([aRule({ match: { families: ['WORKER'] }, action: { hold: { reason: 'Lost' } } })]);
    const { id, grant } = await run();
    const requeueGrants = new RequeueGrants({
      jobs: new SchedulerJobsRepository(collection(db, jobsCollection)),
      writer: fleet.writer,
      policies: failurePolicies(db, systemClock, policies),
      log: silentLogger(),
    });
    const error = { family: 'WORKER', code: 'DEVICE_LOST', message: 'lost', retryable: true } as const;
    await requeueGrants.run([grant], error, 'system:lease');
    expect(await stored(id)).toMatchObject({ state: 'PENDING', hold: { reason: 'Lost' } });
    const second = await run();
    await requeueGrants.run([second.grant], { ...error, code: 'GRANT_LOST' }, 'system:lease');
    expect(await stored(second.id)).toMatchObject({ state: 'ACTIVATED' });
    expect(lastOf(await stored(second.id))?.decision).toBeUndefined();
  });
});

describe('the log of a failed attempt', () => {
  const withPattern = aRule({
    match: { codes: ['EXIT_CODE'], logPattern: 'No space left on device$' },
    action: { retry: { disk: { add: 1000 } } },
  });

  async function append(id: string, texts: readonly string[]): Promise<void> {
    const logs = new JobLogs({
      logs: new JobLogsRepository(collection(db, jobLogsCollection), collection(db, jobLogHeadsCollection)),
    });
    const at = systemClock.now();
    await logs.append(
      id,
      1,
      texts.map((text, sequence) => ({ sequence, stream: 'STDERR', text, at })),
    );
  }

  it('is matched by a pattern across its chunks, up to its end', async () => {
    enable([withPattern]);
    const { id, worker, grant } = await run();
    await append(id, ['x'.repeat(60_000), '\nwrite: No space ', 'left on device\n']);
    await worker.fail([grant]);
    expect(lastOf(await stored(id))?.decision).toMatchObject({
      rule: 'a rule',
      evidence: [
        { criterion: 'codes', value: 'EXIT_CODE' },
        { criterion: 'logPattern', value: 'write: No space left on device' },
      ],
    });
  });

  it('is read once for all failures of a call, and only if a pattern could match', async () => {
    const cores = 100 + (serial += 1);
    const ids = await submitJobs(db, 3, { requirements: { cores } });
    const worker = await TestWorker.register(fleet, { cores: 3 * cores });
    const grants = await worker.acquireInAll(3);
    expect(grants.map(({ jobId }) => jobId).sort()).toEqual([...ids].sort());
    await worker.start(grants);
    const [first, ...others] = grants;
    const readsOf = async (failing: readonly Grant[]) => {
      const commands = await commandsDuring(() => worker.fail(failing));
      return commands.filter(
        ({ databaseName, commandName, command }) =>
          databaseName === db.databaseName &&
          commandName === 'aggregate' &&
          command['aggregate'] === 'jobLogs',
      ).length;
    };
    enable([{ ...withPattern, match: { codes: ['OTHER'], logPattern: 'x' } }]);
    expect(await readsOf([first as Grant])).toBe(0);
    enable([withPattern]);
    expect(await readsOf(others)).toBe(1);
  });
});

describe('the next attempt', () => {
  it('goes to another host that could run it, although the first one asks before', async () => {
    const { id, worker, grant } = await run();
    const other = await TestWorker.register(fleet, { cores: worker.cores, host: 'host-2' });
    await worker.fail([grant]);
    expect(await stored(id)).toMatchObject({ avoid: { hosts: ['host-1'], sites: [] } });
    expect(await worker.acquire(1, { waitSeconds: 0 })).toEqual([]);
    const pending = await fleet.services.scheduler.pending(await stored(id));
    expect(pending?.summary).toMatch(
      /its next attempt prefers not to run on host host-1 until .*; 1 other worker could run it\.$/,
    );
    const [second] = await other.acquire(1, { waitSeconds: 60 });
    expect(second?.jobId).toBe(id);
  });

  it('goes to the same host if no other one could run it, unless a rule requires another', async () => {
    const { id, worker, grant } = await run();
    await worker.fail([grant]);
    const [second] = await worker.acquire(1, { waitSeconds: 60 });
    expect(second?.jobId).toBe(id);
    enable([aRule({ action: { retry: { anotherHostSeconds: 3600 } } })]);
    await worker.fail([second as Grant]);
    expect(await worker.acquire(1, { waitSeconds: 0 })).toEqual([]);
    const pending = await fleet.services.scheduler.pending(await stored(id));
    expect(pending?.summary).toMatch(/must not run on host host-1 until .*; no other worker could run it\.$/);
  });

  it('goes to another site after two failures at one, while a worker there could run it', async () => {
    const { id, worker, grant } = await run();
    const neighbour = await TestWorker.register(fleet, { cores: worker.cores, host: 'host-3' });
    await worker.fail([grant]);
    const [second] = await neighbour.acquire(1, { waitSeconds: 60 });
    const far = await TestWorker.register(fleet, { cores: worker.cores, host: 'host-4', queue: 'far' });
    const third = await TestWorker.register(fleet, { cores: worker.cores, host: 'host-5' });
    await neighbour.fail([second as Grant]);
    expect(await stored(id)).toMatchObject({
      avoid: { hosts: ['host-1', 'host-3'], sites: ['home'] },
    });
    expect(await third.acquire(1, { waitSeconds: 0 })).toEqual([]);
    const { assignments } = await fleet.services.acquire.acquire(
      {
        workerId: far.id,
        count: 1,
        free: { cores: far.cores, memoryMiB: 1000, diskMiB: 0 },
        waitSeconds: 60,
      },
      { principal: pilotOf('far'), requestId: 'test', signal: undefined, isForwarded: false },
    );
    expect(assignments.map(({ jobId }) => jobId)).toEqual([id]);
  });
});

describe('a rule that asks for more than is offered', () => {
  const growing = aRule({ name: 'more', action: { retry: { memory: { factor: 4 }, maxAttempts: 9 } } });

  it('gives what the largest worker has, says so, and comes to an end', async () => {
    enable([growing]);
    // More than any other worker has.
    const cores = 1000;
    const [id = ''] = await submitJobs(db, 1, {
      requirements: { cores, memoryMiB: 1000 },
      retry: { maxAttempts: 2, retryOn: ['LIMIT'] },
    });
    const worker = await TestWorker.register(fleet, { cores, memoryMiB: 3000 });
    const attempt = async (): Promise<void> => {
      const grants = await worker.acquire(1, { waitSeconds: 60 });
      await worker.start(grants);
      await worker.fail(grants, true, outOfMemory);
    };
    await attempt();
    expect(await stored(id)).toMatchObject({ state: 'ACTIVATED', requirements: { memoryMiB: 3000 } });
    expect(lastOf(await stored(id))?.decision).toMatchObject({
      outcome: 'RETRY',
      changes: [{ field: 'memoryMiB', before: 1000, after: 3000 }],
      limits: [{ rule: 'more', field: 'memoryMiB', wanted: 4000, limit: 3000 }],
    });
    await attempt();
    const failed = await stored(id);
    expect(failed).toMatchObject({ state: 'FAILED', attempt: 2 });
    expect(lastOf(failed)?.decision).toMatchObject({
      outcome: 'FAIL',
      reason: expect.stringMatching(/asked for memoryMiB 12000; the job is offered at most 3000$/) as unknown,
      limits: [{ rule: 'more', field: 'memoryMiB', wanted: 12_000, limit: 3000 }],
    });
  });
});

it('ends all jobs of a task that need 1 to 5 GB FINISHED, with a rule that gives them more memory', async () => {
  const needs = [1, 2, 3, 4, 5].flatMap((gigabytes) => Array<number>(4).fill(gigabytes * 1000));
  const task = `task_${(serial += 1)}`;
  const retry = { memory: { factor: 1.5 }, maxAttempts: 8 };
  const scope: PolicyScope = { kind: 'TASK', name: task };
  enable([aRule({ match: { codes: ['MEMORY_EXCEEDED'] }, action: { retry } })], scope);
  const cores = 2 + (serial += 1);
  const ids: string[] = [];
  for (const index of needs.keys())
    ids.push(
      ...(await submitJobs(db, 1, {
        requirements: { cores, memoryMiB: 1000 },
        retry: { maxAttempts: 1, retryOn: [] },
        task: { id: task, index },
      })),
    );
  const need = new Map(ids.map((id, index) => [id, needs[index] ?? 0]));
  const workers = await Promise.all(
    ['host-1', 'host-2'].map((host) => TestWorker.register(fleet, { cores: 10 * cores, host })),
  );
  let left = ids.length;
  /** Works until all jobs have ended, as a pilot that measures the memory of its payloads. */
  const work = async (worker: TestWorker): Promise<void> => {
    while (left > 0) {
      const grants = await worker.acquire(10, { waitSeconds: 1 });
      if (grants.length === 0) continue;
      await worker.start(grants);
      const jobs = await storedJobs(
        db,
        grants.map(({ jobId }) => jobId),
      );
      const fits = grants.map((_, at) => {
        const job = jobs[at];
        return job !== undefined && job.requirements.memoryMiB >= (need.get(job._id) ?? Infinity);
      });
      await worker.reportFinished(grants.filter((_, at) => fits[at]));
      left -= fits.filter(Boolean).length;
      const failing = grants.filter((_, at) => !fits[at]);
      if (failing.length > 0) await worker.fail(failing, false, outOfMemory);
    }
  };
  await Promise.all(workers.map(work));
  const jobs = await storedJobs(db, ids);
  expect(new Set(jobs.map(({ state }) => state))).toEqual(new Set(['FINISHED']));
  // 1000, 1500, 2250, 3375 and 5063 MiB: no job gets more than half as much again as it needs.
  expect(jobs.map(({ attempt }) => attempt)).toEqual(
    needs.map((mebibytes) => [1, 3, 4, 5, 5][mebibytes / 1000 - 1]),
  );
  for (const [index, { requirements }] of jobs.entries())
    expect(requirements.memoryMiB).toBeLessThanOrEqual(1.5 * (needs[index] ?? 0) * 1.01);
});
