import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
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
import type { JobEventStream } from '../../src/jobs/ports.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import { exceeded, type FailureLimitSpec } from '../../src/tasks/limits/failure-limit.js';
import type { TaskDocument } from '../../src/tasks/task.document.js';

let shared: TestDomain;
let process: TestProcess;

beforeAll(async () => {
  shared = await testDomain('failure-limits');
  process = await shared.process();
});

async function limited(
  failureLimit: FailureLimitSpec,
  count = 10,
): Promise<{ taskId: string; ids: string[] }> {
  const { _id: taskId } = await submitTask(process, {
    ...{ experiment: 'alpha', idempotencyKey: freshKey(), name: 'a task', count, failureLimit },
    template: { name: 'work', payload: { command: 'run' } },
  });
  await shared.untilTask(taskId, 'RUNNING');
  const jobs = shared.db.collection<JobDocument>('jobs').find({ taskId }).sort({ _id: 1 });
  return { taskId, ids: (await jobs.toArray()).map(({ _id }) => _id) };
}

const taskOf = async (id: string): Promise<TaskDocument> => (await shared.findTask(id)) as TaskDocument;
const fail = (ids: readonly string[], on = process) => live(on.writer, ids, 'FAILED');
const countsFrom = (taskId: string, failed: number, ended: number) =>
  waitFor(
    `failures to count from ${failed} of ${ended}`,
    async () => {
      const { from } = (await taskOf(taskId)).failureLimit ?? {};
      return from?.failed === failed && from.ended === ended;
    },
    deadline,
  );

/** The stream, with batches that contain the end of a successful job delivered twice. */
const finishesTwice = (stream: JobEventStream): JobEventStream => ({
  async *follow(options) {
    for await (const batch of stream.follow(options)) {
      yield batch;
      if (batch.events.some(({ last }) => last.to === 'FINISHED')) yield batch;
    }
  },
});

describe('a task with a limit of failures', () => {
  it('is paused when more jobs fail, and again when as many fail after it was resumed', async () => {
    const { taskId, ids } = await limited({ maxFailedJobs: 2 });
    await fail(ids.slice(0, 2));
    await live(process.writer, ids.slice(2, 3));
    expect((await taskOf(taskId)).state).toBe('RUNNING');
    await fail(ids.slice(3, 4));
    await shared.untilTask(taskId, 'PAUSED');
    expect((await taskOf(taskId)).control).toMatchObject({
      action: 'PAUSE',
      by: 'system:failure-limit',
      reason: '3 jobs failed, more than 2',
    });
    await countsFrom(taskId, 3, 4);
    await process.domain.taskCommands.run(someone, 'RESUME', { taskId });
    await fail(ids.slice(4, 6));
    expect((await taskOf(taskId)).state).toBe('RUNNING');
    await fail(ids.slice(6, 7));
    await shared.untilTask(taskId, 'PAUSED');
    expect((await taskOf(taskId)).control?.reason).toBe('3 jobs failed since the last command, more than 2');
  });

  it('does not count jobs that were retried', async () => {
    const { taskId, ids } = await limited({ maxFailedJobs: 1, action: 'ABORT' });
    await fail(ids.slice(0, 1));
    const retry = { selection: { ids: ids.slice(0, 1) }, parameters: {}, idempotencyKey: freshKey() };
    expect(await process.domain.bulk.change(someone, 'RETRY', retry)).toMatchObject({
      answer: { changedCount: 1 },
    });
    await fail(ids.slice(1, 2));
    await live(process.writer, ids.slice(2, 3));
    const { state } = await taskOf(taskId);
    expect(state).toBe('RUNNING');
    await fail(ids.slice(3, 4));
    await shared.untilTask(taskId, 'CANCELLED');
  });

  it('is stopped at a fraction of the ended jobs, also by another process', async () => {
    const other = await shared.process({ leads: false });
    const { taskId, ids } = await limited({ maxFailedFraction: 0.5, minEndedJobs: 4, action: 'FINISH' });
    await fail(ids.slice(0, 2));
    expect((await taskOf(taskId)).state).toBe('RUNNING');
    process.leader.lose();
    other.leader.gain();
    await live(other.writer, ids.slice(2, 3));
    await fail(ids.slice(3, 4), other);
    await shared.untilTask(taskId, 'DONE');
    expect((await taskOf(taskId)).control?.reason).toBe('3 of 4 jobs failed, more than 50 %');
    other.leader.lose();
    process.leader.gain();
  });

  it('counts an end once if its event is delivered twice', async () => {
    const twice = await shared.process({ leads: false, stream: finishesTwice });
    const { taskId, ids } = await limited({ maxFailedFraction: 0.62, minEndedJobs: 3 });
    process.leader.lose();
    twice.leader.gain();
    await fail(ids.slice(0, 1), twice);
    await live(twice.writer, ids.slice(1, 2));
    await fail(ids.slice(2, 3), twice);
    await shared.untilTask(taskId, 'PAUSED');
    expect((await taskOf(taskId)).control?.reason).toBe('2 of 3 jobs failed, more than 62 %');
    twice.leader.lose();
    process.leader.gain();
  });

  it('refuses a limit that limits nothing', async () => {
    const spec = {
      ...{ experiment: 'alpha', idempotencyKey: freshKey(), name: 'a task', count: 1, failureLimit: {} },
      template: { name: 'work', payload: { command: 'run' } },
    };
    expect(await process.domain.tasks.submit(someone, spec)).toMatchObject({
      refusals: [{ code: 'INVALID_VALUE', path: ['failureLimit'] }],
    });
  });
});

describe('exceeded', () => {
  it('ignores a fraction of few jobs', () => {
    const limit = { maxFailedFraction: 0.1, minEndedJobs: 10, action: 'PAUSE' } as const;
    expect(exceeded(limit, { failed: 9, ended: 9 })).toBeUndefined();
    expect(exceeded(limit, { failed: 1, ended: 10 })).toBeUndefined();
    expect(exceeded(limit, { failed: 2, ended: 10 })).toBe('2 of 10 jobs failed, more than 10 %');
  });
});
