import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { instead } from '../support/instead.fixture.js';
import {
  deadline,
  freshKey,
  live,
  someone,
  submitTask,
  testDomain,
  type ProcessOptions,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import type { TaskDocument, TaskFacts } from '../../src/tasks/task.document.js';
import type { TaskSpec } from '../../src/tasks/task-spec.types.js';

let shared: TestDomain;
let process: TestProcess;

beforeAll(async () => {
  shared = await testDomain('tasks');
  process = await shared.process();
});

const aTask = (over: Partial<TaskSpec> = {}): TaskSpec => ({
  experiment: 'alpha',
  idempotencyKey: freshKey(),
  name: 'a task',
  template: { name: 'work', payload: { command: 'run', arguments: ['{{index}}'] } },
  count: 3,
  ...over,
});
const set = (x: string, ...dependsOn: string[]) => ({ parameters: [{ name: 'x', value: x }], dependsOn });

const submit = (spec: TaskSpec, on = process): Promise<TaskFacts> => submitTask(on, spec);

const jobsOf = (taskId: string): Promise<JobDocument[]> =>
  shared.db.collection<JobDocument>('jobs').find({ taskId }).sort({ _id: 1 }).toArray();
const taskOf = async (id: string): Promise<TaskDocument> => {
  const found = await shared.findTask(id);
  if (!found) throw new Error(`Task "${id}" not found.`);
  return found;
};

describe('expansion', () => {
  it('creates the given number of jobs, by position, each with its name and values', async () => {
    const task = await submit(
      aTask({
        template: {
          name: 'work',
          labels: [{ key: 'l', value: '1' }],
          priority: 4,
          share: 'other',
          payload: { command: 'run', arguments: ['-n', '{{index}}'] },
        },
      }),
    );
    expect(task).toMatchObject({
      state: 'EXPANDING',
      totalJobs: 3,
      createdJobs: 0,
      owner: 'someone@example',
      share: 'alpha/other',
    });
    await shared.untilTask(task._id, 'RUNNING');
    expect(
      (await jobsOf(task._id)).map(({ name, taskIndex, payload, priority, share, lookup, createdAt }) => ({
        name,
        taskIndex,
        args: payload.arguments,
        priority,
        share,
        lookup,
        createdAt,
      })),
    ).toEqual(
      [0, 1, 2].map((index) => ({
        name: `work ${index}`,
        taskIndex: index,
        args: ['-n', String(index)],
        priority: 4,
        share: 'alpha/other',
        lookup: ['o:alpha:someone@example', 's:alpha/other', 'l:alpha:l=1'],
        createdAt: task.createdAt,
      })),
    );
  });

  it('fills parameter sets into the template, with dependencies within the task, and stores them in bounded pieces temporarily', async () => {
    const long = 'x'.repeat(4000);
    const sets = Array.from({ length: 1200 }, (_, at) =>
      set(`${at}-${long}`, ...(at === 1199 ? ['#0', '#700'] : [])),
    );
    const template = {
      name: 'part',
      payload: {
        command: 'run',
        arguments: ['{{x}}', '{{x}}{{index}}'],
        environment: [{ name: 'X', value: '{{x}}' }],
      },
    };
    const held = await shared.process({
      leads: false,
      stores: (stores) => ({ ...stores, tasks: instead(stores.tasks, { claim: async () => null }) }),
    });
    // Nobody starts the expansion, which deletes the sets, until they are read.
    process.leader.lose();
    const task = await submit(aTask({ count: null, parameterSets: sets, template }), held);
    const chunks = await shared.db
      .collection('taskParameterSets')
      .find({ taskId: task._id })
      .sort({ _id: 1 })
      .toArray();
    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks.reduce((sum, { sets: some }) => sum + (some as unknown[]).length, 0)).toBe(1200);
    await held.stop();
    process.leader.gain();
    await shared.untilTask(task._id, 'RUNNING');
    const jobs = await jobsOf(task._id);
    expect(jobs).toHaveLength(1200);
    expect(jobs[7]?.payload).toMatchObject({
      arguments: [`7-${long}`, `7-${long}7`],
      environment: [{ name: 'X', value: `7-${long}` }],
    });
    expect(jobs[1199]).toMatchObject({ state: 'PENDING', dependsOn: [jobs[0]?._id, jobs[700]?._id] });
    await waitFor(
      'the sets to be dropped',
      async () =>
        (await shared.db.collection('taskParameterSets').countDocuments({ taskId: task._id })) === 0,
      deadline,
    );
    await live(process.writer, [jobs[0]?._id ?? '', jobs[700]?._id ?? '']);
    await waitFor(
      'the merge to be released',
      async () => (await shared.read(jobs[1199]?._id ?? '')).state === 'ACTIVATED',
      deadline,
    );
  });

  it.each([
    'before a step is written',
    'in the middle of a step',
    'after a step is written and before it is recorded',
  ])('creates each position exactly once if a process ends %s', async (when) => {
    let steps = 0;
    const end = (): never => {
      throw new Error('the process ended here');
    };
    const stores: ProcessOptions['stores'] = (all) => ({
      ...all,
      jobs: instead(all.jobs, {
        insertNew: async (documents) => {
          steps += 1;
          if (steps < 3) return all.jobs.insertNew(documents);
          if (when.startsWith('before')) end();
          await all.jobs.insertNew(when.startsWith('in the middle') ? documents.slice(0, 123) : documents);
          return when.startsWith('in the middle') ? end() : undefined;
        },
      }),
      tasks: instead(all.tasks, {
        created: async (...args) => (steps >= 3 ? end() : all.tasks.created(...args)),
      }),
    });
    const crashing = await shared.process({ leads: false, stepSize: 200, stores });
    // Nobody resumes it until the state that the crash left behind is read.
    process.leader.lose();
    const task = await submit(aTask({ count: 900 }), crashing);
    await waitFor('the third step', () => steps >= 3, deadline);
    await crashing.stop();
    expect(await taskOf(task._id)).toMatchObject({ state: 'EXPANDING', createdJobs: 400 });
    process.leader.gain();
    await shared.untilTask(task._id, 'RUNNING');
    const jobs = await jobsOf(task._id);
    expect(jobs.map(({ taskIndex }) => taskIndex)).toEqual(Array.from({ length: 900 }, (_, index) => index));
    expect(await taskOf(task._id)).toMatchObject({ createdJobs: 900, totalJobs: 900 });
  });

  it('creates each job once if two processes expand the same task', async () => {
    const task = await submit(
      aTask({ count: 700 }),
      await shared.process({
        leads: false,
        stores: (all) => ({ ...all, tasks: instead(all.tasks, { claim: async () => null }) }),
      }),
    );
    const ignoring: ProcessOptions['stores'] = (all) => ({
      ...all,
      tasks: instead(all.tasks, {
        claim: async (id) => (await all.tasks.find([id]))[0] ?? null,
        created: async () => 0,
      }),
    });
    const rivals = await Promise.all([
      shared.process({ stores: ignoring, stepSize: 100 }),
      shared.process({ stores: ignoring, stepSize: 170 }),
    ]);
    await waitFor(
      'all jobs',
      async () => (await shared.db.collection('jobs').countDocuments({ taskId: task._id })) >= 700,
      deadline,
    );
    await Promise.all(rivals.map((rival) => rival.stop()));
    expect((await jobsOf(task._id)).map(({ taskIndex }) => taskIndex)).toEqual(
      Array.from({ length: 700 }, (_, index) => index),
    );
  });
});

describe('submit', () => {
  it('returns the same task for the same key and refuses other content', async () => {
    const spec = aTask();
    const first = await submit(spec);
    expect((await submit(spec))._id).toBe(first._id);
    expect(await process.domain.tasks.submit(someone, { ...spec, count: 4 })).toMatchObject({
      refusals: [{ code: 'IDEMPOTENCY_KEY_REUSED', path: ['idempotencyKey'] }],
    });
  });

  it('completes a submit that ended between its parts when it is repeated', async () => {
    const crashing = await shared.process({
      leads: false,
      stores: (all) => ({
        ...all,
        tasks: instead(all.tasks, { create: () => Promise.reject(new Error('the process ended here')) }),
      }),
    });
    const spec = aTask({
      count: null,
      parameterSets: [set('a'), set('b')],
      template: { name: '{{x}}', payload: { command: 'run' } },
    });
    await expect(crashing.domain.tasks.submit(someone, spec)).rejects.toThrow('the process ended here');
    const task = await submit(spec);
    await shared.untilTask(task._id, 'RUNNING');
    expect((await jobsOf(task._id)).map(({ name }) => name)).toEqual(['a 0', 'b 1']);
  });

  it.each<[string, Partial<TaskSpec>, string, string]>([
    ['neither count nor sets', { count: null }, 'jobs', 'INVALID_VALUE'],
    ['both count and sets', { parameterSets: [set('a')] }, 'jobs', 'INVALID_VALUE'],
    ['too many jobs', { count: 1_000_001 }, 'jobs.count', 'INVALID_VALUE'],
    ['no name', { name: '' }, 'name', 'INVALID_VALUE'],
    ['an unknown experiment', { experiment: 'gamma' }, 'experiment', 'EXPERIMENT_NOT_FOUND'],
    [
      'an unknown share',
      { template: { name: 'w', share: 'nowhere', payload: { command: 'x' } } },
      'template.share',
      'SHARE_NOT_FOUND',
    ],
    [
      'a bad selector',
      { template: { name: 'w', requirements: { selector: 'bad' }, payload: { command: 'x' } } },
      'template.requirements.selector',
      'SELECTOR_INVALID',
    ],
    [
      'a parameter that no set gives',
      { count: null, parameterSets: [set('a')], template: { name: '{{y}}', payload: { command: 'x' } } },
      'jobs.parameterSets.0.parameters',
      'INVALID_VALUE',
    ],
    [
      'a value that makes a bad file name',
      {
        count: null,
        parameterSets: [set('a'), set('../b')],
        template: { name: 'w', payload: { command: 'x', outputs: ['{{x}}'] } },
      },
      'jobs.parameterSets.1.payload.outputs.0',
      'INVALID_VALUE',
    ],
    [
      'a job that waits for a later one',
      { count: null, parameterSets: [set('a', '#1'), set('b')] },
      'jobs.parameterSets.0.dependsOn.0',
      'DEPENDENCY_INVALID',
    ],
    [
      'an unknown parent',
      { count: null, parameterSets: [set('a'), set('b', 'job_unknown')] },
      'jobs.parameterSets.1.dependsOn',
      'DEPENDENCY_INVALID',
    ],
  ])('refuses %s and writes nothing', async (_name, over, path, code) => {
    const names = ['tasks', 'taskParameterSets', 'submissions'];
    const stored = async (): Promise<string[]> => {
      const all = names.map((name) => shared.db.collection<{ _id: string }>(name).find().toArray());
      return (await Promise.all(all)).flat().map(({ _id }) => _id);
    };
    const before = new Set(await stored());
    const result = await process.domain.tasks.submit(
      testPrincipal({ subject: 'someone@example' }),
      aTask(over),
    );
    expect(
      'refusals' in result && result.refusals.map((refusal) => [refusal.path.join('.'), refusal.code]),
    ).toContainEqual([path, code]);
    expect((await stored()).filter((id) => !before.has(id))).toEqual([]);
  });
});

describe('progress', () => {
  const started = async (count: number, on = process): Promise<{ id: string; ids: string[] }> => {
    const { _id } = await submit(aTask({ count }), on);
    await shared.untilTask(_id, 'RUNNING');
    return { id: _id, ids: (await jobsOf(_id)).map((job) => job._id) };
  };
  const cancel = (ids: readonly string[]) =>
    process.domain.bulk.change(someone, 'CANCEL', { selection: { ids }, parameters: {} });

  it('sets a task FINISHED when all of its jobs have', async () => {
    const { id, ids } = await started(20);
    await live(process.writer, ids.slice(0, 19));
    expect((await taskOf(id)).state).toBe('RUNNING');
    await waitFor(
      '19 of 20',
      async () => {
        const [progress] = await process.domain.tasks.progressOf([await taskOf(id)]);
        return progress?.states.FINISHED === 19 && progress.states.ACTIVATED === 1;
      },
      deadline,
    );
    await live(process.writer, ids.slice(19));
    await shared.untilTask(id, 'FINISHED');
    expect(await taskOf(id)).toMatchObject({ endedAt: expect.any(Date), endStates: { FINISHED: 20 } });
  });

  it('sets it FAILED when a job failed, and CANCELLED when the others were cancelled', async () => {
    const failed = await started(3);
    await live(process.writer, failed.ids.slice(0, 1), 'FAILED');
    await live(process.writer, failed.ids.slice(1));
    await shared.untilTask(failed.id, 'FAILED');
    const cancelled = await started(3);
    await cancel(cancelled.ids);
    await shared.untilTask(cancelled.id, 'CANCELLED');
  });

  it('reopens a failed task on a retry; the copy replaces the job, and the task can still finish', async () => {
    const { id, ids } = await started(3);
    await live(process.writer, ids.slice(0, 1), 'FAILED');
    await live(process.writer, ids.slice(1));
    await shared.untilTask(id, 'FAILED');
    const result = await process.domain.bulk.change(someone, 'RETRY', {
      selection: { ids: ids.slice(0, 1) },
      parameters: {},
      idempotencyKey: `retry ${id}`,
    });
    const [copy = ''] = ('answer' in result && result.answer.changedIds) || [];
    expect(await taskOf(id)).toMatchObject({ state: 'RUNNING', totalJobs: 3 });
    expect(await shared.read(copy)).toMatchObject({ taskId: id, taskIndex: 0, retryOf: ids[0] });
    await waitFor(
      'the copy in the counts',
      async () => {
        const [progress] = await process.domain.tasks.progressOf([await taskOf(id)]);
        return JSON.stringify(progress?.states) === JSON.stringify({ ACTIVATED: 1, FINISHED: 2 });
      },
      deadline,
    );
    await live(process.writer, [copy]);
    await shared.untilTask(id, 'FINISHED');
    expect((await taskOf(id)).endStates).toEqual({ FINISHED: 3 });
  });

  it('finds ends that nobody followed under the next leader', async () => {
    const expanding = await shared.process({ leads: false });
    const { id, ids } = await started(5, expanding);
    // It counts a task once, just after it becomes RUNNING.
    await expanding.stop();
    process.leader.lose();
    await live(process.writer, ids);
    await shared.db.collection('consumers').deleteMany({});
    expect((await taskOf(id)).state).toBe('RUNNING');
    process.leader.gain();
    await shared.untilTask(id, 'FINISHED');
  });
});
