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
import type { ScoutsSpec } from '../../src/tasks/scouts/scout-input.js';
import { scoutSummary } from '../../src/tasks/scouts/scout-summary.js';
import type { TaskDocument } from '../../src/tasks/task.document.js';
import type { TaskSpec } from '../../src/tasks/task-spec.types.js';

let shared: TestDomain;
let process: TestProcess;

beforeAll(async () => {
  shared = await testDomain('scouts');
  process = await shared.process({ stepSize: 7 });
});

const submitted = { memoryMiB: 2000, walltimeSeconds: 86_400, diskMiB: 4000 };

async function scouting(
  scouts: ScoutsSpec,
  over: Partial<TaskSpec> = {},
  on = process,
): Promise<{ taskId: string; scoutIds: string[] }> {
  const { _id: taskId } = await submitTask(on, {
    ...{ experiment: 'alpha', idempotencyKey: freshKey(), name: 'a task', count: 40, scouts },
    template: { name: 'work', payload: { command: 'run' }, requirements: submitted },
    ...over,
  });
  const count = scouts.count ?? 10;
  await waitFor('the scouts', async () => (await taskOf(taskId)).createdJobs === count, deadline);
  return { taskId, scoutIds: (await jobsOf(taskId)).map(({ _id }) => _id) };
}

const jobsOf = (taskId: string): Promise<JobDocument[]> =>
  shared.db.collection<JobDocument>('jobs').find({ taskId }).sort({ _id: 1 }).toArray();
const taskOf = async (id: string): Promise<TaskDocument> => (await shared.findTask(id)) as TaskDocument;

/** Ends a scout that used this memory. */
async function finish(jobId: string, peakMemoryMiB: number, on = process): Promise<void> {
  const metrics = { peakMemoryMiB, wallSeconds: 1000, peakDiskMiB: 700, isPartial: false };
  await live(on.writer, [jobId], 'FINISHED', { metrics });
}

const failure = {
  error: { family: 'PAYLOAD', code: 'EXIT_CODE', message: 'exit code 1', retryable: false },
} as const;

describe('a task with scouts', () => {
  it('creates the other jobs with requirements that follow from the use of the scouts', async () => {
    const { taskId, scoutIds } = await scouting({ count: 5 });
    expect(await taskOf(taskId)).toMatchObject({ state: 'SCOUTING', createUpTo: 5, createdJobs: 5 });
    for (const [index, jobId] of scoutIds.slice(1).entries()) await finish(jobId, 1024 * (index + 2));
    const open = await taskOf(taskId);
    expect(scoutSummary(open, { FINISHED: 4, RUNNING: 1 })).toBe(
      'The other 35 jobs wait for the scouts: 4 of 5 have ended.',
    );
    expect(open.state).toBe('SCOUTING');
    expect(await jobsOf(taskId)).toHaveLength(5);
    await finish(scoutIds[0] ?? '', 1024);
    await shared.untilTask(taskId, 'RUNNING');
    const [scouts, others] = [(await jobsOf(taskId)).slice(0, 5), (await jobsOf(taskId)).slice(5)];
    expect(scouts.every(({ requirements }) => requirements.memoryMiB === 2000)).toBe(true);
    const after = { memoryMiB: 6400, walltimeSeconds: 1500, diskMiB: 896 };
    expect(others.map(({ requirements }) => requirements)).toEqual(
      others.map(() => expect.objectContaining(after)),
    );
    expect(others.map(({ taskIndex }) => taskIndex)).toEqual(Array.from({ length: 35 }, (_, at) => at + 5));
    const classes = shared.db.collection<{ _id: string }>('requirementClasses');
    expect(await classes.countDocuments({ _id: others[0]?.classId ?? '' })).toBe(1);
    const { scouts: stored, createUpTo } = await taskOf(taskId);
    expect(createUpTo).toBeUndefined();
    expect(stored?.result).toMatchObject({
      finished: 5,
      shapes: [
        {
          finished: 5,
          amounts: [
            { field: 'memoryMiB', before: 2000, after: 6400, use: { measured: 5, used: 5120, most: 5120 } },
            { field: 'walltimeSeconds', before: 86_400, after: 1500, use: { used: 1000 } },
            { field: 'diskMiB', before: 4000, after: 896, use: { used: 700 } },
          ],
          outputBytes: { measured: 5, used: 0 },
        },
      ],
    });
    await live(
      process.writer,
      others.map(({ _id }) => _id),
    );
    await shared.untilTask(taskId, 'FINISHED');
  });

  it('is aborted when too many scouts fail, with their errors, and cancels all its jobs', async () => {
    const { taskId, scoutIds } = await scouting({ count: 4, maxFailedFraction: 0.25 });
    await live(process.writer, scoutIds.slice(0, 1), 'FAILED', failure);
    await finish(scoutIds[1] ?? '', 1000);
    expect((await taskOf(taskId)).state).toBe('SCOUTING');
    await live(process.writer, scoutIds.slice(2, 3), 'FAILED', failure);
    await shared.untilTask(taskId, 'CANCELLED');
    expect((await taskOf(taskId)).control).toMatchObject({
      action: 'ABORT',
      by: 'system:scouts',
      reason: '2 of 4 scouts failed, more than 25 %: EXIT_CODE (2)',
    });
    const states = (await jobsOf(taskId)).map(({ state }) => state);
    expect(states.slice(0, 4)).toEqual(['FAILED', 'FINISHED', 'FAILED', 'CANCELLED']);
    expect(states.slice(4)).toEqual(Array.from({ length: 36 }, () => 'CANCELLED'));
  });

  it('is aborted when no scout finishes', async () => {
    const { taskId, scoutIds } = await scouting({ count: 2, maxFailedFraction: 1 });
    await live(process.writer, scoutIds, 'FAILED', failure);
    await shared.untilTask(taskId, 'CANCELLED');
    expect((await taskOf(taskId)).control?.reason).toBe('None of 2 scouts finished: EXIT_CODE (2)');
  });

  it('goes on with another process, also if the scouts ended while none led', async () => {
    const first = await shared.process({ leads: false, stepSize: 3 });
    process.leader.lose();
    const { taskId, scoutIds } = await scouting({ count: 4 }, {}, first);
    for (const jobId of scoutIds) await finish(jobId, 3000, first);
    await first.stop();
    process.leader.gain();
    await shared.untilTask(taskId, 'RUNNING');
    const jobs = await jobsOf(taskId);
    expect(jobs).toHaveLength(40);
    expect(jobs.slice(4).every(({ requirements }) => requirements.memoryMiB === 3776)).toBe(true);
  });

  it('gives each shape the requirements of its own scouts', async () => {
    const set = (index: number) => ({ parameters: [], ...(index % 2 === 1 ? { variant: 0 } : {}) });
    const { taskId, scoutIds } = await scouting(
      { count: 4 },
      {
        count: undefined,
        variants: [{ name: 'merge' }, { name: 'never scouted' }],
        parameterSets: [
          ...Array.from({ length: 7 }, (_, index) => set(index)),
          { parameters: [], variant: 1 },
        ],
      },
    );
    for (const [index, jobId] of scoutIds.entries()) await finish(jobId, index % 2 === 0 ? 1000 : 4000);
    await shared.untilTask(taskId, 'RUNNING');
    const memory = (await jobsOf(taskId)).map(({ requirements }) => requirements.memoryMiB);
    expect(memory).toEqual([2000, 2000, 2000, 2000, 1280, 5056, 1280, 2000]);
  });

  it('goes on scouting while it is paused, and keeps its other jobs from workers until it is resumed', async () => {
    const { taskId, scoutIds } = await scouting({ count: 2 });
    const pause = await process.domain.taskCommands.run(someone, 'PAUSE', { taskId, reason: 'wait' });
    expect(pause.task?.state).toBe('PAUSED');
    const resumed = await process.domain.taskCommands.run(someone, 'RESUME', { taskId });
    expect(resumed.task?.state).toBe('SCOUTING');
    await process.domain.taskCommands.run(someone, 'PAUSE', { taskId, reason: 'wait' });
    for (const jobId of scoutIds) await finish(jobId, 3000);
    await waitFor('all jobs', async () => (await taskOf(taskId)).createdJobs === 40, deadline);
    expect((await taskOf(taskId)).state).toBe('PAUSED');
    expect((await jobsOf(taskId)).at(-1)?.requirements.memoryMiB).toBe(3776);
    const again = await process.domain.taskCommands.run(someone, 'RESUME', { taskId });
    expect(again.task?.state).toBe('RUNNING');
  });

  it('has no scouts if it has no other jobs', async () => {
    const { _id } = await submitTask(process, {
      ...{ experiment: 'alpha', idempotencyKey: freshKey(), name: 'small', count: 3, scouts: { count: 3 } },
      template: { name: 'work', payload: { command: 'run' } },
    });
    await shared.untilTask(_id, 'RUNNING');
    expect((await taskOf(_id)).scouts).toBeUndefined();
  });
});

describe('endScouting', () => {
  const reader = testPrincipal({ subject: 'reader@example', grants: { alpha: ['READER'] } });
  const neighbour = testPrincipal({ subject: 'neighbour@example', grants: { alpha: ['USER'] } });
  const end = (taskId: string, over = {}, principal = someone) =>
    process.domain.scoutingCommands.end(principal, { taskId, reason: 'one scout hangs', ...over });

  it('shows in a dry run what it would change, and then creates the other jobs with given amounts', async () => {
    const { taskId, scoutIds } = await scouting({ count: 3 });
    await finish(scoutIds[0] ?? '', 1000);
    const dry = await end(taskId, { isDryRun: true });
    expect(dry).toMatchObject({ jobCount: 37, userErrors: [], task: { state: 'SCOUTING' } });
    expect(dry.result?.shapes[0]?.amounts[0]).toMatchObject({ before: 2000, after: 1280 });
    expect((await taskOf(taskId)).createUpTo).toBe(3);
    const done = await end(taskId, { requirements: { memoryMiB: 4000 } });
    expect(done.task?.state).toBe('EXPANDING');
    await shared.untilTask(taskId, 'RUNNING');
    expect((await taskOf(taskId)).scouts?.result).toMatchObject({
      by: 'someone@example',
      reason: 'one scout hangs',
      finished: 1,
      shapes: [{ amounts: [{ after: 4000, isOverridden: true }, { after: 1500 }, { after: 896 }] }],
    });
    expect((await jobsOf(taskId)).at(-1)?.requirements).toMatchObject({ memoryMiB: 4000 });
    expect((await end(taskId)).userErrors).toMatchObject([{ code: 'TASK_STATE_CONFLICT', path: ['taskId'] }]);
  });

  it('refuses what is malformed, and callers who may not change the task', async () => {
    const { taskId } = await scouting({ count: 3 });
    expect((await end(taskId, { requirements: { memoryMiB: 0 } })).userErrors).toMatchObject([
      { code: 'INVALID_VALUE', path: ['requirements', 'memoryMiB'] },
    ]);
    expect((await end(taskId, {}, reader)).userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect((await end(taskId, {}, neighbour)).userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect((await end('task_nowhere')).userErrors).toMatchObject([{ code: 'TASK_NOT_FOUND' }]);
    await process.domain.taskCommands.run(someone, 'ABORT', { taskId });
    await shared.untilTask(taskId, 'CANCELLED');
    const task = await taskOf(taskId);
    expect(scoutSummary(task, {})).toBe('The task was stopped before its 3 scouts ended.');
  });
});
