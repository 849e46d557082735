import { beforeAll, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { waitFor } from '@rhizome/testkit';
import type { JobEvent } from '../../src/jobs/model/job-event.types.js';
import { instead } from '../support/instead.fixture.js';
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
import type { JobCountsRepository } from '../../src/jobs/model/job-counts.repository.js';
import { Completion } from '../../src/tasks/completion.js';

let shared: TestDomain;
/** Expands tasks, and leaves their ends to the test. */
let process: TestProcess;
/** Tasks whose jobs were counted. */
const counted = new Set<string>();

beforeAll(async () => {
  shared = await testDomain('completion');
  process = await shared.process({
    leads: false,
    stores: (stores) => ({
      ...stores,
      jobCounts: instead(stores.jobCounts, { stateCounts: noting(stores.jobCounts) }),
    }),
  });
});

async function aTask(count: number, on = process, over = {}): Promise<string> {
  const task = await submitTask(on, {
    experiment: 'alpha',
    idempotencyKey: freshKey(),
    name: 'a task',
    template: { name: 'work', payload: { command: 'run' } },
    count,
    ...over,
  });
  return task._id;
}

/**
 * Once it has expanded a task, the process counts its jobs and ends the task if none is live. A task whose
 * jobs end before that count would be ended by the process and not by the test, so this waits for the count.
 */
async function runningTask(count: number): Promise<{ taskId: string; jobIds: string[] }> {
  const taskId = await aTask(count);
  await shared.untilTask(taskId, 'RUNNING');
  await waitFor('the process to count the jobs of the task', () => counted.has(taskId), deadline);
  return { taskId, jobIds: await jobsOf(taskId) };
}

async function jobsOf(taskId: string): Promise<string[]> {
  const found = await shared.db.collection<{ _id: string }>('jobs').find({ taskId }).toArray();
  return found.map(({ _id }) => _id).sort();
}

function noting(jobCounts: JobCountsRepository): JobCountsRepository['stateCounts'] {
  return async (ids) => {
    const counts = await jobCounts.stateCounts(ids);
    ids.forEach((id) => counted.add(id));
    return counts;
  };
}

/** Ends a job, with the event of its end. */
async function ended(id: string): Promise<JobEvent> {
  await live(process.writer, [id]);
  return { token: '', jobId: id, last: (await shared.read(id)).last } as JobEvent;
}

/** Completion whose counts are delayed after they are taken, while the latch is closed. */
function latched() {
  let [isClosed, taken] = [false, 0];
  let release: () => void = () => undefined;
  let latch = Promise.resolve();
  const { jobCounts, tasks } = process.stores;
  const stateCounts: JobCountsRepository['stateCounts'] = async (ids) => {
    const counts = await jobCounts.stateCounts(ids);
    taken += 1;
    if (isClosed) await latch;
    return counts;
  };
  const completion = new Completion({
    tasks,
    jobCounts: instead(jobCounts, { stateCounts }),
    scouting: { check: async () => undefined },
    clock: systemClock,
  });
  return {
    completion,
    close(): void {
      isClosed = true;
      latch = new Promise((resolve) => (release = resolve));
    },
    open(): void {
      isClosed = false;
      release();
    },
    untilCounted: (times: number) => waitFor('a count to be taken', () => taken >= times, deadline),
  };
}

it('remembers an end that arrives while an older count is in progress', async () => {
  const { taskId, jobIds } = await runningTask(2);
  const { completion, close, open, untilCounted } = latched();
  await completion.check([taskId]);
  close();
  const slow = completion.check([taskId]);
  await untilCounted(2);
  const first = completion.handle([await ended(jobIds[0] ?? '')]);
  open();
  await Promise.all([slow, first]);
  await completion.handle([await ended(jobIds[1] ?? '')]);
  expect((await shared.findTask(taskId))?.state).toBe('FINISHED');
});

it('does not end a task by a count from before the retry of one of its jobs', async () => {
  const { taskId, jobIds } = await runningTask(2);
  const { completion, close, open, untilCounted } = latched();
  await live(process.writer, jobIds);
  close();
  const slow = completion.check([taskId]);
  await untilCounted(1);
  const retried = await process.domain.bulk.change(someone, 'RETRY', {
    selection: { ids: jobIds.slice(0, 1) },
    parameters: {},
    idempotencyKey: 'once more',
  });
  open();
  await slow;
  expect((await shared.findTask(taskId))?.state).toBe('RUNNING');
  const [copy = ''] = 'answer' in retried ? (retried.answer.changedIds ?? []) : [];
  await completion.handle([await ended(copy)]);
  expect(await shared.findTask(taskId)).toMatchObject({ state: 'FINISHED', endStates: { FINISHED: 2 } });
});

it('does not delay the end of a task by the cache of an earlier term', async () => {
  const { taskId, jobIds } = await runningTask(3);
  const { completion } = latched();
  await completion.check([taskId]);
  // Meanwhile another process leads and receives these ends.
  await ended(jobIds[0] ?? '');
  await ended(jobIds[1] ?? '');
  const over = new AbortController();
  over.abort();
  await completion.recover(over.signal);
  await completion.handle([await ended(jobIds[2] ?? '')]);
  expect((await shared.findTask(taskId))?.state).toBe('FINISHED');
});
