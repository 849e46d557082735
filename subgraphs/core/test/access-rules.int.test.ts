import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { commandsDuring, testPrincipal } from '@rhizome/testkit';
import {
  acquireOne,
  startOne,
  human,
  register,
  registration,
  secret,
  startWorld,
  submitOne,
  type World,
} from './support/access.fixture.js';
import { admin, type Answer, pilotOf } from './support/core.fixture.js';

let world: World;
/** Worker of "closed", which admits only alpha. */
let closedId: string;
beforeAll(async () => {
  world = await startWorld();
  await world.ask(
    'mutation { createQueue(input: { name: "closed", site: "Pole", experiments: ["alpha"] }) { userErrors { message } } }',
  );
  closedId = await register(world, 'closed', 'enclosed');
});

async function codesOf(text: string, variables: object, principal: Principal): Promise<readonly unknown[]> {
  const { errors = [] } = await world.run(text, variables, principal);
  return errors.map(({ extensions }) => extensions?.['code']);
}

const pilotWith = (queue: string, grants: Record<string, 'PILOT'>): Principal =>
  testPrincipal({ kind: 'PILOT', subject: `pilot:${queue}`, grants });

describe('the permission to act for workers', () => {
  const heartbeat = 'mutation ($id: ID!) { heartbeat(input: { workerId: $id }) { userErrors { code } } }';
  /** The answer for a worker that does not exist, or that the caller may not know of. */
  const missing = { heartbeat: { userErrors: [{ code: 'WORKER_NOT_FOUND' }] } };
  const drain = `mutation ($id: ID!, $hasEnded: Boolean) {
    drainWorker(input: { workerId: $id, hasEnded: $hasEnded }) { worker { state } userErrors { code } }
  }`;

  it('covers queues that admit every experiment for their pilot and for principals with the action everywhere', async () => {
    const { workerId } = world;
    expect(await codesOf(heartbeat, { id: workerId }, human('one', { alpha: 'ADMIN' }))).toEqual([
      'FORBIDDEN',
    ]);
    expect(
      await codesOf(heartbeat, { id: workerId }, human('all', { alpha: 'ADMIN', beta: 'ADMIN' })),
    ).toEqual(['FORBIDDEN']);
    expect(await codesOf(heartbeat, { id: workerId }, admin)).toEqual([]);
    expect(await codesOf(heartbeat, { id: workerId }, pilotWith('north', { beta: 'PILOT' }))).toEqual([]);
  });

  it('covers queues of some experiments for principals with the action in all of them', async () => {
    expect(await codesOf(heartbeat, { id: closedId }, human('one', { alpha: 'ADMIN' }))).toEqual([]);
    expect(await world.ask(heartbeat, { id: closedId }, human('other', { beta: 'ADMIN' }))).toEqual(missing);
    expect(await codesOf(heartbeat, { id: closedId }, pilotWith('closed', { alpha: 'PILOT' }))).toEqual([]);
    expect(await codesOf(heartbeat, { id: closedId }, pilotWith('closed', { beta: 'PILOT' }))).toEqual([
      'FORBIDDEN',
    ]);
  });

  it('covers no queue for a pilot without the subject of a queue', async () => {
    const nobody = testPrincipal({ kind: 'PILOT', subject: 'somebody', grants: 'PILOT' });
    expect(await world.ask(heartbeat, { id: world.workerId }, nobody)).toEqual(missing);
  });

  it('covers no job of an experiment without a grant, whatever fence a pilot guesses', async () => {
    const { workerId, jobId, fence } = world;
    const jobs = [{ id: jobId, fence, error: { family: 'PAYLOAD', code: 'X', message: 'x' } }];
    const text =
      'mutation ($input: FailJobsInput!) { failJobs(input: $input) { acceptedIds userErrors { code } } }';
    const stranger = pilotWith('north', { beta: 'PILOT' });
    expect(await world.ask(text, { input: { workerId, jobs } }, stranger)).toEqual({
      failJobs: { acceptedIds: [], userErrors: [{ code: 'JOB_NOT_FOUND' }] },
    });
    const append =
      'mutation ($input: AppendJobLogInput!) { appendJobLog(input: $input) { userErrors { code } } }';
    const chunks = [{ sequence: 0, stream: 'STDOUT', text: 'lies', at: '2030-01-01T00:00:00Z' }];
    expect(await world.ask(append, { input: { workerId, jobId, fence, chunks } }, stranger)).toEqual({
      appendJobLog: { userErrors: [{ code: 'JOB_NOT_FOUND' }] },
    });
    const { job } = await world.ask('query ($id: ID!) { job(id: $id) { state } }', { id: jobId });
    expect(job).toEqual({ state: 'RUNNING' });
  });

  it('prevents an operator of one experiment from ending a worker of a shared queue', async () => {
    const { spareId } = world;
    const operator = human('operator', { alpha: 'OPERATOR' });
    for (const ended of [false, true])
      expect(await codesOf(drain, { id: spareId, ended }, operator)).toEqual(['FORBIDDEN']);
    const everywhere = human('operators', { '*': 'OPERATOR' });
    expect(await world.ask(drain, { id: spareId }, everywhere)).toMatchObject({
      drainWorker: { worker: { state: 'DRAINING' } },
    });
    expect(await world.ask(drain, { id: spareId, hasEnded: true }, pilotOf('north'))).toMatchObject({
      drainWorker: { worker: { state: 'ENDED' } },
    });
    const own = await register(world, 'closed', 'to be drained');
    expect(await world.ask(drain, { id: own, hasEnded: true }, operator)).toMatchObject({
      drainWorker: { worker: { state: 'ENDED' } },
    });
  });

  it('applies to registrations, too', async () => {
    const text =
      'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { userErrors { code } } }';
    const call = (queue: string, principal: Principal) =>
      codesOf(text, { input: registration(queue, 'impostor') }, principal);
    expect(await call('north', human('one', { alpha: 'ADMIN' }))).toEqual(['FORBIDDEN']);
    expect(await call('closed', human('one', { alpha: 'ADMIN' }))).toEqual([]);
    expect(await call('nowhere', human('one', { alpha: 'ADMIN' }))).toEqual(['FORBIDDEN']);
  });
});

describe('the read access of a pilot', () => {
  const fields = 'id name payload { environment { value } } log { chunks { text } }';

  it('includes the assigned job and the outputs of its parents, wherever they ran', async () => {
    const { jobId } = world;
    const text = `query ($id: ID!) { job(id: $id) {
      payload { command environment { name value } } dependsOn { id outputs { location } payload { environment { value } } }
    } }`;
    const { job } = await world.ask(text, { id: jobId }, pilotOf('north'));
    expect(job).toEqual({
      payload: { command: 'true', environment: [{ name: 'TOKEN', value: secret }] },
      dependsOn: [
        { id: world.parentId, outputs: [{ location: '/store/out' }], payload: { environment: null } },
      ],
    });
  });

  it('includes parents only through their child, without their logs and their own parents', async () => {
    const { jobId, parentId } = world;
    const pilot = pilotOf('north');
    expect(await world.ask('query ($id: ID!) { job(id: $id) { id } }', { id: parentId }, pilot)).toEqual({
      job: null,
    });
    const parents = (of: string) => `query ($id: ID!) { job(id: $id) { dependsOn { ${of} } } }`;
    expect(await codesOf(parents('log { chunks { text } }'), { id: jobId }, pilot)).toEqual(['FORBIDDEN']);
    expect(await codesOf(parents('dependsOn { id }'), { id: jobId }, pilot)).toEqual(['JOB_NOT_FOUND']);
    // The pilot of its queue reads it, but not the secrets of an ended job.
    expect(
      await world.ask(`query ($id: ID!) { job(id: $id) { ${fields} } }`, { id: parentId }, pilotOf('south')),
    ).toEqual({
      job: { id: parentId, name: 'parent', payload: { environment: null }, log: { chunks: [] } },
    });
  });

  it('is limited to its queue in lists, with any filter', async () => {
    const { jobId, parentId, grandparentId } = world;
    const list = async (filter: object, pilot: Principal): Promise<readonly string[]> => {
      const { jobs } = await world.ask(
        'query ($filter: JobFilter) { jobs(filter: $filter) { nodes { id } } }',
        { filter },
        pilot,
      );
      return (jobs?.['nodes'] as unknown as readonly Answer[]).map(({ id }) => String(id)).sort();
    };
    const south = [parentId, grandparentId].sort();
    for (const filter of [
      {},
      { experiments: ['alpha'] },
      { owners: ['admin@example'] },
      { shares: ['alpha/default'] },
      { queues: ['south'] },
    ])
      expect(await list(filter, pilotOf('south'))).toEqual(south);
    expect(await list({ ids: [jobId, parentId] }, pilotOf('south'))).toEqual([parentId]);
    expect(await list({ queues: ['north'] }, pilotOf('south'))).toEqual([]);
    expect(await list({}, pilotOf('nowhere'))).toEqual([]);
  });

  it('is limited to its queue in counts', async () => {
    const { jobCounts } = await world.ask('{ jobCounts { queueName state count } }', {}, pilotOf('south'));
    expect(jobCounts).toEqual([{ queueName: 'south', state: 'FINISHED', count: 2 }]);
  });

  it('includes the environment with an assignment only, and earlier jobs without it', async () => {
    const id = await submitOne(world, {
      name: 'brief',
      requirements: { queue: 'closed' },
      payload: { command: 'true', environment: [{ name: 'TOKEN', value: secret }] },
    });
    const { fence } = await acquireOne(world, 'closed', closedId);
    const read = 'query ($id: ID!) { job(id: $id) { payload { environment { value } } } }';
    const pilot = pilotOf('closed');
    expect(await world.ask(read, { id }, pilot)).toEqual({
      job: { payload: { environment: [{ value: secret }] } },
    });
    await startOne(world, 'closed', closedId, { id, fence });
    await world.ask(
      'mutation ($input: FinishJobsInput!) { finishJobs(input: $input) { acceptedIds } }',
      { input: { workerId: closedId, jobs: [{ id, fence }] } },
      pilot,
    );
    expect(await world.ask(read, { id }, pilot)).toEqual({ job: { payload: { environment: null } } });
  });
});

describe('the environment of a payload', () => {
  const owner = human('owner', { alpha: 'USER' });
  const cases: readonly (readonly [string, Principal, boolean])[] = [
    ['its owner', owner, true],
    ['a manager of the jobs of others', human('production', { alpha: 'PRODUCTION' }), true],
    ['another user', human('user', { alpha: 'USER' }), false],
    ['a reader', human('reader', { alpha: 'READER' }), false],
    [
      "an agent of its owner's",
      testPrincipal({ kind: 'AGENT', subject: 'agent', actsFor: 'owner@example', grants: { alpha: 'USER' } }),
      false,
    ],
    [
      "an agent with the owner's subject",
      testPrincipal({ kind: 'AGENT', subject: 'owner@example', grants: { alpha: 'ADMIN' } }),
      false,
    ],
  ];

  it.each(cases)('is returned only to permitted callers: %s', async (_who, principal, isShown) => {
    const payload = { command: 'true', environment: [{ name: 'TOKEN', value: secret }] };
    const job = { name: 'secretive', payload, requirements: { cores: 4096 } };
    const { submitJobs } = await world.ask(
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } } }',
      { input: { experiment: 'alpha', idempotencyKey: 'secretive', jobs: [job] } },
      owner,
    );
    const id = submitJobs?.['jobs']?.[0]?.['id'];
    const text = 'query ($id: ID!) { job(id: $id) { payload { command environment { value } } } }';
    const environment = isShown ? [{ value: secret }] : null;
    expect(await world.ask(text, { id }, principal)).toEqual({
      job: { payload: { command: 'true', environment } },
    });
  });
});

it('shows workers to callers who may see their queue, on all paths', async () => {
  const text = `query ($id: ID!, $of: [_Any!]!) {
    worker(id: $id) { id } workers(filter: { ids: [$id] }) { nodes { id } } _entities(representations: $of) { ... on Worker { host queue { name } } }
  }`;
  const of = [{ __typename: 'Worker', id: closedId }];
  expect(await world.ask(text, { id: closedId, of }, human('reader', { beta: 'READER' }))).toEqual({
    worker: null,
    workers: { nodes: [] },
    _entities: [null],
  });
  expect(await world.ask(text, { id: closedId, of }, human('reader', { alpha: 'READER' }))).toEqual({
    worker: { id: closedId },
    workers: { nodes: [{ id: closedId }] },
    _entities: [{ host: 'host-1', queue: { name: 'closed' } }],
  });
});

it('shows a bulk operation to the caller who started it and to a global ADMIN', async () => {
  const text = 'query ($id: ID!) { bulkOperation(id: $id) { id } }';
  const seenBy = async (principal: Principal): Promise<boolean> =>
    (await world.ask(text, { id: world.operationId }, principal))['bulkOperation'] !== null;
  expect(await seenBy(admin)).toBe(true);
  expect(await seenBy(testPrincipal({ subject: 'other@example' }))).toBe(true);
  expect(await seenBy(human('alphas', { alpha: 'ADMIN' }))).toBe(false);
  expect(await seenBy(human('operator', { '*': 'OPERATOR' }))).toBe(false);
  expect(await seenBy(testPrincipal({ kind: 'AGENT', subject: 'admin@example' }))).toBe(false);
});

it('reads an invisible job by the query that finds no missing one', async () => {
  const stranger = human('stranger', { beta: 'READER' });
  const readOf = async (id: string): Promise<unknown> => {
    const commands = await commandsDuring(async () => {
      expect(await world.ask('query ($id: ID!) { job(id: $id) { name } }', { id }, stranger)).toEqual({
        job: null,
      });
    });
    const finds = commands.filter(({ command }) => command['find'] === 'jobs');
    return finds.map(({ command }) => command['filter'] as unknown);
  };
  const filter = (id: string): unknown => [{ _id: { $in: [id] }, experiment: { $in: ['beta'] } }];
  for (const id of [world.jobId, `${world.jobId.slice(0, -6)}000000`])
    expect(await readOf(id)).toEqual(filter(id));
});
