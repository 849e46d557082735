import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import {
  deadline,
  freshKey,
  live,
  type ProcessOptions,
  someone,
  submitTask,
  testDomain,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import type { TransitionRequest } from '../../src/jobs/transitions/transition.types.js';
import type { TaskValues } from '../../src/tasks/changes/task-change-input.js';
import type { TaskDocument } from '../../src/tasks/task.document.js';
import type { TaskSpec } from '../../src/tasks/task-spec.types.js';

let shared: TestDomain;
let process: TestProcess;

beforeAll(async () => {
  shared = await testDomain('task-changes');
  process = await shared.process({ upkeepMs: 20 });
});

const manager = testPrincipal({ subject: 'manager@example', grants: { alpha: ['PRODUCTION'] } });
const operator = testPrincipal({ subject: 'operator@example', grants: { alpha: ['OPERATOR'] } });
const reader = testPrincipal({ subject: 'reader@example', grants: { alpha: ['READER'] } });
const neighbour = testPrincipal({ subject: 'neighbour@example', grants: { alpha: ['USER'] } });

async function aTask(count = 3, over: Partial<TaskSpec> = {}, on = process): Promise<string> {
  const { _id } = await submitTask(on, {
    ...{ experiment: 'alpha', idempotencyKey: freshKey(), name: 'a task', count },
    template: { name: 'work', payload: { command: 'run' }, requirements: { memoryMiB: 2000 } },
    ...over,
  });
  if (!over.scouts) await shared.untilTask(_id, 'RUNNING');
  return _id;
}

const change = (taskId: string, changes: TaskValues, principal = manager, over: object = {}, on = process) =>
  on.domain.taskChanges.change(principal, { taskId, changes, reason: 'too little', ...over });
const jobsOf = (taskId: string): Promise<JobDocument[]> =>
  shared.db.collection<JobDocument>('jobs').find({ taskId }).sort({ _id: 1 }).toArray();
const taskOf = async (id: string): Promise<TaskDocument> => (await shared.findTask(id)) as TaskDocument;
const applied = (taskId: string): Promise<unknown> =>
  waitFor('the change', async () => (await taskOf(taskId)).openChange === undefined, deadline);

let fence = 2_000_000;

function grantOf(jobId: string, generation?: number): TransitionRequest {
  fence += 8;
  const grant = { workerId: 'worker_1', queueId: 'queue_1', queue: 'main', fence, attemptId: jobId };
  return {
    ...{ jobId, from: 'ACTIVATED', to: 'SENT', by: 'broker', actor: 'system:broker' },
    change: { grant: { ...grant, deviceIds: [] } },
    ...(generation === undefined ? {} : { generation }),
  };
}

/** Grants the job to a worker that is lost. @param since end of the lease of the worker */
async function lose(jobId: string, since: Date, hasBegun = false): Promise<void> {
  const grant = grantOf(jobId);
  const word = { jobId, fence };
  const begun = { ...word, from: 'SENT', to: 'RUNNING', by: 'worker', actor: 'pilot:main' } as const;
  const from = hasBegun ? 'RUNNING' : 'SENT';
  const end = { ...word, from, to: 'ACTIVATED', by: 'lease', actor: 'system:lease' } as const;
  const lost = { ...end, change: { unreachableSince: since } };
  for (const request of [grant, ...(hasBegun ? [begun] : []), lost])
    expect(await process.writer.apply([request])).toMatchObject([{ applied: true }]);
}

describe('changeTask', () => {
  it('changes the jobs that wait, keeps those that were sent, and records the author and the reason', async () => {
    const taskId = await aTask(4);
    const [sent = ''] = (await jobsOf(taskId)).map(({ _id }) => _id);
    await process.writer.apply([grantOf(sent)]);
    const values = { memoryMiB: 4000, walltimeSeconds: 7200, priority: 7, maxAttempts: 5 };
    const { effect, laterJobCount, userErrors } = await change(taskId, { ...values, share: 'other' });
    expect(userErrors).toEqual([]);
    expect(effect).toMatchObject({ jobCount: 3, states: { ACTIVATED: 3 } });
    expect(laterJobCount).toBe(0);
    await applied(taskId);
    const [first, ...others] = await jobsOf(taskId);
    expect(first).toMatchObject({ state: 'SENT', priority: 0, share: 'alpha/default' });
    expect(first?.requirements.memoryMiB).toBe(2000);
    for (const job of others) {
      expect(job).toMatchObject({
        ...{ state: 'ACTIVATED', priority: 7, share: 'alpha/other', generation: 1 },
        requirements: { memoryMiB: 4000, walltimeSeconds: 7200 },
        retry: { maxAttempts: 5 },
        lookup: ['o:alpha:someone@example', 's:alpha/other'],
        last: { share: 'alpha/other', previousShare: 'alpha/default', generation: 1, classId: job.classId },
      });
      expect(job.transitions.at(-1)).toMatchObject({
        actor: 'manager@example',
        reason: expect.stringMatching(/memoryMiB 2000 to 4000.*: too little$/),
      });
    }
    const [classDocument] = await shared.db
      .collection<{ _id: string; requirements: { memoryMiB: number } }>('requirementClasses')
      .find({ _id: others[0]?.classId ?? '' })
      .toArray();
    expect(classDocument?.requirements.memoryMiB).toBe(4000);
    expect(await taskOf(taskId)).toMatchObject({
      ...{ priority: 7, share: 'alpha/other', formerShares: ['alpha/default'] },
      changes: [{ by: 'manager@example', reason: 'too little', changedJobs: 3, keptJobs: 0 }],
    });
  });

  it('refuses a grant that was decided before the change, and accepts one decided after it', async () => {
    const taskId = await aTask(1);
    const [job] = await jobsOf(taskId);
    await change(taskId, { memoryMiB: 4000 });
    await applied(taskId);
    const jobId = job?._id ?? '';
    expect(await process.writer.apply([grantOf(jobId, 0)])).toMatchObject([
      { applied: false, current: { state: 'ACTIVATED' } },
    ]);
    expect(await process.writer.apply([grantOf(jobId, 1)])).toMatchObject([{ applied: true }]);
  });

  it('gives the jobs that are created later the new values, whatever the scouts used', async () => {
    const over = { scouts: { count: 2 }, count: 5 };
    const taskId = await aTask(5, over);
    await waitFor('the scouts', async () => (await taskOf(taskId)).createdJobs === 2, deadline);
    expect((await change(taskId, { memoryMiB: 6000 })).laterJobCount).toBe(3);
    await applied(taskId);
    const scouts = (await jobsOf(taskId)).map(({ _id }) => _id);
    const metrics = { peakMemoryMiB: 500, wallSeconds: 1000, isPartial: false };
    await live(process.writer, scouts, 'FINISHED', { metrics });
    await shared.untilTask(taskId, 'RUNNING');
    expect((await jobsOf(taskId)).map(({ requirements }) => requirements.memoryMiB)).toEqual(
      Array(5).fill(6000),
    );
  });

  it('changes all jobs of a task that is being created, however fast', async () => {
    const stores: ProcessOptions['stores'] = (all) => ({
      ...all,
      taskChanges: Object.assign(Object.create(all.taskChanges) as typeof all.taskChanges, {
        find: async (id: string) => {
          const read = await all.taskChanges.find(id);
          const created = read?.createdJobs ?? 0;
          // Jobs are created between the read of the task and the change.
          await waitFor('more jobs', async () => (await taskOf(id)).createdJobs > created, deadline);
          return read;
        },
        begin: all.taskChanges.begin.bind(all.taskChanges),
      }),
    });
    const idle = await shared.process({ stores, leads: false, stepSize: 10 });
    const { _id: taskId } = await submitTask(idle, {
      ...{ experiment: 'alpha', idempotencyKey: freshKey(), name: 'a task', count: 400 },
      template: { name: 'work', payload: { command: 'run' } },
    });
    await waitFor('some jobs', async () => (await taskOf(taskId)).createdJobs > 0, deadline);
    const answer = await change(taskId, { memoryMiB: 3000 }, manager, {}, idle);
    expect(answer.userErrors).toEqual([]);
    await shared.untilTask(taskId, 'RUNNING');
    await applied(taskId);
    const memory = new Set((await jobsOf(taskId)).map(({ requirements }) => requirements.memoryMiB));
    expect([...memory]).toEqual([3000]);
  });

  it('goes on in the next leader, and counts each job once', async () => {
    process.leader.lose();
    try {
      const taskId = await aTask(5);
      await change(taskId, { priority: 3 });
      const stores: ProcessOptions['stores'] = (all) => ({
        ...all,
        taskChanges: Object.assign(Object.create(all.taskChanges) as typeof all.taskChanges, {
          open: () => all.taskChanges.open(),
          changing: (id: string) => all.taskChanges.changing(id),
          advance: () => Promise.reject(new Error('the process ended here')),
        }),
      });
      const crashing = await shared.process({ stores, upkeepMs: 20 });
      await waitFor(
        'the page',
        async () => (await jobsOf(taskId)).every(({ priority }) => priority === 3),
        deadline,
      );
      await crashing.stop();
      expect((await taskOf(taskId)).openChange).toMatchObject({ changedJobs: 0 });
      process.leader.gain();
      await applied(taskId);
      expect((await taskOf(taskId)).changes).toMatchObject([{ changedJobs: 5, endedAt: expect.any(Date) }]);
      expect((await jobsOf(taskId)).map(({ revision }) => revision)).toEqual(Array(5).fill(2));
    } finally {
      process.leader.gain();
    }
  });

  it.each([
    ['was lost last', 1],
    ['may be valid again after a grant that was never begun', 2],
  ])('keeps the requirements of a job whose attempt %s', async (_, attempts) => {
    const taskId = await aTask(1);
    const [job] = await jobsOf(taskId);
    const createdMs = job?.createdAt.getTime() ?? 0;
    await lose(job?._id ?? '', new Date(createdMs - 3_600_000), true);
    // Its own payload must have ended.
    if (attempts > 1) await lose(job?._id ?? '', new Date(createdMs - 90_000_000));
    await change(taskId, { memoryMiB: 4000 });
    await applied(taskId);
    expect((await jobsOf(taskId))[0]?.requirements.memoryMiB).toBe(2000);
    expect((await taskOf(taskId)).changes).toMatchObject([{ changedJobs: 0, keptJobs: 1 }]);
  });

  it('changes the requirements of a job whose earlier payload must have ended', async () => {
    const taskId = await aTask(1);
    const [job] = await jobsOf(taskId);
    await lose(job?._id ?? '', new Date((job?.createdAt.getTime() ?? 0) - 90_000_000), true);
    await change(taskId, { memoryMiB: 4000 });
    await applied(taskId);
    expect((await jobsOf(taskId))[0]?.requirements.memoryMiB).toBe(4000);
    expect((await taskOf(taskId)).changes).toMatchObject([{ changedJobs: 1, keptJobs: 0 }]);
  });

  it('changes nothing in a dry run, and says what it would change', async () => {
    const taskId = await aTask(2);
    const before = await taskOf(taskId);
    const { effect, change: planned } = await change(taskId, { memoryMiB: 4000 }, manager, {
      isDryRun: true,
    });
    expect(effect?.jobIds).toEqual((await jobsOf(taskId)).map(({ _id }) => _id));
    expect(planned?.values).toEqual([{ field: 'memoryMiB', before: '2000', after: '4000' }]);
    expect(await taskOf(taskId)).toEqual(before);
  });

  it('refuses a second change while one is being applied', async () => {
    process.leader.lose();
    try {
      const taskId = await aTask(1);
      await change(taskId, { priority: 1 });
      expect((await change(taskId, { priority: 2 })).userErrors).toMatchObject([
        { code: 'TASK_STATE_CONFLICT', message: expect.stringContaining('manager@example') },
      ]);
    } finally {
      process.leader.gain();
    }
  });

  it('checks the permission of each value', async () => {
    const taskId = await aTask(1);
    const codes = async (changes: TaskValues, principal: typeof manager): Promise<unknown> =>
      (await change(taskId, changes, principal, { isDryRun: true })).userErrors.map(({ code }) => code);
    expect(await codes({ memoryMiB: 4000 }, someone)).toEqual([]);
    expect(await codes({ priority: 1 }, someone)).toEqual(['FORBIDDEN']);
    expect(await codes({ priority: 1 }, operator)).toEqual([]);
    expect(await codes({ memoryMiB: 4000 }, operator)).toEqual(['FORBIDDEN']);
    expect(await codes({ share: 'other' }, operator)).toEqual(['FORBIDDEN']);
    expect(await codes({ memoryMiB: 4000 }, neighbour)).toEqual(['FORBIDDEN']);
    expect(await codes({ memoryMiB: 4000 }, reader)).toEqual(['FORBIDDEN']);
  });

  it('names the value that cannot be, and what would be right', async () => {
    const taskId = await aTask(1);
    const first = async (changes: TaskValues) => (await change(taskId, changes)).userErrors[0];
    expect(await first({})).toMatchObject({ code: 'INVALID_VALUE', path: ['changes'] });
    expect(await first({ maxAttempts: 21 })).toMatchObject({ path: ['changes', 'maxAttempts'] });
    expect(await first({ queue: 'nowhere' })).toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    expect(await first({ share: 'nowhere' })).toMatchObject({ code: 'SHARE_NOT_FOUND' });
    expect(await first({ queue: 'main', memoryMiB: 65_000 })).toMatchObject({
      code: 'INVALID_VALUE',
      path: ['changes', 'memoryMiB'],
      message: expect.stringContaining('at most 64000'),
    });
    expect((await change('task_nowhere', { priority: 1 })).userErrors).toMatchObject([
      { code: 'TASK_NOT_FOUND' },
    ]);
  });

  it('refuses to change a task that has ended', async () => {
    const taskId = await aTask(1);
    await live(
      process.writer,
      (await jobsOf(taskId)).map(({ _id }) => _id),
    );
    await shared.untilTask(taskId, 'FINISHED');
    expect((await change(taskId, { priority: 1 })).userErrors).toMatchObject([
      { code: 'TASK_STATE_CONFLICT', message: expect.stringContaining('FINISHED') },
    ]);
  });
});
