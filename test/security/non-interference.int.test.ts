// Non-interference: two systems that differ only in the data of another experiment. Whatever an observer
// without rights in it does, every answer of one system equals that of the other, after identifiers and times
// are renamed. The channels that remain are decided; docs/reference/side-channels.md lists them.
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Role } from '@rhizome/authz';
import { isRhizomeApiError } from '@rhizome/client';
import fc from 'fast-check';
import { mutationText } from '../e2e/system/api.js';
import { document, mutate, startTestSystem, type System } from '../experiments/test-system.js';

/** Identifiers of objects of beta; in the empty system, ones of the same form that do not exist. */
interface Foreign {
  readonly jobId: string;
  readonly taskId: string;
  readonly workerId: string;
  readonly operationId: string;
}

interface Side {
  readonly system: System;
  readonly foreign: Foreign;
  readonly tokens: ReadonlyMap<Role, string>;
  readonly jobs: readonly string[];
}

const observers = ['USER', 'READER', 'OPERATOR', 'PRODUCTION', 'ADMIN', 'PILOT', 'SERVICE'] as const;
/** The same in both systems: a cursor that a user of beta got. */
let cursor = '';
let sides: readonly [Side, Side];

const hardware = { architecture: 'x86_64', cores: 8, memoryMiB: 8000, diskMiB: 8000 };
const large = { cores: 4096 };
const payload = { command: 'true' };

async function start(): Promise<Omit<Side, 'foreign'>> {
  const system = await startTestSystem([]);
  for (const name of ['alpha', 'beta']) await system.register(name);
  await mutate(system, 'createQueue', { name: 'ours', site: 'POLE', experiments: ['alpha'] });
  for (const queue of ['north', 'ours'])
    await mutate(system, 'registerWorker', {
      ...{ queue, host: 'h', name: queue, version: '1', hardware, idempotencyKey: queue },
    });
  const specs = Array.from({ length: 6 }, (_, at) => ({ name: `job ${at}`, payload, requirements: large }));
  const input = { experiment: 'alpha', idempotencyKey: 'alpha', jobs: specs };
  const { jobs } = await mutate(system, 'submitJobs', input, 'jobs { id }');
  const tokens = new Map<Role, string>();
  for (const role of observers) {
    const kind = role === 'PILOT' || role === 'SERVICE' ? role : 'HUMAN';
    const subject = { PILOT: 'pilot:ours', SERVICE: 'experiment:alpha', HUMAN: `${role}@example` }[kind];
    const grants = [{ experiment: 'alpha', roles: [role] }];
    tokens.set(role, await system.tokens.mint({ kind, subject, grants }));
  }
  return { system, tokens, jobs: (jobs as { id: string }[]).map(({ id }) => id) };
}

/** Everything that beta has in one of the systems. */
async function fill(system: System): Promise<Foreign> {
  await mutate(system, 'createQueue', { name: 'theirs', site: 'MOON', experiments: ['beta'] });
  const worker = { queue: 'theirs', host: 'h', name: 'theirs', version: '1', hardware };
  const registered = await mutate(
    system,
    'registerWorker',
    { ...worker, idempotencyKey: 'b' },
    'worker { id }',
  );
  await mutate(system, 'setShares', { experiment: 'beta', shares: [{ leaf: 'heavy', nominalCores: 900 }] });
  const specs = Array.from({ length: 40 }, (_, at) => ({
    name: `CANARY ${at}`,
    payload: { command: 'canary' },
    labels: [{ key: 'canary', value: 'beta' }],
    requirements: large,
  }));
  const submitted = { experiment: 'beta', idempotencyKey: 'alpha', jobs: specs };
  const { jobs } = await mutate(system, 'submitJobs', submitted, 'jobs { id }');
  const template = { name: 'x', payload, requirements: large };
  const task = { experiment: 'beta', idempotencyKey: 't', name: 'CANARY', jobs: { count: 3 }, template };
  const { task: created } = await mutate(system, 'submitTask', task, 'task { id }');
  const held = { selection: { ids: [jobs[0].id] }, reason: 'CANARY', idempotencyKey: 'hold' };
  await mutate(system, 'holdJobs', held);
  const { data } = await system.ask(
    '{ jobs(first: 3, filter: { experiments: ["beta"] }) { pageInfo { endCursor } } }',
  );
  cursor = String(data.jobs.pageInfo.endCursor);
  const operation = await system.core.db.collection<{ _id: string }>('bulkOperations').findOne({});
  return {
    jobId: String(jobs[0].id),
    taskId: String(created.id),
    workerId: String(registered.worker.id),
    operationId: String(operation?._id),
  };
}

/** Identifiers of the same form and length. */
const altered = (id: string): string => id.replace(/.{6}$/, '000000');

beforeAll(async () => {
  const [empty, full] = [await start(), await start()];
  const foreign = await fill(full.system);
  const missing = Object.fromEntries(
    Object.entries(foreign).map(([name, id]) => [name, altered(String(id))]),
  ) as unknown as Foreign;
  sides = [
    { ...empty, foreign: missing },
    { ...full, foreign },
  ];
});

interface Step {
  readonly name: string;
  readonly text: string;
  readonly variables: (side: Side) => object;
}

const onJob = (field: string, more: object = {}): Step => ({
  name: field,
  text: mutationText(field, 'result { changedCount refusedCount } userErrors { code message path }'),
  variables: ({ foreign, jobs }) => ({
    input: { selection: { ids: [foreign.jobId, jobs[1]] }, ...more },
  }),
});
const jobFields =
  'id name state attempt priority owner { subject } dependsOn { id } pending { summary } log { chunks { text } }';
const submission = (job: (side: Side) => object): Step => ({
  name: 'submitJobs',
  text: 'mutation ($i: SubmitJobsInput!) { submitJobs(input: $i) { jobs { id } userErrors { code message path } } }',
  variables: (side) => ({
    i: {
      experiment: 'alpha',
      idempotencyKey: `key ${JSON.stringify(job(sides[1]))}`,
      jobs: [{ name: 'x', payload, requirements: large, ...job(side) }],
    },
  }),
});
const taskSubmission = (template: (side: Side) => object): Step => ({
  name: 'submitTask',
  text: 'mutation ($i: SubmitTaskInput!) { submitTask(input: $i) { task { id } userErrors { code message path } } }',
  variables: (side) => ({
    i: {
      ...{ experiment: 'alpha', name: 'x', jobs: { count: 2 } },
      idempotencyKey: `task ${JSON.stringify(template(sides[1]))}`,
      template: { name: 'x', payload, requirements: large, ...template(side) },
    },
  }),
});
const reading = (text: string, variables: Step['variables'] = () => ({})): Step => ({
  name: text.slice(0, 60),
  text,
  variables,
});

/** Calls that could reach something of beta. */
const steps: readonly Step[] = [
  reading(`{ jobs { nodes { ${jobFields} } totalCount pageInfo { hasNextPage } } }`),
  reading('{ jobs(filter: { labels: ["canary=beta"] }) { nodes { id } totalCount } }'),
  reading('{ jobs(filter: { experiments: ["beta"] }) { nodes { id } totalCount } }'),
  reading('{ jobs(filter: { queues: ["theirs"] }) { nodes { id } totalCount } }'),
  reading(
    'query ($c: String) { jobs(first: 2, after: $c) { nodes { name } pageInfo { hasNextPage } } }',
    () => ({
      c: cursor,
    }),
  ),
  reading(`query ($id: ID!) { job(id: $id) { ${jobFields} } }`, ({ foreign }) => ({ id: foreign.jobId })),
  reading(`query ($id: ID!) { job(id: $id) { ${jobFields} } }`, ({ jobs }) => ({ id: jobs[0] })),
  reading('query ($id: ID!) { task(id: $id) { id progress { totalJobs } } }', ({ foreign }) => ({
    id: foreign.taskId,
  })),
  reading('{ tasks { nodes { id name } totalCount } }'),
  reading('query ($id: ID!) { worker(id: $id) { id name } }', ({ foreign }) => ({ id: foreign.workerId })),
  reading('{ workers { nodes { name state host queue { name } } totalCount } }'),
  reading('{ queue(name: "theirs") { name site { name } } }'),
  reading('{ queues { nodes { name state } totalCount } }'),
  reading('query ($id: ID!) { bulkOperation(id: $id) { id state } }', ({ foreign }) => ({
    id: foreign.operationId,
  })),
  reading('{ jobCounts { experimentName queueName sharePath state count } }'),
  reading('{ jobCounts(filter: { experiments: ["beta"] }) { state count } }'),
  reading('{ jobCounts(filter: { queues: ["theirs"] }) { state count } }'),
  reading('query ($id: [ID!]) { jobCounts(filter: { taskIds: $id }) { state count } }', ({ foreign }) => ({
    id: [foreign.taskId],
  })),
  reading('{ shares(experiment: "beta") { nodes { path } } }'),
  reading('{ experiment(name: "beta") { name title } }'),
  reading('{ experiments { nodes { name } totalCount } }'),
  reading('{ hardwareMap { sites { site { name } gpus { model } } } }'),
  reading('{ hardwareExport(queues: ["theirs"]) { name } }'),
  reading(
    '{ explainRequirements(input: { experiment: "beta" }) { pending { summary } userErrors { message } } }',
  ),
  reading(
    '{ explainRequirements(input: { experiment: "alpha", requirements: { cores: 4096 } }) { pending { summary } userErrors { message } } }',
  ),
  reading(
    '{ explainRequirements(input: { experiment: "alpha", requirements: { queue: "theirs" } }) { pending { summary } userErrors { message } } }',
  ),
  reading(
    '{ explainRequirements(input: { experiment: "alpha", share: "beta/heavy" }) { userErrors { message } } }',
  ),
  onJob('cancelJobs'),
  onJob('holdJobs', { reason: 'mine' }),
  onJob('releaseJobs'),
  onJob('setJobPriority', { priority: 3 }),
  onJob('retryJobs', { idempotencyKey: 'retry' }),
  taskSubmission(({ foreign }) => ({ dependsOn: [foreign.jobId] })),
  taskSubmission(() => ({ requirements: { queue: 'theirs' } })),
  taskSubmission(() => ({ share: 'beta/heavy' })),
  submission(({ foreign }) => ({ dependsOn: [foreign.jobId] })),
  submission(() => ({ requirements: { queue: 'theirs' } })),
  submission(() => ({ share: 'beta/heavy' })),
  submission(() => ({})),
  reading(
    'mutation { setQueueState(input: { name: "theirs", state: "PAUSED", reason: "mine" }) { queue { name } userErrors { code message } } }',
  ),
  reading(
    'mutation { updateQueue(input: { name: "theirs", site: "MINE" }) { queue { name } userErrors { code message } } }',
  ),
  reading(
    'mutation ($i: HeartbeatInput!) { heartbeat(input: $i) { userErrors { code message } } }',
    ({ foreign }) => ({
      i: { workerId: foreign.workerId },
    }),
  ),
  reading(
    'mutation ($i: DrainWorkerInput!) { drainWorker(input: $i) { userErrors { code message } } }',
    ({ foreign }) => ({
      i: { workerId: foreign.workerId },
    }),
  ),
  reading(
    'mutation ($i: RegisterWorkerInput!) { registerWorker(input: $i) { worker { name } userErrors { code message } } }',
    () => ({ i: { queue: 'theirs', host: 'h', name: 'n', version: '1', hardware, idempotencyKey: 'n' } }),
  ),
];

/** The answer with identifiers in the order of their first appearance, and without times. */
function renamed(answer: unknown, { foreign }: Side): string {
  const names = new Map(Object.entries(foreign).map(([name, id]) => [String(id), `<${name}>`]));
  return JSON.stringify(answer)
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/\b(job|task|worker|op|queue|batch)_[0-9A-Z]{20,}/g, (id) => {
      const name = names.get(id) ?? `<${names.size}>`;
      names.set(id, name);
      return name;
    });
}

async function answerOf(side: Side, role: Role, { text, variables }: Step): Promise<string> {
  const { data, errors } = await side.system.ask(text, variables(side), side.tokens.get(role));
  return renamed(
    { data: data ?? null, errors: errors.map(({ code, message }) => ({ code, message })) },
    side,
  );
}

/** Time in which counts and lists follow the writes before them, in milliseconds. */
const followMs = 60_000;

/** Two answers, once they are equal or the time has passed: counts follow writes with a delay. */
async function untilEqual(read: () => Promise<readonly string[]>): Promise<readonly string[]> {
  for (const started = performance.now(); ;) {
    const answers = await read();
    if (answers[0] === answers[1] || performance.now() - started > followMs) return answers;
  }
}

/** Both answers. A query whose answers differ is asked again. */
function answersTo(role: Role, step: Step): Promise<readonly string[]> {
  const read = async (): Promise<readonly string[]> => [
    await answerOf(sides[0], role, step),
    await answerOf(sides[1], role, step),
  ];
  return step.text.startsWith('mutation') ? read() : untilEqual(read);
}

const sideAt = (at: number): Side => (at === 0 ? sides[0] : sides[1]);

/** The first message of a stream, or the codes with which it was refused. */
async function firstOf(side: Side, role: Role, text: string): Promise<string> {
  const { foreign, system, tokens } = side;
  const variables = { task: foreign.taskId, job: foreign.jobId, worker: foreign.workerId };
  const used = Object.fromEntries(Object.entries(variables).filter(([name]) => text.includes(`$${name}`)));
  const stream = (await system.client(tokens.get(role))).subscribe(document(`subscription ${text}`), used);
  try {
    for await (const message of stream) return renamed(message, side);
    return 'ended';
  } catch (error) {
    if (!isRhizomeApiError(error)) throw error;
    return renamed(
      error.errors.map(({ code, message }) => ({ code, message })),
      side,
    );
  } finally {
    await stream.return?.();
  }
}

/** Runs the script in both systems; returns the answers that differ. */
async function differences(role: Role, script: readonly Step[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const step of script) {
    const [empty, full = ''] = await answersTo(role, step);
    if (empty !== full) found.push(`${role} ${step.name}\n  without: ${empty}\n  with:    ${full}`);
    if (/CANARY|canary/.test(full.replaceAll('canary=beta', ''))) found.push(`${step.name} shows ${full}`);
  }
  return found;
}

describe('observer without rights in another experiment', () => {
  it.each(observers)('gets equal answers to every call, as %s', async (role) => {
    expect(await differences(role, steps)).toEqual([]);
  });

  it('gets equal messages of a stream, whatever happens in the other experiment', async () => {
    const text = 'subscription { jobStateChanged { event { job { id } previousState state } } }';
    const received: string[][] = [[], []];
    const streams = await Promise.all(
      sides.map(async ({ system, tokens }) =>
        (await system.client(tokens.get('READER'))).subscribe(document(text), {}),
      ),
    );
    const read = async (at: 0 | 1): Promise<void> => {
      const message = await streams[at]?.next();
      received[at]?.push(renamed(message?.value, sides[at]));
    };
    await Promise.all([read(0), read(1)]);
    const [empty, full] = sides;
    const heavy = { experiment: 'beta', idempotencyKey: 'more', jobs: [{ name: 'CANARY', payload }] };
    await mutate(full.system, 'submitJobs', heavy);
    await mutate(full.system, 'setJobPriority', { selection: { ids: [full.foreign.jobId] }, priority: 9 });
    for (const { system } of [empty, full]) {
      const ours = { experiment: 'alpha', idempotencyKey: 'more', jobs: [{ name: 'x', payload }] };
      await mutate(system, 'submitJobs', ours);
    }
    await Promise.all([read(0), read(1)]);
    await Promise.all(streams.map((stream) => stream.return?.()));
    expect(received[1]).toEqual(received[0]);
    expect(received[0]?.[1]).toContain('ACTIVATED');
  });

  it.each([
    ['jobCountsChanged', '{ jobCountsChanged { counts { experimentName queueName state count } } }'],
    ['taskProgress', '($task: ID!) { taskProgress(id: $task) { progress { totalJobs } } }'],
    ['jobLogAppended', '($job: ID!) { jobLogAppended(jobId: $job) { cursor } }'],
    ['gpuOccupancyChanged', '{ gpuOccupancyChanged { gpus { queueName model } } }'],
    ['workerCommands', '($worker: ID!) { workerCommands(workerId: $worker) { sequence } }'],
  ])('gets equal first messages of %s', async (_name, text) => {
    for (const role of observers) {
      const [empty, full] = await untilEqual(() =>
        Promise.all(sides.map((side) => firstOf(side, role, text))),
      );
      expect(full).toBe(empty);
    }
  });

  it.each([
    ['queueChanged', '{ queueChanged { event { queue { name state } } } }'],
    ['workerChanged', '{ workerChanged { event { worker { name state } } } }'],
  ])('gets equal messages of %s, whatever happens in the other experiment', async (name, text) => {
    const streams = await Promise.all(
      sides.map(async ({ system, tokens }) =>
        (await system.client(tokens.get('OPERATOR'))).subscribe(document(`subscription ${text}`), {}),
      ),
    );
    const read = async (): Promise<readonly string[]> =>
      Promise.all(streams.map(async (stream, at) => renamed((await stream.next()).value, sideAt(at))));
    const opened = await read();
    expect(opened[1]).toBe(opened[0]);
    const reason = `CANARY ${name}`;
    await mutate(sides[1].system, 'setQueueState', { name: 'theirs', state: 'PAUSED', reason });
    await mutate(sides[1].system, 'drainWorker', { workerId: sides[1].foreign.workerId, reason });
    for (const { system } of sides) {
      await mutate(system, 'setQueueState', { name: 'ours', state: 'ONLINE', reason: `ours ${name}` });
      const late = { queue: 'ours', host: 'h', name: `late ${name}`, version: '1', hardware };
      await mutate(system, 'registerWorker', { ...late, idempotencyKey: name });
    }
    const changed = await read();
    expect(changed[1]).toBe(changed[0]);
    expect(changed[1]).toMatch(/"ours"|late/);
    await Promise.all(streams.map((stream) => stream.return?.()));
  });

  it('gets equal answers in any order of calls', async () => {
    const script = fc.array(fc.constantFrom(...steps), { minLength: 3, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...observers), script, async (role, calls) => {
        expect(await differences(role, calls)).toEqual([]);
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });
});
