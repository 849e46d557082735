import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { admin, type Answer, pilotOf, startCore } from '../core.fixture.js';
import { experimentsCollection } from '../experiments/experiment.document.js';
import { queuesCollection } from '../queues/queue.document.js';
import { sharesCollection } from '../shares/share.document.js';

jest.setTimeout(60_000);

let core: Awaited<ReturnType<typeof startCore>>;
let serial = 0;

beforeAll(async () => {
  core = await startCore();
  for (const name of ['alpha', 'beta', 'gamma']) await core.ask(registerExperiment, { input: { name, title: `The ${name}` } });
});

const queueFields = `id name site state stateReason stateChangedBy experiments { name } executor revision labels { key value }
  limits { maxCores maxMemoryMiB maxWalltimeSeconds maxRunningJobs heartbeatSeconds leaseSeconds }`;
const createQueue = `mutation ($input: CreateQueueInput!) { createQueue(input: $input) { queue { ${queueFields} } userErrors { code path message } } }`;
const updateQueue = `mutation ($input: UpdateQueueInput!) { updateQueue(input: $input) { queue { ${queueFields} } userErrors { code path message } } }`;
const setQueueState = `mutation ($input: SetQueueStateInput!) { setQueueState(input: $input) { queue { ${queueFields} } userErrors { code path message } } }`;
const registerExperiment = 'mutation ($input: RegisterExperimentInput!) { registerExperiment(input: $input) { experiment { name title description shares { path } } userErrors { code path message } } }';
const setShares = 'mutation ($input: SetSharesInput!) { setShares(input: $input) { shares { path nominalCores borrowLimitCores weight ownerLimitCores } userErrors { code path message } } }';

function aName(): string {
  return `queue-${(serial += 1)}`;
}

async function aQueue(over: object = {}): Promise<Answer> {
  const { createQueue: answer } = await core.ask(createQueue, { input: { name: aName(), site: 'Pole', ...over } });
  expect(answer?.['userErrors']).toEqual([]);
  return answer?.['queue'] as Answer;
}

/** All stored documents of a collection, to see that nothing was half written. */
async function stored(): Promise<string> {
  const all = await Promise.all([queuesCollection, experimentsCollection, sharesCollection].map((definition) => collection(core.db, definition as typeof queuesCollection).find().sort({ _id: 1 }).toArray()));
  return JSON.stringify(all);
}

/** Runs a mutation that must be refused: by code and place, the value named, nothing written. */
async function refused(mutation: string, input: object, code: string, path: readonly string[], named: string): Promise<void> {
  const before = await stored();
  const answer = Object.values(await core.ask(mutation, { input }))[0];
  const { userErrors, ...rest } = answer as unknown as { userErrors: { code: string; path: string[]; message: string }[] };
  expect(userErrors.map((error) => [error.code, error.path])).toContainEqual([code, path]);
  const error = userErrors.find((one) => one.code === code && one.path.join() === path.join());
  expect(error?.message).toContain(named);
  for (const value of Object.values(rest)) expect(value === null || (Array.isArray(value) && value.length === 0)).toBe(true);
  expect(await stored()).toBe(before);
}

const labels = (count: number) => Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: 'v' }));

describe('createQueue', () => {
  test('makes a queue with its defaults, found by name, by id and in the list', async () => {
    const queue = await aQueue();
    expect(queue).toMatchObject({
      state: 'ONLINE',
      stateReason: null,
      stateChangedBy: 'admin@example',
      experiments: [],
      executor: 'DIRECT',
      revision: 1,
      limits: { maxCores: null, maxRunningJobs: null, heartbeatSeconds: 10, leaseSeconds: 30 },
    });
    const query = `query ($name: String!, $refs: [_Any!]!) { queue(name: $name) { id } queues(filter: { names: [$name] }) { nodes { id } pageInfo { hasNextPage } } _entities(representations: $refs) { ... on Queue { id name } } }`;
    const refs = [{ __typename: 'Queue', name: queue['name'] }, { __typename: 'Queue', id: queue['id'] }, { __typename: 'Queue', name: 'nowhere' }];
    const found = await core.ask(query, { name: queue['name'], refs });
    const { id, name } = queue;
    expect(found).toEqual({ queue: { id }, queues: { nodes: [{ id }], pageInfo: { hasNextPage: false } }, _entities: [{ id, name }, { id, name }, null] });
  });

  test.each<[string, object, string, string[], string]>([
    ['an empty name', { name: '' }, 'INVALID_VALUE', ['name'], '""'],
    ['a name with a blank', { name: 'a b' }, 'INVALID_VALUE', ['name'], '"a b"'],
    ['a name of 64 characters', { name: 'q'.repeat(64) }, 'INVALID_VALUE', ['name'], '1 to 63'],
    ['a name with another alphabet', { name: 'Köln' }, 'INVALID_VALUE', ['name'], 'Köln'],
    ['an empty site', { site: '' }, 'INVALID_VALUE', ['site'], '1 to 63'],
    ['a site with a control character', { site: 'a\u0007b' }, 'INVALID_VALUE', ['site'], 'printable'],
    ['an unknown experiment', { experiments: ['alpha', 'nobody'] }, 'EXPERIMENT_NOT_FOUND', ['experiments', '1'], '"nobody"'],
    ['an experiment twice', { experiments: ['alpha', 'alpha'] }, 'INVALID_VALUE', ['experiments', '1'], 'alpha'],
    ['33 labels', { labels: labels(33) }, 'INVALID_VALUE', ['labels'], '33'],
    ['a label twice', { labels: [...labels(1), ...labels(1)] }, 'INVALID_VALUE', ['labels', '1'], 'k0'],
    ['a label without a key', { labels: [{ key: '', value: 'v' }] }, 'INVALID_VALUE', ['labels', '0', 'key'], '""'],
    ['a label of 256 characters', { labels: [{ key: 'k', value: 'v'.repeat(256) }] }, 'INVALID_VALUE', ['labels', '0', 'value'], '255'],
    ['no core', { limits: { maxCores: 0 } }, 'INVALID_VALUE', ['limits', 'maxCores'], '0 is not valid'],
    ['too many cores', { limits: { maxCores: 4097 } }, 'INVALID_VALUE', ['limits', 'maxCores'], '4097'],
    ['negative memory', { limits: { maxMemoryMiB: -1 } }, 'INVALID_VALUE', ['limits', 'maxMemoryMiB'], '-1'],
    ['no walltime', { limits: { maxWalltimeSeconds: 0 } }, 'INVALID_VALUE', ['limits', 'maxWalltimeSeconds'], '0'],
    ['no running job', { limits: { maxRunningJobs: 0 } }, 'INVALID_VALUE', ['limits', 'maxRunningJobs'], '0'],
    ['a heartbeat of 301 s', { limits: { heartbeatSeconds: 301, leaseSeconds: 700 } }, 'INVALID_VALUE', ['limits', 'heartbeatSeconds'], '301'],
    ['a lease shorter than two heartbeats', { limits: { heartbeatSeconds: 20, leaseSeconds: 39 } }, 'INVALID_VALUE', ['limits', 'leaseSeconds'], '39'],
    ['a lease over an hour', { limits: { leaseSeconds: 3601 } }, 'INVALID_VALUE', ['limits', 'leaseSeconds'], '3601'],
    ['an empty key', { idempotencyKey: '' }, 'INVALID_VALUE', ['idempotencyKey'], '1 to 200'],
    ['a key of 201 characters', { idempotencyKey: 'k'.repeat(201) }, 'INVALID_VALUE', ['idempotencyKey'], '1 to 200'],
  ])('refuses %s', async (_what, over, code, path, named) => {
    await refused(createQueue, { name: aName(), site: 'Pole', ...over }, code, path, named);
  });

  test('tells all faults at once', async () => {
    const input = { name: 'a b', site: '', labels: labels(33), limits: { maxCores: 0 } };
    const { createQueue: answer } = await core.ask(createQueue, { input });
    expect((answer?.['userErrors'] as unknown as { path: string[] }[]).map(({ path }) => path.join('.'))).toEqual(['name', 'site', 'labels', 'limits.maxCores']);
  });

  test('refuses a taken name', async () => {
    const { name } = await aQueue();
    await refused(createQueue, { name, site: 'Pole' }, 'QUEUE_NAME_TAKEN', ['name'], String(name));
  });

  test('the same key gives the same queue, at once and together, another content is refused', async () => {
    const input = { name: aName(), site: 'Pole', experiments: ['beta', 'alpha'], idempotencyKey: 'the key' };
    const answers = await Promise.all(Array.from({ length: 5 }, () => core.ask(createQueue, { input })));
    const ids = answers.map(({ createQueue: answer }) => answer?.['queue']?.['id']);
    expect(new Set(ids).size).toBe(1);
    expect(await core.ask(createQueue, { input: { ...input, limits: null } })).toEqual(answers[0]);
    await refused(createQueue, { ...input, site: 'Elsewhere' }, 'IDEMPOTENCY_KEY_REUSED', ['idempotencyKey'], 'the key');
    const other = testPrincipal({ subject: 'other@example' });
    const { createQueue: theirs } = await core.ask(createQueue, { input: { ...input, name: aName() } }, other);
    expect(theirs?.['userErrors']).toEqual([]);
  });
});

describe('updateQueue', () => {
  test('changes what is given and leaves the rest; null takes a limit away; nothing new is no new revision', async () => {
    const { name } = await aQueue({ limits: { maxCores: 8, maxMemoryMiB: 100 }, labels: labels(2) });
    const update = async (change: object) => (await core.ask(updateQueue, { input: { name, ...change } }))['updateQueue']?.['queue'];
    expect(await update({ limits: { maxCores: null, maxRunningJobs: 5 } })).toMatchObject({
      revision: 2,
      limits: { maxCores: null, maxMemoryMiB: 100, maxRunningJobs: 5, heartbeatSeconds: 10 },
      labels: labels(2),
    });
    expect(await update({ labels: [], site: 'North', experiments: ['alpha'], executor: 'SLURM' })).toMatchObject({ revision: 3, labels: [], site: 'North', experiments: [{ name: 'alpha' }], executor: 'SLURM' });
    expect(await update({ site: 'North' })).toMatchObject({ revision: 3 });
  });

  test('refuses what createQueue refuses, a queue that is not there, and an old revision', async () => {
    const { name } = await aQueue();
    await refused(updateQueue, { name, limits: { heartbeatSeconds: 16 } }, 'INVALID_VALUE', ['limits', 'leaseSeconds'], '32 (twice');
    await refused(updateQueue, { name, experiments: ['nobody'] }, 'EXPERIMENT_NOT_FOUND', ['experiments', '0'], 'nobody');
    await refused(updateQueue, { name, site: '' }, 'INVALID_VALUE', ['site'], '1 to 63');
    await refused(updateQueue, { name: 'nowhere', site: 'X' }, 'QUEUE_NOT_FOUND', ['name'], 'nowhere');
    await refused(updateQueue, { name, site: 'X', expectedRevision: 7 }, 'REVISION_CONFLICT', ['expectedRevision'], '7');
  });

  test('changes that come together are all taken, one after another', async () => {
    const { name } = await aQueue();
    const sites = ['a', 'b', 'c', 'd', 'e'];
    const answers = await Promise.all(sites.map((site) => core.ask(updateQueue, { input: { name, site } })));
    const revisions = answers.map(({ updateQueue: answer }) => Number(answer?.['queue']?.['revision']));
    expect(revisions.sort()).toEqual([2, 3, 4, 5, 6]);
    const guarded = await Promise.all(sites.map((site) => core.ask(updateQueue, { input: { name, site: `x${site}`, expectedRevision: 6 } })));
    const codes = guarded.flatMap(({ updateQueue: answer }) => (answer?.['userErrors'] as unknown as { code: string }[]).map(({ code }) => code));
    expect(codes).toEqual(['REVISION_CONFLICT', 'REVISION_CONFLICT', 'REVISION_CONFLICT', 'REVISION_CONFLICT']);
  });
});

describe('setQueueState', () => {
  test('keeps who and why', async () => {
    const { name } = await aQueue();
    const { setQueueState: answer } = await core.ask(setQueueState, { input: { name, state: 'PAUSED', reason: 'power cut' } }, testPrincipal({ subject: 'operator@example', grants: 'OPERATOR' }));
    expect(answer?.['queue']).toMatchObject({ state: 'PAUSED', stateReason: 'power cut', stateChangedBy: 'operator@example', revision: 2 });
  });

  test.each<[string, object, string, string[], string]>([
    ['no reason', { reason: '' }, 'INVALID_VALUE', ['reason'], '1 to 500'],
    ['a reason of 501 characters', { reason: 'r'.repeat(501) }, 'INVALID_VALUE', ['reason'], '1 to 500'],
    ['a queue that is not there', { name: 'nowhere' }, 'QUEUE_NOT_FOUND', ['name'], 'nowhere'],
  ])('refuses %s', async (_what, over, code, path, named) => {
    const { name } = await aQueue();
    await refused(setQueueState, { name, state: 'PAUSED', reason: 'r', ...over }, code, path, named);
  });

  test('a state that is no state does not pass the schema', async () => {
    const { errors } = await core.run(setQueueState, { input: { name: 'x', state: 'BROKEN', reason: 'r' } });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});

describe('who may', () => {
  const reader = testPrincipal({ subject: 'reader@example', grants: { alpha: 'READER' } });
  const operator = testPrincipal({ subject: 'operator@example', grants: { alpha: 'OPERATOR' } });

  test('see queues: those that admit every experiment, or one of theirs', async () => {
    const open = await aQueue();
    const own = await aQueue({ experiments: ['alpha', 'beta'] });
    const foreign = await aQueue({ experiments: ['beta'] });
    const names = [open['name'], own['name'], foreign['name']];
    const query = 'query ($names: [String!]!, $name: String!, $refs: [_Any!]!) { queues(filter: { names: $names }) { nodes { name } } queue(name: $name) { id } _entities(representations: $refs) { ... on Queue { id } } }';
    const found = await core.ask(query, { names, name: foreign['name'], refs: [{ __typename: 'Queue', id: foreign['id'] }] }, reader);
    expect(found).toEqual({ queues: { nodes: [{ name: open['name'] }, { name: own['name'] }] }, queue: null, _entities: [null] });
    const admitting = 'query ($names: [String!]!) { queues(filter: { names: $names, experiment: "beta" }) { nodes { name } } }';
    expect((await core.ask(admitting, { names }))['queues']?.['nodes']).toHaveLength(3);
  });

  test('change queues: only in all experiments that they concern', async () => {
    const forbidden = async (mutation: string, input: object, principal = operator) => {
      const before = await stored();
      const { errors } = await core.run(mutation, { input }, principal);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
      expect(await stored()).toBe(before);
    };
    const open = await aQueue();
    const shared = await aQueue({ experiments: ['alpha', 'beta'] });
    const own = await aQueue({ experiments: ['alpha'] });
    await forbidden(createQueue, { name: aName(), site: 'X' });
    await forbidden(createQueue, { name: aName(), site: 'X', experiments: ['alpha', 'beta'] });
    await forbidden(createQueue, { name: aName(), site: 'X', experiments: ['alpha'] }, reader);
    await forbidden(updateQueue, { name: open['name'], site: 'X' });
    await forbidden(updateQueue, { name: shared['name'], site: 'X' });
    await forbidden(updateQueue, { name: own['name'], experiments: ['alpha', 'beta'] });
    await forbidden(updateQueue, { name: own['name'], experiments: [] });
    await forbidden(setQueueState, { name: open['name'], state: 'PAUSED', reason: 'r' });
    await forbidden(registerExperiment, { name: 'delta', title: 'Delta' });
    await forbidden(setShares, { experiment: 'alpha', shares: [{ leaf: 'a', nominalCores: 1 }] });
    const { updateQueue: answer } = await core.ask(updateQueue, { input: { name: own['name'], site: 'Mine' } }, operator);
    expect(answer?.['queue']).toMatchObject({ site: 'Mine' });
  });

  test('see experiments and shares: their own', async () => {
    const query = '{ experiments { name shares { path } } shares { path experiment { title } } }';
    expect(await core.ask(query, {}, reader)).toEqual({
      experiments: [{ name: 'alpha', shares: [{ path: 'alpha/default' }] }],
      shares: [{ path: 'alpha/default', experiment: { title: 'The alpha' } }],
    });
    const { errors } = await core.run('{ experiments { name } }', {}, pilotOf('north'));
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    const entities = 'query ($refs: [_Any!]!) { _entities(representations: $refs) { ... on Experiment { name } } }';
    const refs = ['alpha', 'beta', 'nobody'].map((name) => ({ __typename: 'Experiment', name }));
    const { data } = await core.run(entities, { refs }, reader);
    expect(JSON.parse(JSON.stringify(data))).toEqual({ _entities: [{ name: 'alpha' }, null, null] });
  });
});

describe('registerExperiment', () => {
  test('makes it known with a share; the same again gives the same, also together', async () => {
    const input = { name: 'omega', title: 'The last', description: 'of all' };
    const answers = await Promise.all(Array.from({ length: 4 }, () => core.ask(registerExperiment, { input })));
    for (const { registerExperiment: answer } of answers) expect(answer).toEqual({ experiment: { ...input, shares: [{ path: 'omega/default' }] }, userErrors: [] });
  });

  test.each<[string, object, string, string[], string]>([
    ['capital letters', { name: 'Alpha' }, 'INVALID_VALUE', ['name'], 'Alpha'],
    ['a name that begins with a digit', { name: '1alpha' }, 'INVALID_VALUE', ['name'], '1alpha'],
    ['a name of 32 characters', { name: 'a'.repeat(32) }, 'INVALID_VALUE', ['name'], '1 to 31'],
    ['a slash', { name: 'a/b' }, 'INVALID_VALUE', ['name'], 'a/b'],
    ['no title', { title: '' }, 'INVALID_VALUE', ['title'], '1 to 100'],
    ['a title of 101 characters', { title: 't'.repeat(101) }, 'INVALID_VALUE', ['title'], '1 to 100'],
    ['a description of 501 characters', { description: 'd'.repeat(501) }, 'INVALID_VALUE', ['description'], '1 to 500'],
    ['a known name with another title', { name: 'alpha' }, 'EXPERIMENT_NAME_TAKEN', ['name'], 'alpha'],
  ])('refuses %s', async (_what, over, code, path, named) => {
    await refused(registerExperiment, { name: 'sigma', title: 'Sigma', ...over }, code, path, named);
  });
});

describe('setShares', () => {
  test('sets all of them, in the order given', async () => {
    const shares = [
      { leaf: 'fast', nominalCores: 10, borrowLimitCores: 5, weight: 2.5, ownerLimitCores: 3 },
      { leaf: 'slow', nominalCores: 0 },
    ];
    const { setShares: answer } = await core.ask(setShares, { input: { experiment: 'gamma', shares } });
    expect(answer).toEqual({
      shares: [
        { path: 'gamma/fast', nominalCores: 10, borrowLimitCores: 5, weight: 2.5, ownerLimitCores: 3 },
        { path: 'gamma/slow', nominalCores: 0, borrowLimitCores: null, weight: 1, ownerLimitCores: null },
      ],
      userErrors: [],
    });
  });

  test.each<[string, object, string, string[], string]>([
    ['an unknown experiment', { experiment: 'nobody' }, 'EXPERIMENT_NOT_FOUND', ['experiment'], 'nobody'],
    ['no leaf', { shares: [] }, 'INVALID_VALUE', ['shares'], '1 to 100'],
    ['101 leaves', { shares: Array.from({ length: 101 }, (_, index) => ({ leaf: `l${index}`, nominalCores: 1 })) }, 'INVALID_VALUE', ['shares'], '101'],
    ['a leaf twice', { shares: [{ leaf: 'a', nominalCores: 1 }, { leaf: 'a', nominalCores: 2 }] }, 'INVALID_VALUE', ['shares', '1', 'leaf'], '"a"'],
    ['a leaf with a slash', { shares: [{ leaf: 'a/b', nominalCores: 1 }] }, 'INVALID_VALUE', ['shares', '0', 'leaf'], 'a/b'],
    ['negative cores', { shares: [{ leaf: 'a', nominalCores: -1 }] }, 'INVALID_VALUE', ['shares', '0', 'nominalCores'], '-1'],
    ['too many cores', { shares: [{ leaf: 'a', nominalCores: 100_000_001 }] }, 'INVALID_VALUE', ['shares', '0', 'nominalCores'], '100000001'],
    ['a negative borrow limit', { shares: [{ leaf: 'a', nominalCores: 1, borrowLimitCores: -1 }] }, 'INVALID_VALUE', ['shares', '0', 'borrowLimitCores'], '-1'],
    ['a weight of nothing', { shares: [{ leaf: 'a', nominalCores: 1, weight: 0 }] }, 'INVALID_VALUE', ['shares', '0', 'weight'], '0'],
    ['a weight over 1000', { shares: [{ leaf: 'a', nominalCores: 1, weight: 1000.5 }] }, 'INVALID_VALUE', ['shares', '0', 'weight'], '1000.5'],
  ])('refuses %s', async (_what, over, code, path, named) => {
    await refused(setShares, { experiment: 'beta', shares: [{ leaf: 'default', nominalCores: 1 }], ...over }, code, path, named);
  });

  test('refuses to leave a leaf out that has live jobs, until they have ended', async () => {
    const submit = 'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }';
    const { submitJobs } = await core.ask(submit, { input: { experiment: 'beta', idempotencyKey: 'k', jobs: [{ name: 'a', payload: { command: 'true' } }] } });
    const live = () => core.ask('{ shares(experiment: "beta") { readyJobs } }').then(({ shares }) => shares?.[0]?.['readyJobs']);
    await waitFor('the job to be counted', async () => (await live()) === 1, { deadlineMs: 3000 });
    const input = { experiment: 'beta', shares: [{ leaf: 'other', nominalCores: 1 }] };
    await refused(setShares, input, 'SHARE_IN_USE', ['shares'], '"default"');
    await core.ask('mutation ($ids: [ID!]!) { cancelJobs(input: { selection: { ids: $ids } }) { userErrors { message } } }', { ids: [submitJobs?.['jobs']?.[0]?.['id']] });
    await waitFor('the job to be gone', async () => (await live()) === 0, { deadlineMs: 3000 });
    const { setShares: answer } = await core.ask(setShares, { input });
    expect(answer?.['userErrors']).toEqual([]);
  });
});

describe('pages of queues', () => {
  test('are read one after another by name; wrong sizes and cursors are refused', async () => {
    const names: string[] = [];
    const site = 'Paged';
    for (let count = 0; count < 5; count++) names.push(String((await aQueue({ site }))['name']));
    const query = 'query ($first: Int, $after: String) { queues(filter: { site: "Paged" }, first: $first, after: $after) { edges { node { name } cursor } pageInfo { hasNextPage endCursor } } }';
    const read: string[] = [];
    let after: unknown = null;
    for (let page = 0; page < 3; page++) {
      const { queues } = await core.ask(query, { first: 2, after });
      read.push(...(queues?.['edges'] as unknown as { node: { name: string } }[]).map(({ node }) => node.name));
      after = queues?.['pageInfo']?.['endCursor'];
      expect(queues?.['pageInfo']?.['hasNextPage']).toBe(page < 2);
    }
    expect(read).toEqual([...names].sort());
    for (const [variables, code] of [[{ first: 0 }, 'BAD_USER_INPUT'], [{ first: 101 }, 'BAD_USER_INPUT'], [{ after: 'junk' }, 'CURSOR_INVALID']] as const) {
      const { errors } = await core.run(query, variables);
      expect(errors?.[0]?.extensions).toMatchObject({ code });
    }
  });
});

describe('another process', () => {
  test('knows at once by name what this one has made, and is told what it changes', async () => {
    const other = await startCore({ db: core.db });
    const queue = await aQueue();
    const seen = await other.ask('query ($name: String!) { queue(name: $name) { site } }', { name: queue['name'] });
    expect(seen).toEqual({ queue: { site: 'Pole' } });
    await core.ask(updateQueue, { input: { name: queue['name'], site: 'Moved' } });
    await waitFor('the change to be known', async () => (await other.ask('query ($name: String!) { queue(name: $name) { site } }', { name: queue['name'] }))['queue']?.['site'] === ('Moved' as unknown), { deadlineMs: 3000 });
    await core.ask(registerExperiment, { input: { name: 'theta', title: 'Theta' } }, admin);
    const submit = 'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { share } userErrors { message } } }';
    const { submitJobs } = await other.ask(submit, { input: { experiment: 'theta', idempotencyKey: 'k', jobs: [{ name: 'a', payload: { command: 'true' } }] } });
    expect(submitJobs).toEqual({ jobs: [{ share: 'theta/default' }], userErrors: [] });
    await other.stop();
  });
});
