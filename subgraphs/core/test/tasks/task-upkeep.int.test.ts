import { beforeAll, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { waitFor } from '@rhizome/testkit';
import { instead } from '../support/instead.fixture.js';
import {
  deadline,
  freshKey,
  live,
  submitTask,
  testDomain,
  type ProcessOptions,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';
import type { JobStores } from '../../src/composition/job-stores.repository.js';
import { parameterChunksCollection, type TaskDocument } from '../../src/tasks/task.document.js';
import type { TasksRepository } from '../../src/tasks/tasks.repository.js';

let shared: TestDomain;
/** Leads, and cleans up continuously. It starts no expansions, so that tests decide on them. */
let leader: TestProcess;

const withTasks =
  (change: (stores: JobStores) => Partial<TasksRepository>): ProcessOptions['stores'] =>
  (stores) => ({ ...stores, tasks: instead(stores.tasks, change(stores)) });

beforeAll(async () => {
  shared = await testDomain('upkeep');
  leader = await shared.process({ upkeepMs: 50, stores: withTasks(() => ({ claim: async () => null })) });
});

const ended = (): never => {
  throw new Error('the process ended here');
};
const pieces = () => collection(shared.db, parameterChunksCollection);
const piecesOf = (taskId: string): Promise<number> => pieces().countDocuments({ taskId });
const twoHoursAgo = (): Date => new Date(Date.now() - 7_200_000);

function aTask(key = freshKey()) {
  const parameterSets = ['a', 'b'].map((value) => ({ parameters: [{ name: 'x', value }] }));
  const template = { name: 'work', payload: { command: 'run', arguments: ['{{x}}'] } };
  return { experiment: 'alpha', idempotencyKey: key, name: 'a task', template, parameterSets };
}

async function submit(on: TestProcess, spec = aTask()): Promise<string> {
  return (await submitTask(on, spec))._id;
}

/** Submit whose process ends after the sets are written. @returns the id of the task that was not written */
async function brokenOff(key?: string): Promise<string> {
  let id = '';
  const create: TasksRepository['create'] = async (task) => {
    id = task._id;
    return ended();
  };
  const crashing = await shared.process({ leads: false, stores: withTasks(() => ({ create })) });
  await expect(submit(crashing, aTask(key))).rejects.toThrow('the process ended here');
  expect(await piecesOf(id)).toBe(1);
  return id;
}

/** Ends the last jobs of a task before it is known that all of them exist. */
const endsEarly =
  (stores: JobStores): TasksRepository['created'] =>
  async (...all) => {
    const [taskId, , , isComplete] = all;
    if (isComplete) {
      const jobs = await shared.db.collection<{ _id: string }>('jobs').find({ taskId }).toArray();
      await live(
        leader.writer,
        jobs.map(({ _id }) => _id),
      );
    }
    return stores.tasks.created(...all);
  };

it('ends a task whose sets cannot be deleted', async () => {
  const change = (stores: JobStores) => ({ created: endsEarly(stores), dropSets: async () => ended() });
  const process = await shared.process({ leads: false, stores: withTasks(change) });
  const id = await submit(process);
  await shared.untilTask(id, 'FINISHED');
  expect(await piecesOf(id)).toBe(1);
});

it('ends a task if the process that created its last jobs ended before it counted them', async () => {
  const change = (stores: JobStores) => ({
    created: async (...all: Parameters<TasksRepository['created']>) => {
      await endsEarly(stores)(...all);
      return ended();
    },
  });
  const process = await shared.process({ leads: false, stores: withTasks(change) });
  await shared.untilTask(await submit(process), 'FINISHED');
});

it('deletes old sets without a task or with all jobs, and keeps others', async () => {
  const fresh = await brokenOff();
  const idle = await shared.process({ leads: false, stores: withTasks(() => ({ claim: async () => null })) });
  const expanding = await submit(idle);
  const keeping = withTasks(() => ({ dropSets: async () => undefined }));
  const running = await submit(await shared.process({ leads: false, stores: keeping }));
  await shared.untilTask(running, 'RUNNING');
  const orphan = await brokenOff();
  const old = [expanding, running, orphan];
  await pieces().updateMany({ taskId: { $in: old } }, { $set: { createdAt: twoHoursAgo() } });
  const areGone = async () =>
    (await Promise.all([orphan, running].map(piecesOf))).every((count) => count === 0);
  await waitFor('the unused sets to be deleted', areGone, deadline);
  expect(await Promise.all([fresh, expanding].map(piecesOf))).toEqual([1, 1]);
});

it('keeps the sets of a submit that is repeated long after it was interrupted', async () => {
  leader.leader.lose();
  const key = 'repeated';
  const id = await brokenOff(key);
  await pieces().updateMany({ taskId: id }, { $set: { createdAt: twoHoursAgo() } });
  let held: Date | undefined;
  const change = (stores: JobStores) => ({
    create: async (task: TaskDocument) => {
      held = (await pieces().findOne({ taskId: id }))?.createdAt;
      return stores.tasks.create(task);
    },
  });
  const process = await shared.process({ leads: false, stores: withTasks(change) });
  expect(await submit(process, aTask(key))).toBe(id);
  expect(held?.getTime()).toBeGreaterThan(Date.now() - 3_600_000);
  await shared.untilTask(id, 'RUNNING');
  leader.leader.gain();
});
