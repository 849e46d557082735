// A credential of one worker is good for this worker alone: another worker of the same queue, with its id,
// fence and name, is answered as for a worker that does not exist.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createPrincipal, type Principal } from '@rhizome/authz';
import { free, registration, secret, startWorld, submitOne, type World } from './support/access.fixture.js';
import { admin, pilotOf } from './support/core.fixture.js';

/** The holder of a worker's credential. */
function holder(worker: string, key: string, queue = 'north'): Principal {
  return createPrincipal({
    kind: 'PILOT',
    subject: `worker:${worker}`,
    grants: [{ experiment: '*', roles: ['PILOT'] }],
    expiresAt: new Date('2099-01-01T00:00:00Z'),
    tokenKind: 'WORKER',
    queue,
    worker,
    keyThumbprint: key,
  });
}

const workerA = 'worker_01AAAAAAAAAAAAAAAAAAAAAAAA';
const workerB = 'worker_01BBBBBBBBBBBBBBBBBBBBBBBB';
const registerText = `mutation ($input: RegisterWorkerInput!) {
  registerWorker(input: $input) { worker { id name state } userErrors { code message } }
}`;

let world: World;
/** A job that A holds, with its fence. */
let held: { readonly id: string; readonly fence: number };
const a = holder(workerA, 'key-of-a');
const b = holder(workerB, 'key-of-b');

beforeAll(async () => {
  world = await startWorld();
  const id = await submitOne(world, {
    name: 'secretive',
    requirements: { queue: 'north' },
    payload: { command: 'true', environment: [{ name: 'TOKEN', value: secret }] },
  });
  for (const [principal, name] of [
    [a, 'first'],
    [b, 'second'],
  ] as const)
    await world.ask(registerText, { input: registration('north', name) }, principal);
  const acquire = `mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { fence job { id } } userErrors { message } } }`;
  const answer = await world.ask(
    acquire,
    { input: { workerId: workerA, count: 1, free, waitSeconds: 60 } },
    a,
  );
  const [assignment] = answer['acquireJobs']?.['assignments'] as unknown as {
    fence: number;
    job: { id: string };
  }[];
  held = { id: String(assignment?.job.id), fence: Number(assignment?.fence) };
  expect(held.id).toBe(id);
});

/** Codes of the errors of an answer, at the top and in its payload. */
async function codes(text: string, variables: object, principal: Principal): Promise<readonly unknown[]> {
  const { data, errors = [] } = await world.run(text, variables, principal);
  const [payload] = Object.values(
    (data ?? {}) as Record<string, { userErrors?: { code: unknown }[] } | null>,
  );
  return [
    ...errors.map(({ extensions }) => extensions?.['code']),
    ...(payload?.userErrors ?? []).map(({ code }) => code),
  ];
}

describe('the credential of a worker', () => {
  it('registers the worker that it names, once', async () => {
    const known = await world.ask(
      'query ($ids: [ID!]) { workers(filter: { ids: $ids }) { nodes { id name } } }',
      { ids: [workerA] },
    );
    expect(known).toEqual({ workers: { nodes: [{ id: workerA, name: 'first' }] } });
    const again = await world.ask(registerText, { input: registration('north', 'first') }, a);
    expect(again['registerWorker']?.['worker']).toMatchObject({ id: workerA });
    const other = { ...registration('north', 'third'), idempotencyKey: 'third' };
    expect(await codes(registerText, { input: other }, a)).toEqual(['CONFLICT']);
  });

  const job = () => ({ id: held.id, fence: held.fence });
  const failure = { family: 'PAYLOAD', code: 'X', message: 'x' };
  it.each<[string, () => object]>([
    ['heartbeat', () => ({ workerId: workerA })],
    ['acquireJobs', () => ({ workerId: workerA, count: 1, free, waitSeconds: 0 })],
    ['startJobs', () => ({ workerId: workerA, jobs: [{ ...job(), phase: 'RUNNING' }] })],
    ['finishJobs', () => ({ workerId: workerA, jobs: [{ ...job(), phase: 'FINISHED', exitCode: 0 }] })],
    ['failJobs', () => ({ workerId: workerA, jobs: [{ ...job(), error: failure }] })],
    ['drainWorker', () => ({ workerId: workerA, hasEnded: true })],
    [
      'appendJobLog',
      () => ({
        workerId: workerA,
        jobId: held.id,
        fence: held.fence,
        chunks: [{ stream: 'STDOUT', sequence: 0, at: '2030-01-01T00:00:00.000Z', text: 'x' }],
      }),
    ],
  ])('does not let another worker of the queue call %s for it', async (mutation, input) => {
    const type = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Input`;
    const text = `mutation ($input: ${type}!) { ${mutation}(input: $input) { userErrors { code } } }`;
    const missing = { ...input(), workerId: 'worker_01CCCCCCCCCCCCCCCCCCCCCCCC' };
    const answer = await codes(text, { input: input() }, b);
    expect(answer).toEqual(['WORKER_NOT_FOUND']);
    expect(await codes(text, { input: missing }, b)).toEqual(answer);
  });

  it('does not let another worker of the queue take over its name on the same host', async () => {
    const c = holder('worker_01DDDDDDDDDDDDDDDDDDDDDDDD', 'key-of-c');
    expect(
      await codes(registerText, { input: { ...registration('north', 'first'), idempotencyKey: 'c' } }, c),
    ).toEqual(['CONFLICT']);
    const ofQueue = { ...registration('north', 'first'), idempotencyKey: 'q' };
    expect(await codes(registerText, { input: ofQueue }, pilotOf('north'))).toEqual(['CONFLICT']);
    expect(
      await codes(
        'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { userErrors { code } } }',
        { input: { workerId: workerA } },
        a,
      ),
    ).toEqual([]);
  });

  it('does not let another worker of the queue follow its commands', async () => {
    const text = 'subscription ($id: ID!) { workerCommands(workerId: $id) { sequence } }';
    const stream = world.subscribe(text, { id: workerA }, b);
    await stream.ended;
    expect(
      stream.results.flatMap(({ errors = [] }) => errors.map(({ extensions }) => extensions?.['code'])),
    ).toEqual(['WORKER_NOT_FOUND']);
  });

  it('reads jobs that its worker holds, with their environment, and no others', async () => {
    const text = 'query ($id: ID!) { job(id: $id) { id payload { environment { value } } } }';
    const own = await world.ask(text, { id: held.id }, a);
    expect(own['job']).toMatchObject({ payload: { environment: [{ value: secret }] } });
    expect(await world.ask(text, { id: held.id }, b)).toEqual({ job: null });
    expect(await world.ask(text, { id: world.jobId }, a)).toEqual({ job: null });
    expect(await world.ask(text, { id: world.jobId }, admin)).toMatchObject({ job: { id: world.jobId } });
    const list = 'query { jobs(first: 100) { nodes { id } totalCount } }';
    expect(await world.ask(list, {}, a)).toEqual({ jobs: { nodes: [], totalCount: 0 } });
  });

  it('replaces the worker of the same key when its pilot starts again', async () => {
    const next = holder('worker_01EEEEEEEEEEEEEEEEEEEEEEEE', 'key-of-b');
    const answer = await world.ask(
      registerText,
      { input: { ...registration('north', 'second'), idempotencyKey: 'again' } },
      next,
    );
    expect(answer['registerWorker']?.['worker']).toMatchObject({ id: 'worker_01EEEEEEEEEEEEEEEEEEEEEEEE' });
    const text = 'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { userErrors { code } } }';
    expect(await codes(text, { input: { workerId: workerB } }, b)).toEqual(['WORKER_LOST']);
  });
});
