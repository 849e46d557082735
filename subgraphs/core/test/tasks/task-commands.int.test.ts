import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import {
  deadline,
  freshKey,
  live,
  someone,
  submitTask,
  testDomain,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import type { TaskAction, TaskDocument } from '../../src/tasks/task.document.js';
import type { TaskCommandInput } from '../../src/tasks/control/task-commands.service.js';

let shared: TestDomain;
let process: TestProcess;

beforeAll(async () => {
  shared = await testDomain('task-commands');
  process = await shared.process();
});

const manager = testPrincipal({ subject: 'manager@example', grants: { alpha: ['PRODUCTION'] } });
const reader = testPrincipal({ subject: 'reader@example', grants: { alpha: ['READER'] } });
const stranger = testPrincipal({ subject: 'stranger@example', grants: { beta: ['USER'] } });
const neighbour = testPrincipal({ subject: 'neighbour@example', grants: { alpha: ['USER'] } });

async function aTask(count = 3, over: object = {}): Promise<string> {
  const { _id } = await submitTask(process, {
    ...{ experiment: 'alpha', idempotencyKey: freshKey(), name: 'a task', count },
    template: { name: 'work', payload: { command: 'run' } },
    ...over,
  });
  await shared.untilTask(_id, 'RUNNING');
  return _id;
}

const command = (action: TaskAction, input: TaskCommandInput, principal = someone) =>
  process.domain.taskCommands.run(principal, action, input);
const pause = (taskId: string, principal = someone) =>
  command('PAUSE', { taskId, reason: 'the input is wrong' }, principal);

const jobsOf = (taskId: string): Promise<JobDocument[]> =>
  shared.db.collection<JobDocument>('jobs').find({ taskId }).sort({ _id: 1 }).toArray();
const idsOf = async (taskId: string): Promise<string[]> => (await jobsOf(taskId)).map(({ _id }) => _id);
const statesOf = async (taskId: string): Promise<string[]> =>
  (await jobsOf(taskId)).map(({ state }) => state);
const taskOf = async (id: string): Promise<TaskDocument> => (await shared.findTask(id)) as TaskDocument;

let fence = 1_000_000;

/** Sends a job to a worker, under a fence of its own. */
async function sent(jobId: string): Promise<void> {
  fence += 8;
  const grant = { workerId: 'worker_1', queueId: 'queue_1', queue: 'main', fence, attemptId: jobId };
  const change = { grant: { ...grant, deviceIds: [] } };
  const from = {
    jobId,
    from: 'ACTIVATED',
    to: 'SENT',
    by: 'broker',
    actor: 'system:broker',
    change,
  } as const;
  expect(await process.writer.apply([from])).toMatchObject([{ applied: true }]);
}

/** Takes a job of a worker back: it waits again. */
async function requeued(jobId: string): Promise<void> {
  const by = { by: 'lease', actor: 'system:lease', fence } as const;
  expect(await process.writer.apply([{ jobId, from: 'SENT', to: 'ACTIVATED', ...by }])).toMatchObject([
    { applied: true },
  ]);
}

describe('pauseTask', () => {
  it('pauses and resumes a task in one document, with its author, time and reason', async () => {
    const taskId = await aTask();
    const before = await jobsOf(taskId);
    const { task, effect, userErrors } = await pause(taskId);
    expect(userErrors).toEqual([]);
    expect(effect).toEqual({ jobCount: 3, states: { ACTIVATED: 3 }, jobIds: await idsOf(taskId) });
    const given = {
      action: 'PAUSE',
      by: 'someone@example',
      at: expect.any(Date),
      reason: 'the input is wrong',
    };
    expect(task).toMatchObject({ state: 'PAUSED', control: given, commands: [given] });
    expect(await jobsOf(taskId)).toEqual(before);
    const resumed = await command('RESUME', { taskId });
    expect(resumed.task).toMatchObject({
      state: 'RUNNING',
      commands: [given, { action: 'RESUME', by: 'someone@example', at: expect.any(Date) }],
    });
    expect(resumed.task?.control).toBeUndefined();
  });

  it('changes nothing when it is repeated', async () => {
    const taskId = await aTask();
    await pause(taskId);
    const { revision } = await taskOf(taskId);
    expect((await pause(taskId, manager)).task).toMatchObject({ control: { by: 'someone@example' } });
    await command('RESUME', { taskId });
    expect((await command('RESUME', { taskId })).userErrors).toEqual([]);
    expect((await taskOf(taskId)).revision).toBe(revision + 1);
  });

  it('pauses a task whose jobs are being created, and creates them nevertheless', async () => {
    const idle = await shared.process({ leads: false, stepSize: 2 });
    const { _id: taskId } = await submitTask(idle, {
      ...{ experiment: 'alpha', idempotencyKey: freshKey(), name: 'a task', count: 11 },
      template: { name: 'work', payload: { command: 'run' } },
    });
    const { task } = await pause(taskId);
    expect(task?.state).toBe('PAUSED');
    await waitFor('all jobs of the task', async () => (await taskOf(taskId)).createdJobs === 11, deadline);
    expect(await taskOf(taskId)).toMatchObject({ state: 'PAUSED', createdJobs: 11 });
    expect((await command('RESUME', { taskId })).task?.state).toBe('RUNNING');
  });

  it('ends a paused task when its last job has ended', async () => {
    const taskId = await aTask(2);
    const ids = await idsOf(taskId);
    await pause(taskId);
    await live(process.writer, ids);
    await shared.untilTask(taskId, 'FINISHED');
    expect((await command('RESUME', { taskId })).userErrors).toMatchObject([{ code: 'TASK_STATE_CONFLICT' }]);
  });

  it('keeps a task paused whose jobs are retried', async () => {
    const taskId = await aTask(2);
    const [first = ''] = await idsOf(taskId);
    await live(process.writer, [first], 'FAILED');
    await pause(taskId);
    const parameters = {};
    const retry = { selection: { ids: [first] }, parameters, idempotencyKey: freshKey() };
    expect(await process.domain.bulk.change(someone, 'RETRY', retry)).toMatchObject({
      answer: { changedCount: 1 },
    });
    expect((await taskOf(taskId)).state).toBe('PAUSED');
  });
});

describe('finishTask', () => {
  it('cancels what waits, and is DONE when what runs has ended', async () => {
    const taskId = await aTask(4);
    const [first = '', second = ''] = await idsOf(taskId);
    await live(process.writer, [first]);
    await sent(second);
    const { task, effect } = await command('FINISH', { taskId, reason: 'enough' });
    expect(task).toMatchObject({ state: 'STOPPING', control: { action: 'FINISH', reason: 'enough' } });
    expect(effect).toMatchObject({ jobCount: 2, states: { ACTIVATED: 2 } });
    const cancelled = ['FINISHED', 'SENT', 'CANCELLED', 'CANCELLED'];
    await waitFor(
      'the waiting jobs to be cancelled',
      async () => {
        return (await statesOf(taskId)).join() === cancelled.join();
      },
      deadline,
    );
    expect((await jobsOf(taskId)).at(-1)).toMatchObject({
      last: { actor: 'someone@example', reason: 'Task "a task" was finished: enough' },
    });
    expect((await taskOf(taskId)).state).toBe('STOPPING');
    const report = { jobId: second, by: 'worker', actor: 'pilot:main', fence } as const;
    await process.writer.apply([{ ...report, from: 'SENT', to: 'RUNNING' }]);
    await process.writer.apply([{ ...report, from: 'RUNNING', to: 'FINISHED' }]);
    await shared.untilTask(taskId, 'DONE');
    expect(await taskOf(taskId)).toMatchObject({
      endStates: { FINISHED: 2, CANCELLED: 2 },
      control: { action: 'FINISH' },
    });
  });

  it('cancels a job that a worker loses later', async () => {
    const taskId = await aTask(2);
    const [first = '', second = ''] = await idsOf(taskId);
    await sent(first);
    await command('FINISH', { taskId });
    await waitFor(
      'the waiting job to be cancelled',
      async () => {
        return (await shared.read(second)).state === 'CANCELLED';
      },
      deadline,
    );
    await requeued(first);
    await shared.untilTask(taskId, 'DONE');
    expect(await statesOf(taskId)).toEqual(['CANCELLED', 'CANCELLED']);
  });

  it('stops a paused task whose jobs do not all exist, each job counted once', async () => {
    const idle = await shared.process({ leads: false, stepSize: 2 });
    const { _id: taskId } = await submitTask(idle, {
      ...{ experiment: 'alpha', idempotencyKey: freshKey(), name: 'a task', count: 11 },
      template: { name: 'work', payload: { command: 'run' } },
    });
    await pause(taskId);
    await command('FINISH', { taskId });
    await shared.untilTask(taskId, 'DONE');
    expect(await taskOf(taskId)).toMatchObject({ createdJobs: 11, endStates: { CANCELLED: 11 } });
  });

  it('is continued by the next leader', async () => {
    const taskId = await aTask(3);
    process.leader.lose();
    await command('FINISH', { taskId });
    expect(await statesOf(taskId)).toEqual(['ACTIVATED', 'ACTIVATED', 'ACTIVATED']);
    process.leader.gain();
    await shared.untilTask(taskId, 'DONE');
  });

  it('reopens a DONE task whose jobs are retried', async () => {
    const taskId = await aTask(2);
    const ids = await idsOf(taskId);
    await command('FINISH', { taskId });
    await shared.untilTask(taskId, 'DONE');
    const retry = { selection: { ids }, parameters: {}, idempotencyKey: freshKey() };
    await process.domain.bulk.change(someone, 'RETRY', retry);
    const task = await taskOf(taskId);
    expect(task).toMatchObject({ state: 'RUNNING', commands: [{ action: 'FINISH' }] });
    expect([task.control, task.endStates]).toEqual([undefined, undefined]);
  });
});

describe('abortTask', () => {
  it('cancels everything, also of a task that is being finished', async () => {
    const taskId = await aTask(3);
    const [first = '', second = ''] = await idsOf(taskId);
    await live(process.writer, [first]);
    await sent(second);
    await command('FINISH', { taskId });
    await waitFor(
      'the waiting job to be cancelled',
      async () => {
        return (await statesOf(taskId)).join() === 'FINISHED,SENT,CANCELLED';
      },
      deadline,
    );
    expect((await command('ABORT', { taskId, reason: 'wrong release' })).effect).toMatchObject({
      jobCount: 1,
      jobIds: [second],
    });
    await shared.untilTask(taskId, 'CANCELLED');
    expect(await statesOf(taskId)).toEqual(['FINISHED', 'CANCELLED', 'CANCELLED']);
    // A repeated command reads what a majority has, which may be behind for a moment.
    const refused = async () => (await command('ABORT', { taskId })).userErrors[0];
    expect(await waitFor('the command to be refused', refused, deadline)).toMatchObject({
      ...{ code: 'TASK_STATE_CONFLICT', message: expect.stringContaining('is CANCELLED') },
    });
  });
});

describe('rights', () => {
  it('lets owners and managers command, and no one else', async () => {
    const taskId = await aTask();
    const codes = [];
    for (const principal of [reader, neighbour, stranger])
      codes.push((await pause(taskId, principal)).userErrors.map(({ code }) => code));
    expect(codes).toEqual([['FORBIDDEN'], ['FORBIDDEN'], ['TASK_NOT_FOUND']]);
    expect((await taskOf(taskId)).state).toBe('RUNNING');
    expect((await pause(taskId, manager)).task).toMatchObject({ control: { by: 'manager@example' } });
    expect((await command('RESUME', { taskId }, neighbour)).userErrors).toMatchObject([
      { code: 'FORBIDDEN' },
    ]);
    expect((await command('ABORT', { taskId }, reader)).userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  it('answers alike for tasks that do not exist and tasks that the caller may not see', async () => {
    const taskId = await aTask();
    const [hidden, missing] = [await pause(taskId, stranger), await pause('task_nowhere', stranger)];
    const texts = [hidden, missing].map(({ userErrors: [error] }) =>
      error?.message.replace(/"task_\w+"/, '…'),
    );
    expect(texts[0]).toBe(texts[1]);
  });

  it('checks rights in a dry run, which says how many and which, and changes nothing', async () => {
    const taskId = await aTask();
    const before = await taskOf(taskId);
    const isDryRun = true;
    expect((await command('ABORT', { taskId, isDryRun }, neighbour)).userErrors).toMatchObject([
      { code: 'FORBIDDEN' },
    ]);
    expect(await command('ABORT', { taskId, isDryRun })).toMatchObject({
      task: { state: 'RUNNING' },
      effect: { jobCount: 3, jobIds: await idsOf(taskId) },
    });
    expect(await taskOf(taskId)).toEqual(before);
  });

  it('wants a reason for a pause', async () => {
    const taskId = await aTask();
    expect((await command('PAUSE', { taskId, reason: '' })).userErrors).toMatchObject([
      { code: 'INVALID_VALUE', path: ['reason'] },
    ]);
  });
});
