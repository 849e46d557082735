/** Jobs of paused tasks, and of tasks at their limit, leave the matching, in each process of core. */
import { beforeAll, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { testDatabase, type TestDatabase, waitFor } from '@rhizome/testkit';
import { acquireOne, free, register, submitOne } from '../support/access.fixture.js';
import { type Answer, pilotOf, seed, startCore, type TestCore } from '../support/core.fixture.js';
import { deadline } from '../support/job-domain.fixture.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { ReadyJobsRepository } from '../../src/scheduler/cache/ready-jobs.repository.js';

let db: TestDatabase;
/** Leads, and has the worker. */
let leader: TestCore;
/** Accepts the commands. */
let other: TestCore;
let workerId: string;

beforeAll(async () => {
  db = await testDatabase('core');
  // On a busy machine a leader may be slow; no test depends on that.
  const config = { broker: { leaseMs: 60_000 } };
  leader = await startCore({ db, config });
  other = await startCore({ db, config });
  await seed(leader);
  workerId = await register(leader, 'north', 'a worker');
});

async function aTask(name: string, count: number, over: object = {}): Promise<string> {
  const { submitTask } = await other.ask(
    'mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { task { id } userErrors { message } } }',
    {
      input: {
        ...{ experiment: 'alpha', idempotencyKey: name, name, jobs: { count } },
        template: { name, payload: { command: 'true' } },
        ...over,
      },
    },
  );
  const id = submitTask?.['task']?.['id'] as string;
  await waitFor('the jobs of the task', async () => (await stateOf(id)) === 'RUNNING', deadline);
  return id;
}

const stateOf = async (id: string): Promise<string | undefined> =>
  (await other.ask('query ($id: ID!) { task(id: $id) { state } }', { id }))['task']?.['state'];

async function command(
  name: 'pauseTask' | 'resumeTask' | 'finishTask' | 'changeTask',
  input: object,
): Promise<void> {
  const type = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
  const text = `mutation ($input: ${type}!) { ${name}(input: $input) { task { state } userErrors { message } } }`;
  expect((await other.ask(text, { input }))[name]?.['userErrors']).toEqual([]);
}

async function whyOf(id: string, on: TestCore): Promise<string> {
  const { job } = await on.ask('query ($id: ID!) { job(id: $id) { pending { summary } } }', { id });
  return String(job?.['pending']?.['summary']);
}

const knows = (on: TestCore, jobId: string, pattern: RegExp): Promise<unknown> =>
  waitFor(`an explanation like ${pattern}`, async () => pattern.test(await whyOf(jobId, on)), deadline);

const jobsOf = async (taskId: string): Promise<string[]> =>
  (await collection(db, jobsCollection).find({ taskId }).sort({ _id: 1 }).toArray()).map(({ _id }) => _id);

/** Finishes a task, and waits until this number of its jobs is cancelled. */
async function finished(taskId: string, jobs: number): Promise<void> {
  await command('finishTask', { taskId });
  const query = { taskId, state: 'CANCELLED' } as const;
  await waitFor(
    'the jobs to be cancelled',
    async () => (await collection(db, jobsCollection).countDocuments(query)) === jobs,
    deadline,
  );
}

const acquire =
  'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { job { id } } } }';
const request = (capacity = free) => ({ input: { workerId, count: 1, free: capacity, waitSeconds: 0 } });

/** Jobs that the worker gets at once. */
async function offered(): Promise<readonly Answer[]> {
  const { acquireJobs } = await leader.ask(acquire, request(), pilotOf('north'));
  return acquireJobs?.['assignments'] as unknown as readonly Answer[];
}

/** Resolves when a process leads; a worker without free cores gets no job. */
const untilLed = (on: TestCore): Promise<unknown> =>
  waitFor(
    'a leader',
    async () =>
      (await on.run(acquire, request({ ...free, cores: 0 }), pilotOf('north'))).errors === undefined,
    deadline,
  );

it('sends no job of a paused task, at any process, sends the jobs behind them, and explains why', async () => {
  const taskId = await aTask('paused', 3000);
  const [first = '', second = ''] = await jobsOf(taskId);
  expect((await acquireOne(leader, 'north', workerId)).id).toBe(first);
  await command('pauseTask', { taskId, reason: 'the input is wrong' });
  const why = /^Its task "paused" is paused by \S+ since \d{4}-\S+Z: the input is wrong$/;
  for (const process of [other, leader]) await knows(process, second, why);
  expect(await offered()).toEqual([]);
  const behind = await submitOne(leader, { name: 'behind' });
  expect((await acquireOne(leader, 'north', workerId)).id).toBe(behind);
  await command('resumeTask', { taskId });
  expect((await acquireOne(leader, 'north', workerId)).id).toBe(second);
  await finished(taskId, 2998);
  expect(await offered()).toEqual([]);
});

it('runs no more jobs of a task than its limit, sends the jobs behind them, and explains why', async () => {
  // The jobs of the first worker go on.
  workerId = await register(leader, 'north', 'a worker of the limited task');
  const taskId = await aTask('limited', 3000, { maxRunningJobs: 2 });
  const [first = '', second = '', third = '', fourth = '', fifth = ''] = await jobsOf(taskId);
  const next = async (): Promise<string> => (await acquireOne(leader, 'north', workerId)).id;
  expect([await next(), await next()]).toEqual([first, second]);
  for (const process of [other, leader])
    await knows(process, third, /^Its task "limited" may run 2 jobs at a time, and runs as many\.$/);
  expect(await offered()).toEqual([]);
  const behind = await submitOne(leader, { name: 'behind the limit' });
  expect(await next()).toBe(behind);
  await other.ask(
    'mutation ($input: CancelJobsInput!) { cancelJobs(input: $input) { userErrors { message } } }',
    {
      input: { selection: { ids: [first, behind] } },
    },
  );
  expect(await next()).toBe(third);
  expect(await offered()).toEqual([]);
  await command('changeTask', { taskId, changes: { maxRunningJobs: 3 } });
  expect(await next()).toBe(fourth);
  expect(await offered()).toEqual([]);
  await command('changeTask', { taskId, changes: { maxRunningJobs: null } });
  expect(await next()).toBe(fifth);
  await finished(taskId, 2996);
});

it('keeps a task paused when another process leads, and reads past its jobs', async () => {
  const taskId = await aTask('still paused', 3000);
  const [first = ''] = await jobsOf(taskId);
  await command('pauseTask', { taskId, reason: 'wait' });
  const behind = await submitOne(other, { name: 'behind the task' });
  await leader.stop();
  leader = other;
  await untilLed(leader);
  // The jobs of the first worker go on.
  workerId = await register(leader, 'north', 'another worker');
  expect((await acquireOne(leader, 'north', workerId)).id).toBe(behind);
  expect(await offered()).toEqual([]);
  expect(await whyOf(first, leader)).toMatch(/is paused/);
  const job = await collection(db, jobsCollection).findOne({ _id: first });
  if (!job) throw new Error('The job is not stored');
  await submitOne(other, { name: 'one more' });
  const last = (await jobsOf(taskId)).at(-1);
  await db.command({ profile: 2 });
  const repository = new ReadyJobsRepository(collection(db, jobsCollection));
  const found = await repository.ready(job, { after: undefined, limit: 100 }, (id) =>
    id === taskId ? last : undefined,
  );
  await db.command({ profile: 0 });
  expect(found).toHaveLength(1);
  const filter = {
    ns: collection(db, jobsCollection).namespace,
    'command.hint': 'ready_idx',
    'command.limit': { $gt: 1 },
  };
  const reads = await db.collection('system.profile').find(filter).toArray();
  const examined = reads.reduce((sum, { docsExamined }) => sum + Number(docsExamined), 0);
  expect(examined).toBeGreaterThan(0);
  expect(examined).toBeLessThan(500);
  await command('resumeTask', { taskId });
  // The job behind the task may be sent before the leader knows.
  const next = [await acquireOne(leader, 'north', workerId), await acquireOne(leader, 'north', workerId)];
  expect(next.map(({ id }) => id)).toContain(first);
});
