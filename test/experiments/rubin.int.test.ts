import { beforeAll, describe, expect, it } from '@jest/globals';
import { experiment } from '@rhizome/rubin';
import { waitFor } from '@rhizome/testkit';
import { losing } from './faulty-client.js';
import { type System, type RunningExperiment, startTestSystem } from './test-system.js';
import { startWorker, type TestWorker } from './worker.js';

const submit = `mutation ($input: SubmitRubinWorkflowInput!) {
  submitRubinWorkflow(input: $input) { workflow { id totalQuanta task { id } } userErrors { code path message } }
}`;
const show = `query ($id: ID!) {
  rubin { workflow(id: $id) {
    finishedQuanta quanta { totalCount nodes { name needs } } few: quanta(first: 1) { edges { cursor node { name } } pageInfo { hasNextPage endCursor } }
    task { jobs(first: 100) { nodes { state dependsOn { taskIndex } rubin { quantum { name label dataId } workflow { pipeline } } } } }
  } }
}`;

const quantum = (name: string, ...needs: string[]) => ({
  name,
  label: name.replace(/\d/, ''),
  dataId: `visit=${name}`,
  needs,
});
const wanted = (key: string, more: object = {}) => ({
  idempotencyKey: key,
  name: 'u/hsc/run7',
  pipeline: 'DRP',
  // In no order on purpose.
  quanta: [
    quantum('coadd', 'calibrate1', 'calibrate2'),
    quantum('calibrate1', 'isr1'),
    quantum('isr1'),
    quantum('calibrate2', 'isr2'),
    quantum('isr2'),
  ],
  command: 'pipetask',
  arguments: ['run'],
  ...more,
});

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
const shown = async (id: string) => (await system.ask(show, { id })).data.rubin.workflow;
const jobsOf = (id: string, count: number) =>
  waitFor(
    `${count} jobs`,
    async () => {
      const nodes = (await shown(id)).task?.jobs.nodes;
      return nodes?.length === count && nodes;
    },
    { deadlineMs: 60_000 },
  );
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
    await jobsOf(workflow.id, 5);
    expect(await written('refused')).toEqual([1, 5]);
    await worker.runAll();
  });

  it('becomes jobs that wait for those that their quanta need', async () => {
    const { workflow, userErrors } = await submitted(wanted('graph'));
    expect(userErrors).toEqual([]);
    const jobs = await jobsOf(workflow.id, 5);
    expect(
      jobs.map(
        ({
          rubin,
          dependsOn,
        }: {
          rubin: { quantum: { name: string } };
          dependsOn: { taskIndex: number }[];
        }) => [rubin.quantum.name, dependsOn.map(({ taskIndex }) => taskIndex)],
      ),
    ).toEqual([
      ['isr1', []],
      ['calibrate1', [0]],
      ['isr2', []],
      ['calibrate2', [2]],
      ['coadd', [1, 3]],
    ]);
    expect(jobs[0].rubin).toEqual({
      quantum: { name: 'isr1', label: 'isr', dataId: 'visit=isr1' },
      workflow: { pipeline: 'DRP' },
    });
    const run = await worker.runAll();
    expect(run.length).toBe(5);
    expect(run.at(-1)?.arguments).toEqual([
      'run',
      '--label',
      'coadd',
      '--data-id',
      'visit=coadd',
      '--quantum',
      'coadd',
    ]);
    const done = await waitFor(
      'all quanta',
      async () => {
        const found = await shown(workflow.id);
        return found.finishedQuanta === 5 && found;
      },
      { deadlineMs: 60_000 },
    );
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

  it('submits its stored quanta after a crash', async () => {
    await running.restart(losing(system.service('rubin'), 'request'));
    expect((await submitted(wanted('crash'))).errors).toMatchObject([{ code: 'SERVICE_UNAVAILABLE' }]);
    await running.restart();
    const { workflow } = await submitted(wanted('crash'));
    await jobsOf(workflow.id, 5);
    expect((await worker.runAll()).length).toBe(5);
  });

  it('is placed on workers with its release, and explains that', async () => {
    const { workflow } = await submitted(wanted('released', { release: 'w_2030_12' }));
    await jobsOf(workflow.id, 5);
    const jobs =
      'jobs(first: 1) { nodes { requirements { selector } rubin { placement { text selector } } } }';
    const placed = `query ($id: ID!) { rubin { workflow(id: $id) { task { ${jobs} } } } }`;
    const selector = 'worker.labels["rubin-release"] == "w_2030_12"';
    const { data } = await system.ask(placed, { id: workflow.id });
    const text = expect.stringContaining('rubin-release=w_2030_12');
    expect(data.rubin.workflow.task.jobs.nodes).toEqual([
      { requirements: { selector }, rubin: { placement: [{ text, selector }] } },
    ]);
  });

  it.each([
    ['name', { name: '' }, 'INVALID_VALUE'],
    ['pipeline', { pipeline: 'x'.repeat(64) }, 'INVALID_VALUE'],
    ['release', { release: '' }, 'INVALID_VALUE'],
    ['quanta', { quanta: [] }, 'INVALID_VALUE'],
    ['quanta.0.name', { quanta: [quantum('a b')] }, 'INVALID_VALUE'],
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

  it('refuses a cycle and names it', async () => {
    const { userErrors } = await submitted(
      wanted('circle', { quanta: [quantum('a', 'c'), quantum('b', 'a'), quantum('c', 'b')] }),
    );
    expect(userErrors[0].message).toContain('a → c → b → a');
  });
});
