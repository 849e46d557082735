/** Progress and checkpoints, from the reports of a worker to readers, streams and the next attempt. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { waitFor } from '@rhizome/testkit';
import { jobProgressCollection } from '../../src/jobs/checkpoints/job-progress.document.js';
import { JobProgress } from '../../src/jobs/checkpoints/job-progress.js';
import { JobProgressRepository } from '../../src/jobs/checkpoints/job-progress.repository.js';
import { type Answer, pilotOf, seed, startCore } from '../support/core.fixture.js';

let core: Awaited<ReturnType<typeof startCore>>;
let workerId: string;
let submitted = 0;

beforeAll(async () => {
  core = await startCore();
  await seed(core);
  const hardware = { architecture: 'x86_64', cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
  const input = { queue: 'north', host: 'h', name: 'w', hardware, version: '1', idempotencyKey: 'w' };
  const { registerWorker } = await say(
    'registerWorker(input: $input) { worker { id } }',
    'RegisterWorker',
    input,
  );
  workerId = registerWorker?.['worker']?.['id'] ?? '';
});

afterAll(() => core.stop());

async function say(field: string, type: string, input: object): Promise<Answer> {
  return (await core.ask(
    `mutation ($input: ${type}Input!) { ${field} }`,
    { input },
    pilotOf('north'),
  )) as Answer;
}

const outcome = 'acceptedIds userErrors { code path }';

interface Held {
  readonly id: string;
  readonly fence: number;
  readonly attempt: number;
  readonly checkpoints: readonly object[];
}

async function acquire(): Promise<Held> {
  const free = { cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
  const { acquireJobs } = await say(
    'acquireJobs(input: $input) { assignments { fence attempt checkpoints { step fraction files { name } } job { id payload { keptCheckpoints } } } }',
    'AcquireJobs',
    { workerId, count: 1, free, waitSeconds: 60 },
  );
  const [grant] = acquireJobs?.['assignments'] as unknown as readonly Answer[];
  const { fence, attempt, checkpoints, job } = grant as Answer & { readonly job: Answer };
  return { id: String(job['id']), fence, attempt, checkpoints } as unknown as Held;
}

/** A job that the worker holds, in its first attempt. */
async function held(): Promise<Held> {
  submitted += 1;
  const jobs = [{ name: 'long', payload: { command: 'true' } }];
  await core.ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { userErrors { message } } }',
    { input: { experiment: 'alpha', idempotencyKey: `k${submitted}`, jobs } },
  );
  const job = await acquire();
  const { id, fence } = job;
  await say(`startJobs(input: $input) { ${outcome} }`, 'StartJobs', {
    workerId,
    jobs: [{ id, fence, phase: 'RUNNING' }],
  });
  return job;
}

async function beat({ id, fence }: Held, progress: object): Promise<void> {
  const input = { workerId, jobs: [{ id, fence }], progress: [{ id, fence, ...progress }] };
  const { heartbeat } = await say('heartbeat(input: $input) { userErrors { code } }', 'Heartbeat', input);
  expect(heartbeat?.['userErrors']).toEqual([]);
}

const file = { name: 'state', location: 'j/a/checkpoint-1/state', sizeBytes: 10, sha256: 'a'.repeat(64) };

async function report({ id, fence }: Held, steps: readonly number[]): Promise<Answer> {
  const checkpoints = steps.map((step) => ({
    ...{ attempt: 1, step, fraction: step / 10, madeAt: '2030-01-01T00:00:00.000Z' },
    files: [file, { ...file, name: 'more' }],
  }));
  const { reportCheckpoints } = await say(
    `reportCheckpoints(input: $input) { ${outcome} }`,
    'ReportCheckpoints',
    {
      workerId,
      jobs: [{ id, fence, checkpoints }],
    },
  );
  return reportCheckpoints as Answer;
}

async function read(id: string): Promise<Answer> {
  const { job } = await core.ask(
    `query ($id: ID!) { job(id: $id) {
      progress { attempt step fraction reportedAt fractionPerHour expectedEndAt }
      checkpoints { attempt step fraction sizeBytes files { name location sizeBytes sha256 } }
    } }`,
    { id },
  );
  return job as Answer;
}

async function fail({ id, fence }: Held): Promise<void> {
  const error = { family: 'WORKER', code: 'X', message: 'x' };
  await say(`failJobs(input: $input) { ${outcome} }`, 'FailJobs', { workerId, jobs: [{ id, fence, error }] });
}

describe('heartbeat', () => {
  it('records progress, with a rate and an expected end', async () => {
    const job = await held();
    const now = systemClock.now().getTime();
    const at = (secondsAgo: number): string => new Date(now - secondsAgo * 1000).toISOString();
    await beat(job, { fraction: 0.1, at: at(3600) });
    expect((await read(job.id))['progress']).toMatchObject({
      fraction: 0.1,
      step: null,
      fractionPerHour: null,
    });
    await beat(job, { step: 5, fraction: 0.5, at: at(0) });
    const { progress } = await read(job.id);
    expect(progress).toMatchObject({ attempt: 1, step: 5, fraction: 0.5, reportedAt: at(0) });
    expect(progress?.['fractionPerHour']).toBeCloseTo(0.4, 3);
    const expected = Date.parse(String(progress?.['expectedEndAt']));
    expect(Math.abs(expected - now - 4_500_000)).toBeLessThan(60_000);
  });

  it('ignores progress under a fence that the worker does not hold, and a clock that is ahead', async () => {
    const job = await held();
    await beat({ ...job, fence: job.fence + 1 }, { fraction: 0.9, at: systemClock.now().toISOString() });
    expect((await read(job.id))['progress']).toBeNull();
    await beat(job, { fraction: 0.2, at: '2099-01-01T00:00:00.000Z' });
    const reportedAt = Date.parse(String((await read(job.id))['progress']?.['reportedAt']));
    expect(reportedAt).toBeLessThanOrEqual(systemClock.now().getTime());
  });

  it('is not a change of the job', async () => {
    const job = await held();
    const revision = async (): Promise<unknown> =>
      (await core.ask('query ($id: ID!) { job(id: $id) { revision } }', { id: job.id }))['job']?.['revision'];
    const before = await revision();
    await beat(job, { fraction: 0.9, at: systemClock.now().toISOString() });
    expect(await revision()).toBe(before);
  });
});

describe('reportCheckpoints', () => {
  it('replaces the checkpoints of a job, which the next attempt gets', async () => {
    const job = await held();
    expect(job.checkpoints).toEqual([]);
    expect(await report(job, [1])).toEqual({ acceptedIds: [job.id], userErrors: [] });
    expect(await report(job, [2, 1])).toEqual({ acceptedIds: [job.id], userErrors: [] });
    const { checkpoints } = await read(job.id);
    expect(checkpoints).toMatchObject([
      { attempt: 1, step: 2, fraction: 0.2, sizeBytes: 20, files: [file, { name: 'more' }] },
      { step: 1 },
    ]);
    await fail(job);
    const next = await acquire();
    expect(next).toMatchObject({ id: job.id, attempt: 2 });
    expect(next.checkpoints).toEqual([
      { step: 2, fraction: 0.2, files: [{ name: 'state' }, { name: 'more' }] },
      { step: 1, fraction: 0.1, files: [{ name: 'state' }, { name: 'more' }] },
    ]);
    // The earlier attempt is over.
    expect(await report(job, [9])).toMatchObject({ acceptedIds: [], userErrors: [{ code: 'FENCE_STALE' }] });
    expect((await read(job.id))['checkpoints']).toMatchObject([{ step: 2 }, { step: 1 }]);
    await say(`startJobs(input: $input) { ${outcome} }`, 'StartJobs', {
      workerId,
      jobs: [{ id: next.id, fence: next.fence, phase: 'RUNNING' }],
    });
    await say(`finishJobs(input: $input) { ${outcome} }`, 'FinishJobs', {
      workerId,
      jobs: [{ id: next.id, fence: next.fence }],
    });
    expect((await read(job.id))['checkpoints']).toEqual([]);
  });

  it('leaves its checkpoints to the first job that repeats it, with the same program', async () => {
    const job = await held();
    await report(job, [3]);
    const end = (id: string) =>
      core.ask(
        'mutation ($ids: [ID!]!) { cancelJobs(input: { selection: { ids: $ids } }) { userErrors { code } } }',
        { ids: [id] },
      );
    await end(job.id);
    const repeat = async (id: string, input: object): Promise<Held> => {
      const { retryJobs } = await core.ask(
        'mutation ($input: RetryJobsInput!) { retryJobs(input: $input) { jobs { id checkpoints { step } } userErrors { message } } }',
        { input: { selection: { ids: [id] }, idempotencyKey: randomUUID(), ...input } },
      );
      const [copy] = retryJobs?.['jobs'] as unknown as readonly Answer[];
      const granted = await acquire();
      expect(granted).toMatchObject({ id: copy?.['id'], attempt: 1 });
      expect(granted.checkpoints.map((one) => ({ step: (one as Answer)['step'] }))).toEqual(
        copy?.['checkpoints'],
      );
      return granted;
    };
    const copy = await repeat(job.id, {});
    expect(copy.checkpoints).toEqual([
      { step: 3, fraction: 0.3, files: [{ name: 'state' }, { name: 'more' }] },
    ]);
    const second = await repeat(job.id, {});
    expect(second.checkpoints).toEqual([]);
    await end(copy.id);
    const changes = { payload: { command: 'false' } };
    const other = await repeat(copy.id, { changes });
    expect(other.checkpoints).toEqual([]);
    const again = await held();
    await report(again, [4]);
    await end(again.id);
    const last = await repeat(again.id, { changes, isWithCheckpoints: true });
    expect(last.checkpoints).toMatchObject([{ step: 4 }]);
    for (const { id } of [second, other, last]) await end(id);
  });

  it('is refused for a job that the worker does not hold', async () => {
    const job = await held();
    expect(await report({ ...job, fence: 1 }, [1])).toMatchObject({ userErrors: [{ code: 'FENCE_STALE' }] });
    expect(await report({ ...job, id: 'job_0' }, [1])).toMatchObject({
      userErrors: [{ code: 'JOB_NOT_FOUND' }],
    });
    const steps = Array.from({ length: 11 }, (_, step) => step);
    expect(await report(job, steps)).toMatchObject({
      userErrors: [{ code: 'INVALID_VALUE', path: ['jobs', '0', 'checkpoints'] }],
    });
  });
});

describe('jobProgressChanged', () => {
  it('has all progress first, then what changes', async () => {
    const [one, other] = [await held(), await held()];
    await beat(one, { fraction: 0.1, at: systemClock.now().toISOString() });
    const stream = core.subscribe(
      'subscription ($ids: [ID!]!) { jobProgressChanged(ids: $ids, intervalMs: 1000) { jobs { id progress { fraction } } } }',
      { ids: [one.id, other.id] },
    );
    const messages = (): readonly unknown[] =>
      stream.results.map(({ data }) => (data as unknown as Answer)['jobProgressChanged']?.['jobs']);
    await waitFor('the first message', () => messages().length >= 1, { deadlineMs: 60_000 });
    expect(messages()[0]).toEqual([{ id: one.id, progress: { fraction: 0.1 } }]);
    await beat(other, { fraction: 0.3, at: systemClock.now().toISOString() });
    await waitFor('the second message', () => messages().length >= 2, { deadlineMs: 60_000 });
    expect(messages()[1]).toEqual([{ id: other.id, progress: { fraction: 0.3 } }]);
    await stream.close();
  });

  it('refuses a job that there is not, and more than 100', async () => {
    const refused = async (ids: readonly string[]): Promise<unknown> => {
      const stream = core.subscribe(
        'subscription ($ids: [ID!]!) { jobProgressChanged(ids: $ids) { cursor } }',
        { ids },
      );
      await waitFor('an answer', () => stream.results.length > 0, { deadlineMs: 60_000 });
      return stream.results[0]?.errors?.[0]?.extensions?.['code'];
    };
    expect(await refused(['job_nowhere'])).toBe('JOB_NOT_FOUND');
    expect(await refused(Array.from({ length: 101 }, (_, at) => `job_${at}`))).toBe('BAD_USER_INPUT');
  });
});

describe('JobProgress', () => {
  it('keeps the progress of the newest attempt if both report at the same time', async () => {
    const repository = new JobProgressRepository(collection(core.db, jobProgressCollection));
    const progress = new JobProgress({ repository, clock: systemClock });
    const report = { jobId: 'job_both', at: systemClock.now() };
    // These wait for each other, and are written together.
    await Promise.all([
      progress.record([{ ...report, fence: 16, attempt: 2, fraction: 0.1 }]),
      progress.record([{ ...report, fence: 8, attempt: 1, fraction: 0.9 }]),
    ]);
    expect(await progress.findMany(['job_both'])).toMatchObject([
      { fence: 16, progress: { attempt: 2, fraction: 0.1 } },
    ]);
  });
});

describe('JobProgressRepository', () => {
  it('keeps the report with the highest fence, whichever of two is written first', async () => {
    const repository = new JobProgressRepository(collection(core.db, jobProgressCollection));
    const at = systemClock.now();
    const reportOf = (fence: number, fraction: number) => ({
      jobId: 'job_race',
      fence,
      attempt: fence,
      fraction,
      at,
    });
    await Promise.all(
      [1, 2, 3, 4].map((fence) => repository.saveProgress([reportOf(fence, fence / 10)], at)),
    );
    await repository.saveCheckpoints([{ jobId: 'job_race', fence: 3, checkpoints: [] }], at);
    await repository.saveCheckpoints([{ jobId: 'job_race', fence: 4, checkpoints: [] }], at);
    const [found] = await repository.findMany(['job_race']);
    expect(found).toMatchObject({ fence: 4, progress: { attempt: 4, fraction: 0.4 }, checkpoints: [] });
  });
});
