import { beforeAll, describe, expect, it } from '@jest/globals';
import { experiment } from '@rhizome/atlas';
import { waitFor } from '@rhizome/testkit';
import { type System, startTestSystem } from './test-system.js';
import { startWorker, type TestWorker } from './worker.js';

const submit = `mutation ($input: SubmitAtlasTaskInput!) {
  submitAtlasTask(input: $input) { task { id state steps totalEvents task { id } } userErrors { code path message } }
}`;
const show = `query ($id: ID!) {
  atlas { task(id: $id) { id state processedEvents task { id sharePath jobs(first: 100) { nodes {
    id name taskIndex state sharePath requirements { cores memoryMiB walltimeSeconds selector } retry { maxAttempts }
    dependsOn { taskIndex } atlas { step firstEvent events task { campaign } }
  } } } } }
}`;
const campaign = 'query ($campaign: String) { atlas { tasks(campaign: $campaign) { nodes { id } } } }';
const tasks = 'query { tasks(first: 100) { nodes { id } } }';

const transform = (step: string, ...command: string[]) => ({
  step,
  command: [step.toLowerCase(), ...command],
  output: `${step}.root`,
});
const wanted = (key: string, more: object = {}) => ({
  idempotencyKey: key,
  campaign: 'mc23e',
  requestId: 7,
  physicsShort: 'Zmumu',
  totalEvents: 250,
  eventsPerJob: 100,
  seed: 1000,
  transforms: [
    transform('EVGEN', '--n', '{{events}}', '--seed={{seed}}'),
    transform('SIMUL', '--skip', '{{firstEvent}}'),
    { ...transform('RECO'), moreOutputs: ['hist.root'] },
    transform('MERGE', '--all'),
  ],
  ...more,
});

let system: System;
let worker: TestWorker;

beforeAll(async () => {
  system = await startTestSystem([experiment]);
  worker = await startWorker(system, 'one', { 'atlas-release': '25.0' });
});

const submitted = async (input: object) => (await system.ask(submit, { input })).data.submitAtlasTask;
const shown = async (id: string) => (await system.ask(show, { id })).data.atlas.task;
const jobsOf = (id: string, count: number) =>
  waitFor(
    `${count} jobs`,
    async () => {
      const nodes = (await shown(id)).task.jobs.nodes;
      return nodes.length === count && nodes;
    },
    { deadlineMs: 60_000 },
  );
const reaches = (id: string, state: string) =>
  waitFor(
    `state ${state}`,
    async () => {
      const task = await shown(id);
      return task.state === state && task;
    },
    { deadlineMs: 60_000 },
  );

describe('a production task', () => {
  it('becomes a chain of jobs, split by events, each waiting for the one of the step before', async () => {
    const { task, userErrors } = await submitted(
      wanted('chain', { cores: 2, release: '25.0', share: 'atlas/analysis', maxAttempts: 2 }),
    );
    expect(userErrors).toEqual([]);
    expect(task).toMatchObject({
      state: 'RUNNING',
      steps: ['EVGEN', 'SIMUL', 'RECO', 'MERGE'],
      totalEvents: 250,
    });
    const jobs = await jobsOf(task.id, 10);
    const row = (step: string, parents: number[][]) =>
      [
        [0, 100],
        [100, 100],
        [200, 50],
      ].map(([firstEvent, events], at) => [step, firstEvent, events, parents[at]]);
    expect(
      jobs.map(
        ({ atlas, dependsOn }: { atlas: Record<string, unknown>; dependsOn: { taskIndex: number }[] }) => [
          atlas['step'],
          atlas['firstEvent'],
          atlas['events'],
          dependsOn.map(({ taskIndex }) => taskIndex),
        ],
      ),
    ).toEqual([
      ...row('EVGEN', [[], [], []]),
      ...row('SIMUL', [[0], [1], [2]]),
      ...row('RECO', [[3], [4], [5]]),
      ['MERGE', null, 250, [6, 7, 8]],
    ]);
    expect(jobs[0]).toMatchObject({
      name: 'Zmumu evgen 0',
      sharePath: 'atlas/analysis',
      requirements: {
        cores: 2,
        memoryMiB: 2000,
        walltimeSeconds: 43200,
        selector: 'worker.labels["atlas-release"] == "25.0"',
      },
      retry: { maxAttempts: 2 },
      atlas: { task: { campaign: 'mc23e' } },
    });
    const run = await worker.runAll();
    expect(run.map(({ command, arguments: given, outputs }) => [command, given, outputs])).toEqual([
      ['evgen', ['--n', '100', '--seed=1000'], ['EVGEN.root']],
      ['evgen', ['--n', '100', '--seed=1001'], ['EVGEN.root']],
      ['evgen', ['--n', '50', '--seed=1002'], ['EVGEN.root']],
      ['simul', ['--skip', '0'], ['SIMUL.root']],
      ['simul', ['--skip', '100'], ['SIMUL.root']],
      ['simul', ['--skip', '200'], ['SIMUL.root']],
      ...[0, 1, 2].map(() => ['reco', [], ['RECO.root', 'hist.root']]),
      ['merge', ['--all'], ['MERGE.root']],
    ]);
    expect((await reaches(task.id, 'DONE')).processedEvents).toBe(250);
  });

  it('counts the events that went through, and says how it ended', async () => {
    const chain = { transforms: [transform('EVGEN'), transform('RECO')] };
    const { task } = await submitted(wanted('partly', chain));
    await jobsOf(task.id, 6);
    const first = await worker.acquire(3);
    await worker.finish(first.slice(0, 2));
    await worker.fail(first.slice(2));
    await waitFor(
      'the closed child',
      async () => (await shown(task.id)).task.jobs.nodes[5].state === 'CLOSED',
      { deadlineMs: 60_000 },
    );
    expect((await shown(task.id)).state).toBe('RUNNING');
    await worker.runAll();
    expect((await reaches(task.id, 'FINISHED')).processedEvents).toBe(200);

    const { task: lost } = await submitted(wanted('lost', { ...chain, totalEvents: 100 }));
    await jobsOf(lost.id, 2);
    await worker.fail(await worker.acquire(1));
    expect((await reaches(lost.id, 'FAILED')).processedEvents).toBe(0);
  });

  it('is listed by its campaign', async () => {
    const { task } = await submitted(wanted('listed', { campaign: 'mc30a' }));
    expect((await system.ask(campaign, { campaign: 'mc30a' })).data.atlas.tasks.nodes).toEqual([
      { id: task.id },
    ]);
    expect((await system.ask(campaign)).data.atlas.tasks.nodes.length).toBeGreaterThan(1);
    await worker.runAll();
  });

  it("returns core's refusal in terms of the input, leaves nothing, and frees its key", async () => {
    const count = async () => (await system.ask(tasks)).data.tasks.nodes.length;
    const before = await count();
    const refused = await submitted(wanted('refused', { share: 'nowhere' }));
    expect(refused.task).toBeNull();
    expect(refused.userErrors).toMatchObject([{ code: 'SHARE_NOT_FOUND', path: ['share'] }]);
    expect(refused.userErrors[0].message).toMatch(
      /^share: "nowhere" is not valid; must be a share of atlas: /,
    );
    expect(await count()).toBe(before);
    expect(
      await system.experiments['atlas']?.db
        .collection('productionTasks')
        .countDocuments({ idempotencyKey: 'refused' }),
    ).toBe(0);
    expect((await submitted(wanted('refused', { share: 'production' }))).userErrors).toEqual([]);
    await worker.runAll();
  });

  it.each([
    ['campaign', { campaign: '23' }, 'INVALID_VALUE'],
    ['requestId', { requestId: 0 }, 'INVALID_VALUE'],
    ['physicsShort', { physicsShort: 'a b' }, 'INVALID_VALUE'],
    ['totalEvents', { totalEvents: 0 }, 'INVALID_VALUE'],
    ['eventsPerJob', { totalEvents: 100_000, eventsPerJob: 1 }, 'INVALID_VALUE'],
    ['seed', { seed: -1 }, 'INVALID_VALUE'],
    ['cores', { cores: 0 }, 'INVALID_VALUE'],
    ['memoryMiB', { memoryMiB: 0 }, 'INVALID_VALUE'],
    ['walltimeSeconds', { walltimeSeconds: 0 }, 'INVALID_VALUE'],
    ['maxAttempts', { maxAttempts: 21 }, 'INVALID_VALUE'],
    ['release', { release: '' }, 'INVALID_VALUE'],
    ['transforms', { transforms: [] }, 'INVALID_VALUE'],
    ['transforms.1.step', { transforms: [transform('RECO'), transform('EVGEN')] }, 'CHAIN_INVALID'],
    ['transforms.0.step', { transforms: [transform('MERGE')] }, 'CHAIN_INVALID'],
    ['transforms.0.command', { transforms: [{ ...transform('EVGEN'), command: [] }] }, 'INVALID_VALUE'],
    ['transforms.0.command.0', { transforms: [transform('EVGEN', '{{nonsense}}')] }, 'INVALID_VALUE'],
    ['transforms.0.output', { transforms: [{ ...transform('EVGEN'), output: 'a/b' }] }, 'INVALID_VALUE'],
  ])('refuses a bad %s and writes nothing', async (path, bad, code) => {
    const { task, userErrors } = await submitted({ ...wanted('bad'), ...bad });
    expect(task).toBeNull();
    expect(userErrors).toMatchObject([{ code, path: path.split('.') }]);
    expect(userErrors[0].message).toMatch(new RegExp(`^${path}: .*must be `));
    expect(
      await system.experiments['atlas']?.db
        .collection('productionTasks')
        .countDocuments({ idempotencyKey: 'bad' }),
    ).toBe(0);
  });

  it('accepts thousands of jobs and keeps them distinct', async () => {
    const chain = { totalEvents: 2000, eventsPerJob: 1, transforms: [transform('EVGEN'), transform('RECO')] };
    const { task, userErrors } = await submitted(wanted('large', chain));
    expect(userErrors).toEqual([]);
    const created = 'query ($id: ID!) { task(id: $id) { progress { createdJobs } } }';
    await waitFor(
      'all jobs',
      async () => (await system.ask(created, { id: task.task.id })).data.task.progress.createdJobs === 4000,
      { deadlineMs: 60_000 },
    );
    const [last] = (
      await system.ask('query { jobs(first: 1) { nodes { taskIndex atlas { step firstEvent events } } } }')
    ).data.jobs.nodes;
    expect(last).toEqual({ taskIndex: 3999, atlas: { step: 'RECO', firstEvent: 1999, events: 1 } });
  });
});
