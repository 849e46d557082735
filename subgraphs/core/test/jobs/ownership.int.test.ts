import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import {
  aSpec,
  freshKey,
  live,
  submitTask,
  testDomain,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';
import { mayChange } from '../../src/jobs/bulk/bulk-rules.js';
import { maySeeEnvironment } from '../../src/jobs/model/job-visibility.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';

let shared: TestDomain;
let process: TestProcess;

beforeAll(async () => {
  shared = await testDomain('ownership');
  process = await shared.process();
});

const service = testPrincipal({
  kind: 'SERVICE',
  subject: 'experiment:alpha',
  grants: { alpha: 'SERVICE' },
});
const alice = testPrincipal({ subject: 'alice@example', grants: { alpha: 'USER' } });
const bob = testPrincipal({ subject: 'bob@example', grants: { alpha: 'USER' } });

async function submitFor(onBehalfOf: string | undefined, principal = service): Promise<JobDocument> {
  const { jobs, refusals } = await process.domain.submits.submit(principal, {
    experiment: 'alpha',
    idempotencyKey: freshKey(),
    jobs: [aSpec({ payload: { command: 'x', environment: [{ name: 'SECRET', value: 's' }] } })],
    onBehalfOf,
  });
  expect(refusals).toEqual([]);
  return shared.read(jobs[0]?._id ?? '');
}

describe('a job that a service submits for a user', () => {
  it('belongs to the user and shows the submitter in its fields and its first event', async () => {
    const job = await submitFor('alice@example');
    expect(job).toMatchObject({
      owner: 'alice@example',
      submittedBy: 'experiment:alpha',
      lookup: ['o:alpha:alice@example', 's:alpha/default'],
      last: { actor: 'experiment:alpha', owner: 'alice@example' },
    });
    expect(await submitFor('experiment:alpha')).not.toHaveProperty('submittedBy');
    expect(await submitFor(undefined)).toMatchObject({ owner: 'experiment:alpha' });
  });

  it('can be changed by the user and the service, and by others only with job:manageAny', async () => {
    const jobs = [await submitFor('alice@example'), await submitFor('alice@example')];
    const cancel = (principal: typeof alice, { _id }: JobDocument) =>
      process.domain.bulk.change(principal, 'CANCEL', { selection: { ids: [_id] }, parameters: {} });
    const [one, other] = jobs as [JobDocument, JobDocument];
    expect(await cancel(bob, one)).toMatchObject({
      answer: { changedCount: 0, refusals: [{ code: 'FORBIDDEN' }] },
    });
    expect(await cancel(alice, one)).toMatchObject({ answer: { changedCount: 1 } });
    expect(await cancel(service, other)).toMatchObject({ answer: { changedCount: 1 } });
    expect((await shared.read(one._id)).last).toMatchObject({ to: 'CANCELLED', actor: 'alice@example' });
    expect(
      [alice, service, bob].map((who) => mayChange(who, 'job:cancel', one, { allows: () => false })),
    ).toEqual([true, true, false]);
    expect([alice, service, bob].map((who) => maySeeEnvironment(who, one))).toEqual([true, true, false]);
  });

  it('belongs to the linked identities of the user, whose own roles decide about the permission', async () => {
    const job = await submitFor('alice@example');
    const readers = testPrincipal({ subject: 'bob@example', grants: { alpha: 'READER' } });
    const [linked, reader] = [bob, readers].map((by) => ({ ...by, linked: [alice.subject] }));
    const all = [bob, linked, reader].flatMap((by) => by ?? []);
    const mayCancel = all.map((by) => mayChange(by, 'job:cancel', job, { allows: () => false }));
    expect(mayCancel).toEqual([false, true, false]);
    expect(all.map((by) => maySeeEnvironment(by, job))).toEqual([false, true, true]);
  });

  it('keeps both when it is retried', async () => {
    const job = await submitFor('alice@example');
    await live(process.writer, [job._id], 'FAILED');
    const result = await process.domain.bulk.change(alice, 'RETRY', {
      selection: { ids: [job._id] },
      parameters: {},
      idempotencyKey: freshKey(),
    });
    const [copy = ''] = ('answer' in result && result.answer.changedIds) || [];
    expect(await shared.read(copy)).toMatchObject({
      owner: 'alice@example',
      submittedBy: 'experiment:alpha',
      retryOf: job._id,
      last: { actor: 'alice@example' },
    });
  });

  it('differs from the same job of another user under the same key', async () => {
    const input = { experiment: 'alpha', idempotencyKey: freshKey(), jobs: [aSpec()] };
    const submit = (onBehalfOf?: string) => process.domain.submits.submit(service, { ...input, onBehalfOf });
    const first = await submit('alice@example');
    expect((await submit('alice@example')).jobs[0]?._id).toBe(first.jobs[0]?._id);
    for (const owner of ['bob@example', undefined])
      expect((await submit(owner)).refusals).toMatchObject([{ code: 'IDEMPOTENCY_KEY_REUSED' }]);
  });

  it('is refused for a caller without job:submitFor, and for an invalid subject', async () => {
    for (const principal of [alice, testPrincipal({ subject: 'p', grants: { alpha: 'PRODUCTION' } })])
      await expect(submitFor('bob@example', principal)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await expect(
      process.domain.submits.submit(service, {
        experiment: 'beta',
        idempotencyKey: freshKey(),
        jobs: [aSpec()],
        onBehalfOf: 'alice@example',
      }),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await submitFor('alice@example', alice)).toMatchObject({ owner: 'alice@example' });
    for (const subject of ['pilot:main', 'experiment:beta', 'worker:worker_1', 'a\u202eb'])
      expect(
        await process.domain.submits.submit(service, {
          experiment: 'alpha',
          idempotencyKey: freshKey(),
          jobs: [aSpec()],
          onBehalfOf: subject,
        }),
      ).toMatchObject({ refusals: [{ code: 'INVALID_VALUE', path: ['onBehalfOf'] }] });
    const call = { experiment: 'alpha', idempotencyKey: freshKey(), jobs: [aSpec()], onBehalfOf: 'a\nb' };
    expect(await process.domain.submits.submit(service, call)).toMatchObject({
      jobs: [null],
      refusals: [{ code: 'INVALID_VALUE', path: ['onBehalfOf'] }],
    });
  });

  it('passes the owner of a task to each of its jobs', async () => {
    const spec = {
      experiment: 'alpha',
      idempotencyKey: freshKey(),
      name: 'for alice',
      template: aSpec(),
      count: 3,
      onBehalfOf: 'alice@example',
    };
    const task = await submitTask(process, spec, service);
    expect(task).toMatchObject({ owner: 'alice@example', submittedBy: 'experiment:alpha' });
    const taskId = task._id;
    const jobs = shared.db.collection<JobDocument>('jobs');
    await waitFor('the jobs', async () => (await jobs.countDocuments({ taskId })) === 3, {
      deadlineMs: 60_000,
    });
    for (const job of await jobs.find({ taskId }).toArray())
      expect(job).toMatchObject({ owner: 'alice@example', submittedBy: 'experiment:alpha' });
  });
});

describe('a queue that a job is bound to', () => {
  const wrong = [
    'QUEUE_NOT_FOUND',
    '"nowhere" is not valid; must be an existing queue that admits alpha: main',
  ] as const;

  it('must exist when the job is submitted; the other jobs of the call are accepted', async () => {
    const jobs = [aSpec({ requirements: { queue: 'nowhere' } }), aSpec({ requirements: { queue: 'main' } })];
    const input = { experiment: 'alpha', idempotencyKey: freshKey(), jobs };
    const { refusals, jobs: taken } = await process.domain.submits.submit(alice, input);
    expect(taken.map((job) => job !== null)).toEqual([false, true]);
    expect(refusals).toEqual([
      {
        code: wrong[0],
        path: ['jobs', '0', 'requirements', 'queue'],
        message: `jobs.0.requirements.queue: ${wrong[1]}`,
      },
    ]);
  });

  it('must exist for the template of a task and for its variants', async () => {
    const base = { experiment: 'alpha', idempotencyKey: freshKey(), name: 'bound' };
    const bound = { requirements: { queue: 'nowhere' } };
    expect(
      await process.domain.tasks.submit(alice, { ...base, template: aSpec(bound), count: 1 }),
    ).toMatchObject({ refusals: [{ code: wrong[0], path: ['template', 'requirements', 'queue'] }] });
    expect(
      await process.domain.tasks.submit(alice, {
        ...base,
        template: aSpec(),
        variants: [bound],
        parameterSets: [{ parameters: [], variant: 0 }],
      }),
    ).toMatchObject({ refusals: [{ code: wrong[0], path: ['variants', '0', 'requirements', 'queue'] }] });
    expect(
      await process.domain.tasks
        .submit(alice, {
          ...base,
          experiment: 'gamma',
          template: aSpec(bound),
          count: 1,
        })
        .catch((error: unknown) => error),
    ).toMatchObject({ code: 'FORBIDDEN' });
  });
});
