import { beforeEach, describe, expect, test } from '@jest/globals';
import { testPrincipal, waitFor, type TestDatabase } from '@rhizome/testkit';
import {
  admin,
  type Answer,
  pilotOf,
  seed,
  startCore,
  type TestCore,
  type TestStream,
} from './support/core.fixture.js';

let core: TestCore & { readonly db: TestDatabase };

beforeEach(async () => {
  core = await startCore();
  const stream = core.subscribe('subscription { queueChanged { event { queue { name } } } }');
  await untilTold(stream, 1);
  await seed(core);
  // The stream has told of what is there: what tests open begins behind it.
  await untilTold(stream, 2);
  await stream.close();
});

const queues = `subscription ($filter: QueueFilter, $after: String) {
  queueChanged(filter: $filter, after: $after) { cursor event { queue { name site { name } state } } }
}`;
const workers = `subscription ($filter: WorkerFilter, $after: String) {
  workerChanged(filter: $filter, after: $after) { cursor event { worker { id name state queue { name } devices { id health } } } }
}`;
const logs = `subscription ($jobId: ID!, $after: String) {
  jobLogAppended(jobId: $jobId, after: $after) { cursor event { attempt isComplete chunks { text cursor } } }
}`;
const occupancy = `subscription ($filter: GpuOccupancyFilter) {
  gpuOccupancyChanged(filter: $filter, intervalMs: 100) { cursor gpus { queueName vendor model total unhealthy allocated } }
}`;
const counts = `subscription ($filter: JobFilter) {
  jobCountsChanged(filter: $filter, intervalMs: 100) { counts { gpuModel state count gpus } }
}`;

/** The messages of a subscription's one field; fails the test where one has errors. */
function told(stream: TestStream): readonly Answer[] {
  return stream.results.map(({ data, errors }) => {
    if (errors) throw new Error(JSON.stringify(errors));
    return Object.values(data as Record<string, Answer>)[0] as Answer;
  });
}

/** The events of a stream's messages; null for the opening one. */
function eventsOf(stream: TestStream): readonly (Answer | null)[] {
  return told(stream).map(({ event }) => event ?? null);
}

async function untilTold(stream: TestStream, count: number): Promise<readonly Answer[]> {
  await waitFor(`${count} messages`, () => stream.results.length >= count, { deadlineMs: 60_000 });
  return told(stream);
}

async function opened(text: string, variables: object = {}, principal = admin): Promise<TestStream> {
  const stream = core.subscribe(text, variables, principal);
  await untilTold(stream, 1);
  return stream;
}

async function setState(name: string, state: string): Promise<void> {
  const input = { name, state, reason: 'test' };
  await core.ask(
    'mutation ($input: SetQueueStateInput!) { setQueueState(input: $input) { userErrors { message } } }',
    { input },
  );
}

async function createQueue(name: string, site: string, experiments: readonly string[] = []): Promise<void> {
  const input = { name, site, experiments };
  await core.ask(
    'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
    { input },
  );
}

async function registerWorker(
  name: string,
  devices: readonly object[] = [],
  queue = 'north',
): Promise<string> {
  const hardware = { architecture: 'x86_64', cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
  const input = { queue, host: 'host-1', name, hardware, devices, version: '1', idempotencyKey: name };
  const { registerWorker: answer } = await core.ask(
    'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }',
    { input },
    pilotOf(queue),
  );
  return String(answer?.['worker']?.['id']);
}

/** Submits jobs and gets one after the other for a worker. */
async function runningJobs(
  workerId: string,
  jobs: readonly object[],
  freeDeviceIds: readonly string[] = [],
): Promise<readonly { readonly id: string; readonly fence: number }[]> {
  const key = JSON.stringify([workerId, jobs]);
  const { submitJobs } = await core.ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }',
    {
      input: {
        experiment: 'alpha',
        idempotencyKey: key,
        jobs: jobs.map((job, at) => ({ name: `job ${at}`, payload: { command: 'true' }, ...job })),
      },
    },
  );
  expect(submitJobs?.['userErrors']).toEqual([]);
  return acquired(workerId, jobs.length, freeDeviceIds);
}

/** Gets jobs for a worker, one after the other. */
async function acquired(
  workerId: string,
  wanted: number,
  freeDeviceIds: readonly string[] = [],
): Promise<readonly { readonly id: string; readonly fence: number }[]> {
  const free = { cores: 8, memoryMiB: 16_000, diskMiB: 100_000 };
  const held: { id: string; fence: number }[] = [];
  while (held.length < wanted) {
    const input = { workerId, count: wanted - held.length, free, freeDeviceIds, waitSeconds: 60 };
    const { acquireJobs } = await core.ask(
      'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { fence job { id } } userErrors { message } } }',
      { input },
      pilotOf('north'),
    );
    const got = acquireJobs?.['assignments'] as unknown as readonly Answer[];
    if (got.length === 0) throw new Error(JSON.stringify(acquireJobs));
    held.push(...got.map((one) => ({ id: String(one['job']?.['id']), fence: Number(one['fence']) })));
  }
  return held;
}

async function report(field: 'startJobs' | 'finishJobs' | 'failJobs', workerId: string, job: object) {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const answer = await core.ask(
    `mutation ($input: ${type}!) { ${field}(input: $input) { acceptedIds userErrors { message } } }`,
    { input: { workerId, jobs: [job] } },
    pilotOf('north'),
  );
  expect(answer[field]?.['userErrors']).toEqual([]);
}

async function append(
  workerId: string,
  { id, fence }: { readonly id: string; readonly fence: number },
  first: number,
  texts: readonly string[],
): Promise<void> {
  const chunks = texts.map((text, at) => ({
    sequence: first + at,
    stream: 'STDOUT',
    text,
    at: '2030-01-01T00:00:00Z',
  }));
  const { appendJobLog } = await core.ask(
    'mutation ($input: AppendJobLogInput!) { appendJobLog(input: $input) { nextSequence userErrors { message } } }',
    { input: { workerId, jobId: id, fence, chunks } },
    pilotOf('north'),
  );
  expect(appendJobLog).toEqual({ nextSequence: first + texts.length, userErrors: [] });
}

describe('queueChanged', () => {
  test('tells each change with the queue as it is, after a cursor alone, as far as the filter and the caller go', async () => {
    const all = await opened(queues);
    const polar = await opened(queues, {
      filter: { sites: ['Pole'], names: ['north'], states: ['PAUSED'], experiments: ['alpha'] },
    });
    const stranger = testPrincipal({ subject: 'reader@example', grants: { beta: 'READER' } });
    const limited = await opened(queues, {}, stranger);
    expect(told(all)[0]).toEqual({ cursor: expect.any(String), event: null });
    await createQueue('south', 'Sea', ['alpha']);
    await untilTold(all, 2);
    await setState('north', 'PAUSED');
    await untilTold(all, 3);
    await untilTold(polar, 2);
    await untilTold(limited, 2);
    expect(eventsOf(all).map((event) => event && event['queue'])).toEqual([
      null,
      { name: 'south', site: { name: 'Sea' }, state: 'ONLINE' },
      { name: 'north', site: { name: 'Pole' }, state: 'PAUSED' },
    ]);
    for (const stream of [polar, limited])
      expect(eventsOf(stream).map((event) => event?.['queue']?.['name'])).toEqual([undefined, 'north']);
  });

  test('goes on after a cursor, from memory and, after a restart, from the change stream', async () => {
    const first = await opened(queues);
    for (const state of ['PAUSED', 'ONLINE', 'BROKEROFF']) {
      const before = first.results.length;
      await setState('north', state);
      await untilTold(first, before + 1);
    }
    const after = told(first)[1]?.['cursor'];
    const resumed = await opened(queues, { after });
    // Of several writes that wait, one is told.
    expect(told(resumed).map(({ event, cursor }) => [event?.['queue']?.['state'], cursor])).toEqual([
      ['BROKEROFF', told(first)[3]?.['cursor']],
    ]);
    await core.stop();
    core = await startCore({ db: core.db });
    const again = await opened(queues, { after });
    expect(told(again).at(-1)?.['event']?.['queue']?.['state']).toBe('BROKEROFF');
    await setState('north', 'OFFLINE');
    await waitFor(
      'the next change',
      () => told(again).at(-1)?.['event']?.['queue']?.['state'] === 'OFFLINE',
      {
        deadlineMs: 60_000,
      },
    );
  });

  test('refuses what is no cursor of the stream, and too many names', async () => {
    const junk = core.subscribe(queues, { after: 'e1.AAAA' });
    await junk.ended;
    expect(junk.results[0]?.errors?.[0]?.extensions?.['code']).toBe('CURSOR_INVALID');
    const many = core.subscribe(queues, { filter: { names: Array.from({ length: 1001 }, String) } });
    await many.ended;
    expect(many.results[0]?.errors?.[0]?.message).toContain('filter.names');
  });
});

describe('workerChanged', () => {
  test('tells registrations, changes of hardware and ends, and no signs of life', async () => {
    const all = await opened(workers);
    const drained = await opened(workers, { filter: { queues: ['north'], states: ['DRAINING'] } });
    const id = await registerWorker('one', [
      { id: 'GPU-1', vendor: 'NVIDIA', model: 'L4', health: 'HEALTHY' },
    ]);
    await untilTold(all, 2);
    const beat = async (more: object) =>
      core.ask(
        'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { userErrors { message } } }',
        { input: { workerId: id, ...more } },
        pilotOf('north'),
      );
    await beat({});
    await beat({ devices: [{ id: 'GPU-1', vendor: 'NVIDIA', model: 'L4', health: 'UNHEALTHY' }] });
    await untilTold(all, 3);
    await core.ask(
      'mutation ($input: DrainWorkerInput!) { drainWorker(input: $input) { userErrors { message } } }',
      { input: { workerId: id } },
      pilotOf('north'),
    );
    await untilTold(drained, 2);
    await untilTold(all, 4);
    expect(
      eventsOf(all).map(
        (event) => event && [event['worker']?.['state'], event['worker']?.['devices']?.[0]?.['health']],
      ),
    ).toEqual([null, ['READY', 'HEALTHY'], ['READY', 'UNHEALTHY'], ['DRAINING', 'UNHEALTHY']]);
    expect(eventsOf(drained)[1]?.['worker']).toMatchObject({
      id,
      queue: { name: 'north' },
      state: 'DRAINING',
    });
  });
});

describe('jobLogAppended', () => {
  test('tells each chunk once, over attempts and a restart of core, and ends with the job', async () => {
    const workerId = await registerWorker('one');
    const [job] = await runningJobs(workerId, [{ retry: { maxAttempts: 2, backoffSeconds: 0 } }]);
    if (!job) throw new Error('no job');
    await report('startJobs', workerId, { ...job, phase: 'RUNNING' });
    await append(workerId, job, 0, ['old']);
    const live = await opened(logs, { jobId: job.id });
    expect(told(live)[0]).toEqual({
      cursor: expect.any(String),
      event: null,
    });
    const many = Array.from({ length: 100 }, (_, at) => `a${at}`);
    await append(workerId, job, 1, many);
    await append(workerId, job, 101, ['a100', 'a101']);
    const textsOf = (stream: TestStream) =>
      eventsOf(stream).flatMap((event) => {
        const chunks = (event?.['chunks'] ?? []) as readonly { readonly text: string }[];
        return chunks.map(({ text }) => text);
      });
    await waitFor('102 chunks', () => textsOf(live).length >= 102, { deadlineMs: 60_000 });
    const { job: read } = await core.ask(
      `{ job(id: "${job.id}") { log(first: 1) { endCursor chunks { text } } } }`,
    );
    const fromPage = core.subscribe(logs, { jobId: job.id, after: read?.['log']?.['endCursor'] });
    await waitFor('what follows the page', () => textsOf(fromPage).length >= 3, { deadlineMs: 60_000 });
    const cursor = told(live)[1]?.['cursor'];
    const known = Number(eventsOf(live)[1]?.['chunks']?.['length']);
    await core.stop();
    core = await startCore({ db: core.db });
    const resumed = core.subscribe(logs, { jobId: job.id, after: cursor });
    await report('failJobs', workerId, {
      ...job,
      error: { family: 'PAYLOAD', code: 'X', message: 'x', isRetryable: true },
    });
    const [again] = await acquired(workerId, 1);
    if (again?.id !== job.id) throw new Error('another job');
    await append(workerId, again, 0, ['b0']);
    await append(workerId, again, 1, ['b1']);
    await report('startJobs', workerId, { ...again, phase: 'RUNNING' });
    await report('finishJobs', workerId, { ...again });
    await waitFor('the end of the log', resumed.ended, { deadlineMs: 60_000 });
    const expected = [...many, 'a100', 'a101'];
    expect(textsOf(live)).toEqual(expected);
    expect(textsOf(resumed)).toEqual([...expected.slice(known), 'b0', 'b1']);
    expect(textsOf(fromPage).slice(0, 3)).toEqual(expected.slice(0, 3));
    expect(eventsOf(resumed).at(-1)).toMatchObject({ attempt: 2, isComplete: true, chunks: [] });
    // Whoever comes after the end, with whatever cursor, is told what is left, and the end.
    const late = core.subscribe(logs, { jobId: job.id, after: told(resumed).at(-1)?.['cursor'] });
    await waitFor('the end', late.ended, { deadlineMs: 60_000 });
    expect(textsOf(late)).toEqual([]);
    expect(told(late).map(({ cursor: place }) => place)).toEqual([told(resumed).at(-1)?.['cursor']]);
  });

  test('begins before the first attempt, where an empty page of the log ends', async () => {
    const workerId = await registerWorker('one');
    const { submitJobs } = await core.ask(
      'mutation { submitJobs(input: { experiment: "alpha", idempotencyKey: "k", jobs: [{ name: "x", payload: { command: "true" } }] }) { jobs { id log { endCursor } } } }',
    );
    const [submitted] = submitJobs?.['jobs'] as unknown as readonly Answer[];
    const stream = core.subscribe(logs, {
      jobId: submitted?.['id'],
      after: submitted?.['log']?.['endCursor'],
    });
    const [job] = await runningJobs(workerId, [{ priority: -10 }]);
    if (!job) throw new Error('no job');
    expect(job.id).toBe(submitted?.['id']);
    await append(workerId, job, 0, ['first']);
    const [message] = await untilTold(stream, 1);
    expect(message).toMatchObject({ event: { attempt: 1, chunks: [{ text: 'first' }] } });
  });

  test('of a job that is not there, or not the caller’s, is refused', async () => {
    const stream = core.subscribe(logs, { jobId: 'job_nowhere' });
    await stream.ended;
    expect(stream.results[0]?.errors?.[0]?.extensions?.['code']).toBe('JOB_NOT_FOUND');
  });
});

describe('jobCounts', () => {
  test('refuses a condition that counts do not know, and says why', async () => {
    const { errors } = await core.run('{ jobCounts(filter: { owners: ["a"] }) { count } }');
    expect(errors?.[0]?.message).toMatch(
      /^filter\.owners: .*counted by experiment, queue, share, state and GPU model/,
    );
  });
});

describe('GPUs', () => {
  const l4 = (at: number, health = 'HEALTHY') => ({
    id: `GPU-${at}`,
    vendor: 'NVIDIA',
    model: 'NVIDIA L4',
    memoryMiB: 24_000,
    health,
  });

  test('are counted as there are, given away and back, and jobs are counted by their model', async () => {
    const workerId = await registerWorker('one', [l4(1), l4(2), l4(3, 'UNHEALTHY')]);
    const gpus = await opened(occupancy);
    const jobs = await opened(counts);
    const row = {
      queueName: 'north',
      vendor: 'NVIDIA',
      model: 'NVIDIA L4',
      total: 3,
      unhealthy: 1,
      allocated: 0,
    };
    await waitFor('the fleet', () => told(gpus).some(({ gpus: rows }) => rows?.['length'] === 1), {
      deadlineMs: 60_000,
    });
    expect(told(gpus).at(-1)?.['gpus']).toEqual([row]);
    const [job] = await runningJobs(
      workerId,
      [{ requirements: { gpu: { count: 2 } } }],
      ['GPU-1', 'GPU-2', 'GPU-3'],
    );
    if (!job) throw new Error('no job');
    const latest = () => told(gpus).at(-1)?.['gpus']?.[0]?.['allocated'];
    await waitFor('two given away', () => latest() === 2, { deadlineMs: 60_000 });
    const countsNow = () => {
      const rows = new Map<string, Answer>();
      for (const { counts: some } of told(jobs))
        for (const one of some as unknown as readonly Answer[])
          rows.set(`${one['gpuModel']} ${one['state']}`, one);
      return [...rows.values()].filter(({ count }) => Number(count) > 0);
    };
    await waitFor('the counts', () => JSON.stringify(countsNow()).includes('SENT'), { deadlineMs: 60_000 });
    expect(countsNow()).toEqual([{ gpuModel: 'NVIDIA L4', state: 'SENT', count: 1, gpus: 2 }]);
    const { jobCounts } = await core.ask('{ jobCounts(filter: { gpuModels: ["NVIDIA L4"] }) { count } }');
    expect(jobCounts).toEqual([{ count: 1 }]);
    await report('startJobs', workerId, { ...job, phase: 'RUNNING' });
    await report('finishJobs', workerId, job);
    await waitFor('none given away', () => latest() === 0, { deadlineMs: 60_000 });
    expect(told(gpus).at(-1)?.['gpus']).toEqual([row]);
    const elsewhere = await opened(occupancy, { filter: { queues: ['south'] } });
    expect(told(elsewhere)[0]?.['gpus']).toEqual([]);
  });
});
