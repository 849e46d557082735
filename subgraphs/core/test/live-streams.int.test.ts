import { beforeEach, describe, expect, it } from '@jest/globals';
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
  await untilReceived(stream, 1);
  await seed(core);
  // The stream has delivered the existing state: tests start after it.
  await untilReceived(stream, 2);
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

/** Messages of the subscription's only field; fails the test if one has errors. */
function messagesOf(stream: TestStream): readonly Answer[] {
  return stream.results.map(({ data, errors }) => {
    if (errors) throw new Error(JSON.stringify(errors));
    return Object.values(data as Record<string, Answer>)[0] as Answer;
  });
}

/** Events of a stream's messages; null for the opening one. */
function eventsOf(stream: TestStream): readonly (Answer | null)[] {
  return messagesOf(stream).map(({ event }) => event ?? null);
}

async function untilReceived(stream: TestStream, count: number): Promise<readonly Answer[]> {
  await waitFor(`${count} messages`, () => stream.results.length >= count, { deadlineMs: 60_000 });
  return messagesOf(stream);
}

async function opened(text: string, variables: object = {}, principal = admin): Promise<TestStream> {
  const stream = core.subscribe(text, variables, principal);
  await untilReceived(stream, 1);
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

/** Submits jobs and acquires them one after the other for a worker. */
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

/** Acquires jobs for a worker, one after the other. */
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
  it('delivers an opening cursor, then each change with the current queue, restricted by filter and access', async () => {
    const all = await opened(queues);
    const polar = await opened(queues, {
      filter: { sites: ['Pole'], names: ['north'], states: ['PAUSED'], experiments: ['alpha'] },
    });
    const stranger = testPrincipal({ subject: 'reader@example', grants: { beta: 'READER' } });
    const limited = await opened(queues, {}, stranger);
    expect(messagesOf(all)[0]).toEqual({ cursor: expect.any(String), event: null });
    await createQueue('south', 'Sea', ['alpha']);
    await untilReceived(all, 2);
    await setState('north', 'PAUSED');
    await untilReceived(all, 3);
    await untilReceived(polar, 2);
    await untilReceived(limited, 2);
    expect(eventsOf(all).map((event) => event && event['queue'])).toEqual([
      null,
      { name: 'south', site: { name: 'Sea' }, state: 'ONLINE' },
      { name: 'north', site: { name: 'Pole' }, state: 'PAUSED' },
    ]);
    for (const stream of [polar, limited])
      expect(eventsOf(stream).map((event) => event?.['queue']?.['name'])).toEqual([undefined, 'north']);
  });

  it('resumes after a cursor, from memory and, after a restart, from the change stream', async () => {
    const first = await opened(queues);
    for (const state of ['PAUSED', 'ONLINE', 'BROKEROFF']) {
      const before = first.results.length;
      await setState('north', state);
      await untilReceived(first, before + 1);
    }
    const after = messagesOf(first)[1]?.['cursor'];
    const resumed = await opened(queues, { after });
    // Several pending writes are combined into one message.
    expect(messagesOf(resumed).map(({ event, cursor }) => [event?.['queue']?.['state'], cursor])).toEqual([
      ['BROKEROFF', messagesOf(first)[3]?.['cursor']],
    ]);
    await core.stop();
    core = await startCore({ db: core.db });
    const again = await opened(queues, { after });
    expect(messagesOf(again).at(-1)?.['event']?.['queue']?.['state']).toBe('BROKEROFF');
    await setState('north', 'OFFLINE');
    await waitFor(
      'the next change',
      () => messagesOf(again).at(-1)?.['event']?.['queue']?.['state'] === 'OFFLINE',
      {
        deadlineMs: 60_000,
      },
    );
  });

  it('refuses invalid cursors and too many names', async () => {
    const junk = core.subscribe(queues, { after: 'e1.AAAA' });
    await junk.ended;
    expect(junk.results[0]?.errors?.[0]?.extensions?.['code']).toBe('CURSOR_INVALID');
    const many = core.subscribe(queues, { filter: { names: Array.from({ length: 1001 }, String) } });
    await many.ended;
    expect(many.results[0]?.errors?.[0]?.message).toContain('filter.names');
  });
});

describe('workerChanged', () => {
  it('delivers registrations, hardware changes and ends, but no heartbeats', async () => {
    const all = await opened(workers);
    const drained = await opened(workers, { filter: { queues: ['north'], states: ['DRAINING'] } });
    const id = await registerWorker('one', [
      { id: 'GPU-1', vendor: 'NVIDIA', model: 'L4', health: 'HEALTHY' },
    ]);
    await untilReceived(all, 2);
    const beat = async (more: object) =>
      core.ask(
        'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { userErrors { message } } }',
        { input: { workerId: id, ...more } },
        pilotOf('north'),
      );
    await beat({});
    await beat({ devices: [{ id: 'GPU-1', vendor: 'NVIDIA', model: 'L4', health: 'UNHEALTHY' }] });
    await untilReceived(all, 3);
    await core.ask(
      'mutation ($input: DrainWorkerInput!) { drainWorker(input: $input) { userErrors { message } } }',
      { input: { workerId: id } },
      pilotOf('north'),
    );
    await untilReceived(drained, 2);
    await untilReceived(all, 4);
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
  it('delivers each chunk once, over attempts and a restart of core, and ends with the job', async () => {
    const workerId = await registerWorker('one');
    const [job] = await runningJobs(workerId, [{ retry: { maxAttempts: 2, backoffSeconds: 0 } }]);
    if (!job) throw new Error('no job');
    await report('startJobs', workerId, { ...job, phase: 'RUNNING' });
    await append(workerId, job, 0, ['old']);
    const live = await opened(logs, { jobId: job.id });
    expect(messagesOf(live)[0]).toEqual({
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
    const cursor = messagesOf(live)[1]?.['cursor'];
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
    // A subscriber after the end, with any cursor, receives the remaining chunks and the end.
    const late = core.subscribe(logs, { jobId: job.id, after: messagesOf(resumed).at(-1)?.['cursor'] });
    await waitFor('the end', late.ended, { deadlineMs: 60_000 });
    expect(textsOf(late)).toEqual([]);
    expect(messagesOf(late).map(({ cursor: place }) => place)).toEqual([
      messagesOf(resumed).at(-1)?.['cursor'],
    ]);
  });

  it('starts before the first attempt at the end of an empty page', async () => {
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
    const [message] = await untilReceived(stream, 1);
    expect(message).toMatchObject({ event: { attempt: 1, chunks: [{ text: 'first' }] } });
  });

  it('refuses a job that does not exist or that the caller may not see', async () => {
    const stream = core.subscribe(logs, { jobId: 'job_nowhere' });
    await stream.ended;
    expect(stream.results[0]?.errors?.[0]?.extensions?.['code']).toBe('JOB_NOT_FOUND');
  });
});

describe('jobCounts', () => {
  it('refuses a condition that counts do not know, and says why', async () => {
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

  it('counts devices when they are added, granted and released, and jobs by model', async () => {
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
    await waitFor('the fleet', () => messagesOf(gpus).some(({ gpus: rows }) => rows?.['length'] === 1), {
      deadlineMs: 60_000,
    });
    expect(messagesOf(gpus).at(-1)?.['gpus']).toEqual([row]);
    const [job] = await runningJobs(
      workerId,
      [{ requirements: { gpu: { count: 2 } } }],
      ['GPU-1', 'GPU-2', 'GPU-3'],
    );
    if (!job) throw new Error('no job');
    const latest = () => messagesOf(gpus).at(-1)?.['gpus']?.[0]?.['allocated'];
    await waitFor('two given away', () => latest() === 2, { deadlineMs: 60_000 });
    const countsNow = () => {
      const rows = new Map<string, Answer>();
      for (const { counts: some } of messagesOf(jobs))
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
    expect(messagesOf(gpus).at(-1)?.['gpus']).toEqual([row]);
    const elsewhere = await opened(occupancy, { filter: { queues: ['south'] } });
    expect(messagesOf(elsewhere)[0]?.['gpus']).toEqual([]);
  });
});
