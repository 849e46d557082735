import { beforeAll, describe, expect, it } from '@jest/globals';
import { digestOf } from '@rhizome/digest';
import { experiment } from '@rhizome/rubin';
import { waitFor } from '@rhizome/testkit';
import type { AnyData } from '../e2e/system/api.js';
import { blindFor, losing } from './faulty-client.js';
import { answers, cancelInCore, quantum, retry, show, submit, wanted } from './rubin-calls.js';
import { type System, type RunningExperiment, startTestSystem } from './test-system.js';
import { startWorker, type TestWorker } from './worker.js';

const deadline = { deadlineMs: 60_000 };

let system: System;
let running: RunningExperiment;
let worker: TestWorker;

beforeAll(async () => {
  system = await startTestSystem([experiment], { registered: false });
  running = system.experiments['rubin'] as RunningExperiment;
  worker = await startWorker(system);
});

const submitted = async (input: object) => {
  const { data, errors } = await system.ask(submit, { input });
  return { ...data?.submitRubinWorkflow, errors };
};
const retried = async (input: object, token?: string) => {
  const { data, errors } = await system.ask(retry, { input }, token);
  return { ...data?.retryRubinWorkflow, errors };
};
const shown = async (id: string) => (await system.ask(show, { id })).data.rubin.workflow;
const answered = async (id: string) => (await system.ask(answers, { id })).data.rubin.workflow;
const answeredWith = (what: string, id: string, isRight: (of: AnyData) => boolean) =>
  waitFor(
    what,
    async () => {
      const found = await answered(id);
      return isRight(found) && found;
    },
    deadline,
  );
const finished = (id: string, count: number) =>
  waitFor(
    `${count} finished quanta`,
    async () => {
      const found = await shown(id);
      return found.finishedQuanta === count && found;
    },
    deadline,
  );
/** Runs all jobs of a workflow of core, and waits for its end. */
const runAll = (id: string) =>
  waitFor(
    'the end of the workflow',
    async () => {
      const run = await worker.runAll();
      all.push(...run);
      return (await shown(id)).workflow.state === 'SUCCEEDED' && all.splice(0);
    },
    deadline,
  );
const all: { readonly name: string; readonly arguments: readonly string[] }[] = [];
const written = async (key: string) => {
  const workflows = await running.db.collection('workflows').countDocuments({ idempotencyKey: key });
  return [workflows, await running.db.collection('quanta').countDocuments({})];
};

describe('a workflow', () => {
  it('removes its quanta when core refuses it, and frees its key', async () => {
    const refused = await submitted(wanted('refused'));
    expect(refused.workflow).toBeNull();
    expect(refused.userErrors).toMatchObject([{ code: 'REFUSED_BY_CORE', path: [] }]);
    expect(await written('refused')).toEqual([0, 0]);
    await system.register('rubin');
    const { workflow } = await submitted(wanted('refused'));
    expect(await written('refused')).toEqual([1, 5]);
    expect((await runAll(workflow.id)).length).toBe(5);
  });

  it('becomes a workflow of core whose jobs wait for those that their quanta need', async () => {
    const { workflow, userErrors } = await submitted(wanted('graph', { finalJob: { command: 'merge' } }));
    expect(userErrors).toEqual([]);
    expect((await shown(workflow.id)).workflow.nodes.nodes).toMatchObject([
      { name: 'isr1', neededEdges: 0 },
      { name: 'calibrate1', neededEdges: 1 },
      { name: 'isr2', neededEdges: 0 },
      { name: 'calibrate2', neededEdges: 1 },
      { name: 'coadd', neededEdges: 2 },
      { name: '~final', isFinal: true },
    ]);
    const run = await runAll(workflow.id);
    expect(run.map(({ name }) => name).slice(-2)).toEqual(['coadd', '~final']);
    const own = ['--label', 'coadd', '--data-id', 'visit=coadd', '--quantum', 'coadd'];
    expect(run.at(-2)?.arguments).toEqual(['run', ...own]);
    const done = await finished(workflow.id, 5);
    expect(done.task).toBeNull();
    const jobs = done.workflow.nodes.nodes.map(({ job }: { job: object }) => job);
    expect(jobs[0].rubin).toEqual({
      quantum: { name: 'isr1', label: 'isr', dataId: 'visit=isr1' },
      quanta: [{ name: 'isr1' }],
      workflow: { pipeline: 'DRP' },
    });
    expect(jobs[5].rubin).toEqual({ quantum: null, quanta: [], workflow: { pipeline: 'DRP' } });
    expect(done.quanta.totalCount).toBe(5);
    expect(done.quanta.nodes.map(({ name }: { name: string }) => name)).toEqual([
      'isr1',
      'calibrate1',
      'isr2',
      'calibrate2',
      'coadd',
    ]);
    expect(done.few).toMatchObject({
      edges: [{ node: { name: 'isr1' } }],
      pageInfo: { hasNextPage: true, endCursor: done.few.edges[0].cursor },
    });
  });

  it('runs the quanta of a cluster in one job', async () => {
    const quanta = [quantum('isr1'), quantum('isr2'), quantum('isr3'), quantum('coadd', 'isr1', 'isr3')];
    const labels = [{ label: 'isr', quantaPerJob: 2 }];
    const { workflow } = await submitted(wanted('clusters', { quanta, labels }));
    const run = await runAll(workflow.id);
    expect(run.map(({ name }) => name)).toEqual(['isr~0001', 'isr~0002', 'coadd']);
    const done = await finished(workflow.id, 4);
    expect(done.workflow.nodes.nodes[0].job.rubin.quanta).toEqual([{ name: 'isr1' }, { name: 'isr2' }]);
    expect((await answered(workflow.id)).labels).toMatchObject([
      { label: 'isr', expected: 3, succeeded: 3 },
      { label: 'coadd', expected: 1, succeeded: 1 },
    ]);
  });

  it('takes quanta of a failed cluster as done that its program reports so', async () => {
    const quanta = [quantum('isr1'), quantum('isr2'), quantum('isr3')];
    const labels = [{ label: 'isr', quantaPerJob: 3, maxAttempts: 1 }];
    const { workflow } = await submitted(wanted('reports', { quanta, labels }));
    // A log before it that cannot be read.
    const reported = running.db.collection<{ _id: string }>('quantumReports');
    const other = await running.db.collection('workflows').findOne({ idempotencyKey: 'clusters' });
    const clusters = await shown(String(other?._id));
    const unreadable = { _id: `${String(other?._id)}/0000000`, schemaVersion: 1, revision: 1 };
    const { id: jobId } = clusters.workflow.nodes.nodes[0].job;
    await reported.deleteOne({ _id: unreadable._id });
    await reported.insertOne({
      ...{ ...unreadable, updatedAt: new Date(), jobId, attempts: 1, isDue: true, quanta: [] },
    } as never);
    await running.restart(blindFor(system.service('rubin'), jobId));
    const jobs = await worker.acquire(1);
    await worker.print(jobs, [
      'processing',
      '{"rubinQuantum":"isr1","exitCode":0,"seconds":2.5}',
      '{"rubinQuantum":"isr2","exitCode":7,"seconds":1}',
    ]);
    await worker.fail(jobs);
    const found = await answeredWith('the reports', workflow.id, ({ labels: of }) => of[0].succeeded === 1);
    expect(found.labels).toMatchObject([{ expected: 3, succeeded: 1, failed: 2 }]);
    expect(
      found.reports.nodes.map(({ name, report }: { name: string; report: object }) => [name, report]),
    ).toEqual([
      ['isr1', { exitCode: 0, seconds: 2.5 }],
      ['isr2', { exitCode: 7, seconds: 1 }],
      ['isr3', null],
    ]);
    expect(await reported.findOne({ _id: unreadable._id })).toMatchObject({ isDue: true });
    await reported.deleteOne({ _id: unreadable._id });
    await running.restart();
    expect((await retried({ workflowId: workflow.id, idempotencyKey: 'rest' })).userErrors).toEqual([]);
    expect((await runAll(workflow.id)).map(({ name }) => name)).toEqual(['isr~0001']);
    await finished(workflow.id, 3);
  });

  it('submits its stored quanta after a crash', async () => {
    await running.restart(losing(system.service('rubin'), 'request'));
    expect((await submitted(wanted('crash'))).errors).toMatchObject([{ code: 'SERVICE_UNAVAILABLE' }]);
    await running.restart();
    const { workflow } = await submitted(wanted('crash'));
    expect((await runAll(workflow.id)).length).toBe(5);
  });

  it('becomes one workflow of core, whichever call of its parts is lost', async () => {
    const quanta = Array.from({ length: 2600 }, (_, at) => ({ ...quantum(`isr${at}`), label: 'isr' }));
    const large = wanted('large', { name: 'large', quanta });
    // The beginning, two parts and the seal.
    for (const sent of [0, 1, 2, 3])
      for (const loss of ['request', 'answer'] as const) {
        await running.restart(losing(system.service('rubin'), loss, sent));
        expect((await submitted(large)).errors).toMatchObject([{ code: 'SERVICE_UNAVAILABLE' }]);
      }
    await running.restart();
    const { workflow } = await submitted(large);
    expect(workflow.totalQuanta).toBe(2600);
    const known = '{ workflows(filter: { names: ["large"] }) { nodes { id state counts { total } } } }';
    expect((await system.ask(known)).data.workflows.nodes).toMatchObject([
      { id: workflow.workflow.id, counts: { total: 2600 } },
    ]);
    await system.ask(cancelInCore, { id: workflow.workflow.id });
  });

  it('is refused if core cancelled it before all of its parts came', async () => {
    const quanta = Array.from({ length: 2600 }, (_, at) => ({ ...quantum(`isr${at}`), label: 'isr' }));
    const stopped = wanted('stopped', { name: 'stopped', quanta });
    await running.restart(losing(system.service('rubin'), 'request', 2));
    expect((await submitted(stopped)).errors).toMatchObject([{ code: 'SERVICE_UNAVAILABLE' }]);
    const open = '{ workflows(filter: { names: ["stopped"] }) { nodes { id state } } }';
    const [workflow] = (await system.ask(open)).data.workflows.nodes;
    expect(workflow.state).toBe('OPEN');
    await system.ask(cancelInCore, { id: workflow.id });
    // Names repeat: more than a page of newer workflows have this one.
    const inCore = system.core.db.collection<{ _id: string }>('workflows');
    const one = await inCore.findOne({ _id: workflow.id });
    await inCore.insertMany(
      Array.from({ length: 101 }, (_, at) => ({ ...one, _id: `${workflow.id}${at}`, labels: [] })),
    );
    // The sweep of the new process submits what was left.
    await running.restart();
    await waitFor('the removal', async () => (await written('stopped'))[0] === 0, deadline);
  });

  it('begins again if core dropped it because no part came for a day', async () => {
    const quanta = Array.from({ length: 2600 }, (_, at) => ({ ...quantum(`isr${at}`), label: 'isr' }));
    const late = wanted('late', { name: 'late', quanta });
    await running.restart(losing(system.service('rubin'), 'request', 2));
    expect((await submitted(late)).errors).toMatchObject([{ code: 'SERVICE_UNAVAILABLE' }]);
    const known = '{ workflows(filter: { names: ["late"] }) { nodes { id state counts { total } } } }';
    const [dropped] = (await system.ask(known)).data.workflows.nodes;
    await system.ask(cancelInCore, { id: dropped.id });
    // As core does it after a day.
    await system.core.db
      .collection<{ _id: string }>('workflows')
      .updateOne({ _id: dropped.id }, { $set: { 'cancel.by': 'system:workflows' } });
    await running.restart();
    const { workflow } = await submitted(late);
    const [newest, ...others] = (await system.ask(known)).data.workflows.nodes;
    expect(others).toMatchObject([{ id: dropped.id, state: 'CANCELLED' }]);
    expect(newest).toMatchObject({ id: workflow.workflow.id, counts: { total: 2600 } });
    await system.ask(cancelInCore, { id: newest.id });
  });

  it('shows what core cancelled before it had a job', async () => {
    const { workflow } = await submitted(wanted('ended'));
    await waitFor(
      'the first jobs',
      async () => (await answered(workflow.id)).labels[0].ready === 2,
      deadline,
    );
    await system.ask(cancelInCore, { id: workflow.workflow.id });
    await answeredWith('the end of the jobs', workflow.id, ({ labels: of }) => of[0].cancelled === 2);
    await waitFor(
      'the end of the workflow',
      async () => (await shown(workflow.id)).workflow.state === 'CANCELLED',
      deadline,
    );
    // The sweep of the new process asks core at once.
    await running.restart();
    const found = await answeredWith('the end', workflow.id, ({ labels: of }) => of[1].cancelled === 2);
    expect(found.labels).toMatchObject([
      { label: 'isr', cancelled: 2, ready: 0 },
      { label: 'calibrate', cancelled: 2, waiting: 0, blocked: 0 },
      { label: 'coadd', cancelled: 1, waiting: 0, blocked: 0 },
    ]);
    expect(found.estimatedEndAt).toBeNull();
    expect(found.retryPreview).toMatchObject({ failed: 5, blocked: 0 });
  });

  it('is placed on workers with its release, and explains that', async () => {
    const { workflow } = await submitted(wanted('released', { release: 'w_2030_12' }));
    const jobs =
      'workflow { nodes(first: 1) { nodes { job { requirements { selector } rubin { placement { text selector } } } } } }';
    const placed = `query ($id: ID!) { rubin { workflow(id: $id) { ${jobs} } } }`;
    const selector = 'worker.labels["rubin-release"] == "w_2030_12"';
    const job = await waitFor(
      'the job',
      async () =>
        (await system.ask(placed, { id: workflow.id })).data.rubin.workflow.workflow.nodes.nodes[0].job,
      deadline,
    );
    const text = expect.stringContaining('rubin-release=w_2030_12');
    expect(job).toEqual({ requirements: { selector }, rubin: { placement: [{ text, selector }] } });
    await system.ask(cancelInCore, { id: workflow.workflow.id });
  });

  it.each([
    ['name', { name: '' }, 'INVALID_VALUE'],
    ['pipeline', { pipeline: 'x'.repeat(64) }, 'INVALID_VALUE'],
    ['release', { release: '' }, 'INVALID_VALUE'],
    ['quanta', { quanta: [] }, 'INVALID_VALUE'],
    ['quanta.0.name', { quanta: [{ ...quantum('a b'), label: 'isr' }] }, 'INVALID_VALUE'],
    ['quanta.1.name', { quanta: [quantum('a'), quantum('a')] }, 'INVALID_VALUE'],
    ['quanta.0.label', { quanta: [{ ...quantum('a'), label: '' }] }, 'INVALID_VALUE'],
    ['quanta.0.dataId', { quanta: [{ ...quantum('a'), dataId: '' }] }, 'INVALID_VALUE'],
    ['quanta.1.needs.0', { quanta: [quantum('a'), quantum('b', 'c')] }, 'INVALID_VALUE'],
    [
      'quanta.0.needs',
      { quanta: [quantum('a', 'c'), quantum('b', 'a'), quantum('c', 'b')] },
      'GRAPH_CIRCULAR',
    ],
    ['quanta.0.needs', { quanta: [quantum('a', 'a')] }, 'GRAPH_CIRCULAR'],
    ['memoryMiB', { memoryMiB: 0 }, 'INVALID_VALUE'],
  ])('refuses a bad %s and writes nothing', async (path, bad, code) => {
    const before = await written('bad');
    const { workflow, userErrors } = await submitted({ ...wanted('bad'), ...bad });
    expect(workflow).toBeNull();
    expect(userErrors).toMatchObject([{ code, path: path.split('.') }]);
    expect(userErrors[0].message).toMatch(new RegExp(`^${path}: .*must be `));
    expect(await written('bad')).toEqual(before);
  });

  it('takes at most 200 labels in a filter of quanta', async () => {
    const query = `query ($id: ID!, $labels: [String!]) {
      rubin { workflow(id: $id) { quanta(filter: { labels: $labels }) { totalCount } } }
    }`;
    const one = await running.db.collection('workflows').findOne({ idempotencyKey: 'graph' });
    const ask = (count: number) =>
      system.ask(query, { id: String(one?._id), labels: Array.from({ length: count }, () => 'isr') });
    expect((await ask(200)).data.rubin.workflow.quanta.totalCount).toBe(2);
    expect((await ask(201)).errors).toMatchObject([{ code: 'BAD_USER_INPUT' }]);
  });

  it('refuses a cycle and names it', async () => {
    const { userErrors } = await submitted(
      wanted('circle', { quanta: [quantum('a', 'c'), quantum('b', 'a'), quantum('c', 'b')] }),
    );
    expect(userErrors[0].message).toContain('a → c → b → a');
  });
});

describe('a workflow of the version before', () => {
  const now = new Date();
  const old = {
    ...{ _id: 'rubinWorkflow_0', schemaVersion: 1, revision: 3, createdAt: now, updatedAt: now },
    ...{ submittedBy: 'somebody', idempotencyKey: 'old', digest: 'd', stage: 'OPEN', taskId: 'task_0' },
    ...{ totalJobs: 2, finishedJobs: 1, lostJobs: 0, amounts: {}, name: 'old', pipeline: 'DRP' },
    ...{ command: 'c', arguments: [], memoryMiB: 1, walltimeSeconds: 1 },
  };
  const quanta = [0, 1].map((at) => ({
    ...{ _id: `rubinWorkflow_0/0000${at}`, schemaVersion: 1, revision: 1, name: `q${at}`, label: 'isr' },
    ...{ dataId: 'visit=1', needs: at === 0 ? [] : ['q0'] },
  }));

  it('stays readable as a task of core after the migration', async () => {
    const { db } = running;
    // The validators are those of today.
    const unchecked = { bypassDocumentValidation: true };
    await db.collection<{ _id: string }>('workflows').insertOne(old, unchecked);
    await db.collection<{ _id: string }>('quanta').insertMany(quanta, unchecked);
    const { deletedCount } = await db
      .collection<{ _id: string }>('migrations')
      .deleteOne({ _id: '0004-workflows-of-core' });
    expect(deletedCount).toBe(1);
    await running.restart();
    const query = `{ rubin { workflow(id: "rubinWorkflow_0") {
      totalQuanta finishedQuanta task { id } workflow { id } labels { label } cost { coreHours }
      quanta { totalCount nodes { name needs dimensions { value } state run { attempts } cluster } }
    } } }`;
    const none = { dimensions: [], state: null, run: null, cluster: null };
    expect((await system.ask(query)).data.rubin.workflow).toEqual({
      ...{ totalQuanta: 2, finishedQuanta: 1, task: { id: 'task_0' }, workflow: null },
      ...{ labels: [], cost: { coreHours: 0 } },
      quanta: {
        totalCount: 2,
        nodes: [
          { name: 'q0', needs: [], ...none },
          { name: 'q1', needs: ['q0'], ...none },
        ],
      },
    });
    expect(
      await db.collection<{ _id: string }>('workflows').findOne({ _id: 'rubinWorkflow_0' }),
    ).toMatchObject({ schemaVersion: 1, totalQuanta: 2 });
    const input = { workflowId: 'rubinWorkflow_0', idempotencyKey: 'old' };
    expect((await retried(input)).userErrors).toMatchObject([{ code: 'WORKFLOW_STATE_CONFLICT' }]);
  });

  it('answers the call that submitted it, which a client repeats', async () => {
    const collection = running.db.collection('workflows');
    const { idempotencyKey, name, pipeline, command, ...rest } = wanted('repeated');
    // As the service of that time had it, with the defaults of its schema.
    const defaults = { memoryMiB: 4000, walltimeSeconds: 7200, labels: [] };
    const digest = digestOf({ name, pipeline, command, ...rest, ...defaults });
    const one = await collection.findOne({ idempotencyKey: 'graph' });
    await collection.updateOne(
      { idempotencyKey: 'old' },
      { $set: { idempotencyKey, digest, submittedBy: String(one?.['submittedBy']) } },
      { bypassDocumentValidation: true },
    );
    const { workflow, userErrors } = await submitted(wanted('repeated'));
    expect(userErrors).toEqual([]);
    expect(workflow).toMatchObject({ id: 'rubinWorkflow_0' });
  });

  it('is not submitted again if a crash left it before its task was noted', async () => {
    const { db } = running;
    const _id = 'rubinWorkflow_1';
    const labels = [{ key: 'rubin-workflow', value: _id }];
    const far = { name: 'old', payload: { command: 'true' }, requirements: { cores: 4000 }, labels };
    const task = { experiment: 'rubin', idempotencyKey: _id, name: 'old', template: far, jobs: { count: 1 } };
    const made = await system.ask(
      'mutation ($i: SubmitTaskInput!) { submitTask(input: $i) { task { id } } }',
      { i: task },
    );
    const { id: taskId } = made.data.submitTask.task;
    await waitFor(
      'the job of the task',
      async () => {
        const query = 'query ($id: ID!) { task(id: $id) { jobs { nodes { id } } } }';
        return (await system.ask(query, { id: taskId })).data.task.jobs.nodes.length === 1;
      },
      deadline,
    );
    const { taskId: _none, ...rest } = old;
    const left = { ...rest, _id, idempotencyKey: 'left', stage: 'SUBMITTING', totalQuanta: 2 };
    const collection = db.collection<{ _id: string; taskId?: string }>('workflows');
    await collection.insertOne(left, { bypassDocumentValidation: true });
    await running.restart();
    const noted = async () => (await collection.findOne({ _id }))?.taskId;
    expect(await waitFor('the task to be noted', noted, deadline)).toBe(taskId);
    await system.ask('mutation ($id: ID!) { abortTask(input: { taskId: $id }) { userErrors { code } } }', {
      id: taskId,
    });
  });
});

describe('the retry of a workflow', () => {
  const labels = [{ label: 'isr', memoryFactor: 2, maxAttempts: 2 }];
  let id: string;

  beforeAll(async () => {
    // The first one said nothing for too long.
    worker = await startWorker(system, 'two');
  });

  it('follows what failed: the answers say what, why, and what it blocks', async () => {
    const { workflow } = await submitted(wanted('failing', { labels, finalJob: { command: 'merge' } }));
    id = workflow.id;
    const first = await worker.acquire(2);
    const isr = (name: string) => first.filter((job) => job.name === name);
    await worker.fail(isr('isr1'), 'MEMORY_EXCEEDED');
    await worker.fail(isr('isr2'));
    const [again] = await worker.acquire(1);
    expect(again?.name).toBe('isr1');
    await worker.finish([again as never]);
    await worker.finish(await worker.acquire(1));
    const found = await answeredWith('the end of calibrate1', id, ({ labels: of }) => of[1].succeeded === 1);
    expect(found.labels).toMatchObject([
      { label: 'isr', expected: 2, succeeded: 1, failed: 1, escalated: 1 },
      { label: 'calibrate', expected: 2, succeeded: 1, blocked: 1 },
      { label: 'coadd', expected: 1, blocked: 1 },
    ]);
    expect(found.failures).toMatchObject([
      {
        ...{ code: 'WALLTIME_EXCEEDED', count: 1 },
        samples: [
          { name: 'isr2', dataId: 'visit=isr2', run: { errorMessage: 'too much', job: { name: 'isr2' } } },
        ],
      },
    ]);
    expect(found.blockers).toEqual([{ blockedQuanta: 2, quantum: { name: 'isr2' } }]);
    expect(found.retryPreview).toMatchObject({ failed: 1, blocked: 2 });
    expect(found.escalatedQuanta).toEqual([{ name: 'isr1', run: { memoryMiB: 8000 } }]);
    expect(found.sites).toMatchObject([{ site: { name: 'POLE' }, succeeded: 2, failed: 1 }]);
    expect(found.cost.lostCoreHours).toBeGreaterThan(0);
    expect(found.blocked).toEqual({
      totalCount: 2,
      nodes: [
        { name: 'calibrate2', blockedBy: [{ name: 'isr2' }] },
        { name: 'coadd', blockedBy: [{ name: 'isr2' }] },
      ],
    });
    expect(found.report.rows[0]).toEqual({ label: 'isr', succeeded: 1, failed: 1, pruned: 0, expected: 2 });
    expect(found.report.text).toMatch(/^coadd .* 1 +1$/m);
  });

  it('runs failed and blocked quanta again, with more memory, once for each key', async () => {
    const final = await worker.acquire(1);
    expect(final.map(({ name }) => name)).toEqual(['~final']);
    await worker.finish(final);
    await waitFor('the end', async () => (await shown(id)).workflow.state === 'FAILED', deadline);
    const input = { workflowId: id, idempotencyKey: 'again', memoryFactor: 2 };
    expect((await retried(input)).userErrors).toEqual([]);
    expect((await retried(input)).userErrors).toEqual([]);
    const other = await retried({ ...input, memoryFactor: 3 });
    expect(other.userErrors).toMatchObject([{ code: 'IDEMPOTENCY_KEY_REUSED' }]);
    const run = await runAll(id);
    expect(run.map(({ name }) => name)).toEqual(['isr2', 'calibrate2', 'coadd', '~final']);
    const found = await answeredWith('the end of all', id, ({ labels: of }) => of[2].succeeded === 1);
    expect(found.changedQuanta).toEqual([
      { name: 'isr2', state: 'SUCCEEDED', previousRun: { errorCode: 'WALLTIME_EXCEEDED' } },
    ]);
    expect(found.escalatedQuanta.map(({ name }: { name: string }) => name)).toEqual(['isr1', 'isr2']);
    expect((await finished(id, 5)).workflow.state).toBe('SUCCEEDED');
  });

  it('runs named quanta again, and what needs them', async () => {
    const input = { workflowId: id, idempotencyKey: 'named', quanta: ['calibrate2'] };
    expect((await retried(input)).userErrors).toEqual([]);
    // What succeeded before counts no longer.
    const jobs = await worker.acquire(1);
    expect(jobs.map(({ name }) => name)).toEqual(['calibrate2']);
    await worker.fail(jobs);
    const found = await answeredWith('the failure', id, ({ labels: of }) => of[1].failed === 1);
    expect(found.labels[2]).toMatchObject({ label: 'coadd', succeeded: 0, blocked: 1 });
    expect(found.blockers).toEqual([{ blockedQuanta: 1, quantum: { name: 'calibrate2' } }]);
    await worker.finish(await worker.acquire(1));
    await waitFor('the end', async () => (await shown(id)).workflow.state === 'FAILED', deadline);
    expect((await retried({ workflowId: id, idempotencyKey: 'rest' })).userErrors).toEqual([]);
    expect((await runAll(id)).map(({ name }) => name)).toEqual(['calibrate2', 'coadd', '~final']);
    await answeredWith('the end of all', id, ({ labels: of }) => of[2].succeeded === 1);
  });

  it('says that a retry is not repeated if core did not answer', async () => {
    await running.restart(losing(system.service('rubin'), 'request'));
    const { errors } = await retried({ workflowId: id, idempotencyKey: 'lost' });
    expect(errors).toMatchObject([{ code: 'SERVICE_UNAVAILABLE' }]);
    expect(errors[0].message).toContain('is not repeated; call again with the same key');
    await running.restart();
  });

  it.each([
    ['workflowId', { workflowId: 'rubinWorkflow_9' }, 'WORKFLOW_NOT_FOUND'],
    ['quanta.0', { quanta: ['none'] }, 'QUANTUM_NOT_FOUND'],
    ['quanta', { quanta: [] }, 'INVALID_VALUE'],
    ['memoryFactor', { memoryFactor: 0 }, 'INVALID_VALUE'],
    ['memoryMiB', { memoryFactor: 2, memoryMiB: 1 }, 'INVALID_VALUE'],
    ['idempotencyKey', { idempotencyKey: '' }, 'INVALID_VALUE'],
  ])('refuses a bad %s', async (path, bad, code) => {
    const { userErrors } = await retried({ workflowId: id, idempotencyKey: 'bad', ...bad });
    expect(userErrors).toMatchObject([{ code, path: path.split('.') }]);
  });

  it('is refused for the workflow of another, unless the caller manages the jobs of others', async () => {
    const stranger = await system.tokens.human('stranger@example', { rubin: 'USER' });
    const { userErrors } = await retried({ workflowId: id, idempotencyKey: 'theirs' }, stranger);
    expect(userErrors).toMatchObject([{ code: 'FORBIDDEN', path: ['workflowId'] }]);
  });
});
