import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { admin, pilotOf, seed, startCore, type Answer, type TestCore } from './support/core.fixture.js';

let core: Awaited<ReturnType<typeof startCore>>;

beforeEach(async () => {
  core = await startCore();
  await seed(core);
});

afterEach(() => core.stop());

const submit = `mutation ($input: SubmitJobsInput!) {
  submitJobs(input: $input) { jobs { id state sharePath createdAt } userErrors { path code message } }
}`;
const submitTask = `mutation ($input: SubmitTaskInput!) {
  submitTask(input: $input) { task { id state } userErrors { path code message } }
}`;
const register = `mutation ($input: RegisterWorkerInput!) {
  registerWorker(input: $input) { worker { id queue { name } state } heartbeatSeconds userErrors { message } }
}`;
const acquire = `mutation ($input: AcquireJobsInput!) {
  acquireJobs(input: $input) { assignments { fence attempt attemptId job { id state name payload { command } } } userErrors { message code } }
}`;
const start =
  'mutation ($input: StartJobsInput!) { startJobs(input: $input) { acceptedIds userErrors { code message } } }';
const finish =
  'mutation ($input: FinishJobsInput!) { finishJobs(input: $input) { acceptedIds userErrors { code message } } }';
const changes = `subscription ($filter: JobFilter, $after: String) {
  jobStateChanged(filter: $filter, after: $after) {
    cursor
    event {
      previousState state attempt actor { subject } revision at
      job { id state revision experiment { name } owner { subject } sharePath labels { key value } queue { name } }
    }
  }
}`;

const payload = { command: 'true' };

async function aWorker({ ask }: TestCore, name = 'one'): Promise<string> {
  const hardware = { architecture: 'x86_64', cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
  const input = { queue: 'north', host: 'host-1', name, hardware, version: '1', idempotencyKey: name };
  const { registerWorker } = await ask(register, { input }, pilotOf('north'));
  return registerWorker?.['worker']?.['id'] ?? '';
}

async function acquired(
  { ask }: TestCore,
  workerId: string,
  count: number,
  free = { cores: 8, memoryMiB: 16_000, diskMiB: 100_000 },
): Promise<readonly Answer[]> {
  const { acquireJobs } = await ask(
    acquire,
    { input: { workerId, count, free, waitSeconds: 60 } },
    pilotOf('north'),
  );
  expect(acquireJobs?.['userErrors']).toEqual([]);
  return acquireJobs?.['assignments'] as unknown as readonly Answer[];
}

/** Takes jobs through their cycle as a pilot does. */
async function work(on: TestCore, workerId: string, count: number): Promise<void> {
  const assignments = await acquired(on, workerId, count);
  const jobs = assignments.map(({ job, fence }) => ({ id: job?.['id'], fence }));
  const ids = jobs.map(({ id }) => id);
  const begun = await on.ask(
    start,
    { input: { workerId, jobs: jobs.map((job) => ({ ...job, phase: 'RUNNING' })) } },
    pilotOf('north'),
  );
  expect(begun['startJobs']).toEqual({ acceptedIds: ids, userErrors: [] });
  const ended = await on.ask(finish, { input: { workerId, jobs } }, pilotOf('north'));
  expect(ended['finishJobs']).toEqual({ acceptedIds: ids, userErrors: [] });
}

describe('core, wired', () => {
  it('submits, acquires, starts and finishes a job, and reports each step to its subscriber', async () => {
    const stream = core.subscribe(changes, { filter: { experiments: ['alpha'] } });
    await waitFor('the opening message', () => stream.results.length > 0, { deadlineMs: 60_000 });
    const jobs = [{ name: 'first', payload, labels: [{ key: 'kind', value: 'test' }] }];
    const { submitJobs } = await core.ask(submit, {
      input: { experiment: 'alpha', idempotencyKey: 'k', jobs },
    });
    const id = submitJobs?.['jobs']?.[0]?.['id'];
    await work(core, await aWorker(core), 1);
    await waitFor('four events', () => stream.results.length >= 5, { deadlineMs: 60_000 });
    const messages = stream.results.map(({ data }) => (data as unknown as Answer)['jobStateChanged']);
    expect(messages.map((change) => change?.['event']?.['state'])).toEqual([
      undefined,
      'ACTIVATED',
      'SENT',
      'RUNNING',
      'FINISHED',
    ]);
    expect(messages.map((change) => change?.['event']?.['revision'])).toEqual([undefined, 1, 2, 3, 4]);
    expect(messages[0]).toEqual({ cursor: expect.any(String), event: null });
    expect(messages[4]?.['event']?.['job']).toEqual({
      id,
      state: 'FINISHED',
      revision: 4,
      experiment: { name: 'alpha' },
      owner: { subject: 'admin@example' },
      sharePath: 'alpha/default',
      labels: [{ key: 'kind', value: 'test' }],
      queue: { name: 'north' },
    });
    const resumed = core.subscribe(changes, { after: messages[2]?.['cursor'] });
    await waitFor('the rest', () => resumed.results.length >= 2, { deadlineMs: 60_000 });
    const again = resumed.results.map(({ data }) => (data as unknown as Answer)['jobStateChanged']);
    expect(again.map((change) => change?.['cursor'])).toEqual(
      messages.slice(3).map((change) => change?.['cursor']),
    );
    expect(again.map((change) => change?.['event']?.['job']?.['state'])).toEqual(['FINISHED', 'FINISHED']);
  });

  it('returns jobs in grants as they are stored', async () => {
    const jobs = [{ name: 'granted', payload }];
    await core.ask(submit, { input: { experiment: 'alpha', idempotencyKey: 'granted', jobs } });
    const fields = 'id state attempt experiment { name } owner { subject } sharePath worker { id } workerId';
    const free = { cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
    const { acquireJobs } = await core.ask(
      `mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { job { ${fields} } } } }`,
      { input: { workerId: await aWorker(core), count: 1, free, waitSeconds: 60 } },
      pilotOf('north'),
    );
    const [granted] = acquireJobs?.['assignments'] as unknown as readonly Answer[];
    const id = granted?.['job']?.['id'];
    const { job } = await core.ask(`query ($id: ID!) { job(id: $id) { ${fields} } }`, { id });
    expect(granted?.['job']).toEqual(job);
    expect(job).toMatchObject({ state: 'SENT', attempt: 1 });
  });

  it('shows at most 100 jobs of a worker, and their number', async () => {
    const input = { queue: 'north', host: 'host-2', name: 'large', version: '1', idempotencyKey: 'large' };
    const free = { cores: 200, memoryMiB: 1_000_000, diskMiB: 1_000_000 };
    const hardware = { architecture: 'x86_64', ...free };
    const { registerWorker } = await core.ask(register, { input: { ...input, hardware } }, pilotOf('north'));
    const id = registerWorker?.['worker']?.['id'] ?? '';
    const jobs = Array.from({ length: 120 }, (_, at) => ({ name: `job ${at}`, payload }));
    await core.ask(submit, { input: { experiment: 'alpha', idempotencyKey: 'many', jobs } });
    for (let count = 0; count < 120;) count += (await acquired(core, id, 120 - count, free)).length;
    const { worker } = await core.ask('query ($id: ID!) { worker(id: $id) { jobCount jobs { state } } }', {
      id,
    });
    expect(worker?.['jobCount']).toBe(120);
    expect(worker?.['jobs']).toEqual(Array.from({ length: 100 }, () => ({ state: 'SENT' })));
  });

  it('expands and runs a task, ends its progress with the last job, and updates the counts', async () => {
    const template = { name: 'part', payload };
    const input = { experiment: 'alpha', idempotencyKey: 't', name: 'a task', template, jobs: { count: 20 } };
    const { submitTask: answer } = await core.ask(submitTask, { input });
    const id = answer?.['task']?.['id'];
    const progress = core.subscribe(
      'subscription ($id: ID!) { taskProgress(id: $id) { cursor task { id state } progress { totalJobs createdJobs endedFraction counts { state count } } } }',
      { id },
    );
    const counts = core.subscribe(
      'subscription { jobCountsChanged(intervalMs: 100) { counts { experimentName queueName sharePath state count } } }',
    );
    const workerId = await aWorker(core);
    for (let done = 0; done < 20; done += 5) await work(core, workerId, 5);
    await waitFor('the end of the progress', progress.ended, { deadlineMs: 60_000 });
    const last = (progress.results.at(-1)?.data as unknown as Answer)['taskProgress'];
    expect(last).toMatchObject({
      task: { id, state: 'FINISHED' },
      progress: {
        totalJobs: 20,
        createdJobs: 20,
        endedFraction: 1,
        counts: [{ state: 'FINISHED', count: 20 }],
      },
    });
    const seen = () => JSON.stringify(counts.results.at(-1));
    await waitFor('the last counts', () => seen().includes('"FINISHED","count":20'), { deadlineMs: 60_000 });
    const { jobCounts, shares } = await core.ask(
      `{ jobCounts { experimentName experiment { title } queueName queue { name } sharePath share { path } state count }
        shares { nodes { path readyJobs usedCores experiment { name } } } }`,
    );
    expect(jobCounts).toEqual([
      {
        experimentName: 'alpha',
        experiment: { title: expect.any(String) },
        queueName: 'north',
        queue: { name: 'north' },
        sharePath: 'alpha/default',
        share: { path: 'alpha/default' },
        state: 'FINISHED',
        count: 20,
      },
    ]);
    expect(shares).toEqual({
      nodes: [{ path: 'alpha/default', readyJobs: 0, usedCores: 0, experiment: { name: 'alpha' } }],
    });
    await counts.close();
  });

  it('keeps a child PENDING until its parent has finished', async () => {
    const jobs = [
      { name: 'parent', payload },
      { name: 'child', payload, dependsOn: ['#0'] },
    ];
    const { submitJobs } = await core.ask(submit, {
      input: { experiment: 'alpha', idempotencyKey: 'k', jobs },
    });
    expect((submitJobs?.['jobs'] as unknown as readonly Answer[]).map(({ state }) => state)).toEqual([
      'ACTIVATED',
      'PENDING',
    ]);
    const workerId = await aWorker(core);
    await work(core, workerId, 1);
    await work(core, workerId, 1);
    const { jobs: found } = await core.ask(
      '{ jobs(filter: { experiments: ["alpha"], states: [FINISHED] }) { nodes { name transitions { to actor { subject } } } } }',
    );
    expect((found?.['nodes'] as unknown as readonly Answer[]).map(({ name }) => name).sort()).toEqual([
      'child',
      'parent',
    ]);
  });

  it('continues after a restart with jobs, counts, cursors and leadership', async () => {
    const stream = core.subscribe(changes, {});
    await waitFor('the opening message', () => stream.results.length > 0, { deadlineMs: 60_000 });
    const cursor = (stream.results[0]?.data as unknown as Answer)['jobStateChanged']?.['cursor'];
    const jobs = Array.from({ length: 10 }, (_, index) => ({ name: `job ${index}`, payload }));
    await core.ask(submit, { input: { experiment: 'alpha', idempotencyKey: 'k', jobs } });
    const workerId = await aWorker(core);
    await acquired(core, workerId, 3);
    await core.stop();
    const again = await startCore({ db: core.db });
    const resumed = again.subscribe(changes, { after: cursor });
    await waitFor('all events', () => resumed.results.length >= 13, { deadlineMs: 60_000 });
    const { jobCounts, worker } = await again.ask(
      `{ jobCounts { state count } worker(id: "${workerId}") { state jobs { id } } }`,
    );
    expect(
      [...(jobCounts as unknown as readonly Answer[])].sort((a, b) =>
        String(a['state']) < String(b['state']) ? -1 : 1,
      ),
    ).toEqual([
      { state: 'ACTIVATED', count: 7 },
      { state: 'SENT', count: 3 },
    ]);
    expect(worker).toMatchObject({ state: 'READY' });
    expect(worker?.['jobs']).toHaveLength(3);
    await work(again, workerId, 2);
    await again.stop();
  });

  it('has a policy for every operation and shows the viewer its permissions', async () => {
    expect(core.core.subgraph.entryPoints.length).toBeGreaterThan(40);
    const { viewer } = await core.ask(
      '{ viewer { subject kind actsFor { subject } expiresAt grants { experiment { name } experimentName roles permissions } } }',
      {},
      pilotOf('north'),
    );
    expect(viewer).toMatchObject({
      subject: 'pilot:north',
      kind: 'PILOT',
      actsFor: null,
      grants: [{ experiment: null, experimentName: '*', roles: ['PILOT'] }],
    });
    expect(viewer?.['grants']?.[0]?.['permissions']).toContain('job:acquire');
    expect(admin.grants).toHaveLength(1);
  });
});
