import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal } from '@rhizome/testkit';
import {
  type BadInput,
  createQueue,
  DirectorySetup,
  setQueueState,
  updateQueue,
} from '../support/directory.fixture.js';

let directory: DirectorySetup;

beforeAll(async () => {
  directory = await DirectorySetup.open();
});

const labels = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: 'v' }));

describe('createQueue', () => {
  it('creates a queue with its defaults, found by name, by id and in the list', async () => {
    const queue = await directory.queue();
    expect(queue).toMatchObject({
      state: 'ONLINE',
      stateReason: null,
      stateChangedBy: { subject: 'admin@example' },
      experiments: [],
      executor: 'DIRECT',
      revision: 1,
      limits: {
        maxCores: null,
        maxRunningJobs: null,
        heartbeatSeconds: 10,
        leaseSeconds: 30,
        logIntervalMs: 200,
      },
      experimentLimits: [],
    });
    const query = `query ($name: String!, $refs: [_Any!]!) { queue(name: $name) { id } queues(filter: { names: [$name] }) { nodes { id } pageInfo { hasNextPage } } _entities(representations: $refs) { ... on Queue { id name } } }`;
    const refs = [
      { __typename: 'Queue', name: queue['name'] },
      { __typename: 'Queue', id: queue['id'] },
      { __typename: 'Queue', name: 'nowhere' },
    ];
    const found = await directory.ask(query, { name: queue['name'], refs });
    const { id, name } = queue;
    expect(found).toEqual({
      queue: { id },
      queues: { nodes: [{ id }], pageInfo: { hasNextPage: false } },
      _entities: [{ id, name }, { id, name }, null],
    });
  });

  it.each<BadInput>([
    ['an empty name', { name: '' }, 'INVALID_VALUE', ['name'], '""'],
    ['a name with a blank', { name: 'a b' }, 'INVALID_VALUE', ['name'], '"a b"'],
    ['a name of 64 characters', { name: 'q'.repeat(64) }, 'INVALID_VALUE', ['name'], '1 to 63'],
    ['a name with another alphabet', { name: 'Köln' }, 'INVALID_VALUE', ['name'], 'Köln'],
    [
      'a name that a command reads as an option',
      { name: '--privileged' },
      'INVALID_VALUE',
      ['name'],
      'beginning',
    ],
    ['a name that a path reads as the folder above', { name: '..' }, 'INVALID_VALUE', ['name'], 'beginning'],
    ['a name that a path reads as the folder itself', { name: '.' }, 'INVALID_VALUE', ['name'], 'beginning'],
    ['a name that hides a file', { name: '.north' }, 'INVALID_VALUE', ['name'], 'beginning'],
    ['a name that every object has', { name: 'constructor' }, 'INVALID_VALUE', ['name'], 'constructor'],
    ['a method that every object has', { name: 'hasOwnProperty' }, 'INVALID_VALUE', ['name'], 'hasOwn'],
    ['the prototype of every object', { name: '__proto__' }, 'INVALID_VALUE', ['name'], '__proto__'],
    ['an empty site', { site: '' }, 'INVALID_VALUE', ['site'], '1 to 63'],
    [
      'a site with a control character',
      { site: 'a\u0007b' },
      'INVALID_VALUE',
      ['site'],
      'without control characters',
    ],
    [
      'an unknown experiment',
      { experiments: ['alpha', 'nobody'] },
      'EXPERIMENT_NOT_FOUND',
      ['experiments', '1'],
      '"nobody"',
    ],
    [
      'an experiment twice',
      { experiments: ['alpha', 'alpha'] },
      'INVALID_VALUE',
      ['experiments', '1'],
      'alpha',
    ],
    ['33 labels', { labels: labels(33) }, 'INVALID_VALUE', ['labels'], '33'],
    ['a label twice', { labels: [...labels(1), ...labels(1)] }, 'INVALID_VALUE', ['labels', '1'], 'k0'],
    [
      'a label without a key',
      { labels: [{ key: '', value: 'v' }] },
      'INVALID_VALUE',
      ['labels', '0', 'key'],
      '""',
    ],
    [
      'a label of 256 characters',
      { labels: [{ key: 'k', value: 'v'.repeat(256) }] },
      'INVALID_VALUE',
      ['labels', '0', 'value'],
      '255',
    ],
    [
      'no core',
      { limits: { maxCores: 0 } },
      'INVALID_VALUE',
      ['limits', 'maxCores'],
      '0 is too small; must be at least 1',
    ],
    ['too many cores', { limits: { maxCores: 4097 } }, 'INVALID_VALUE', ['limits', 'maxCores'], '4097'],
    ['negative memory', { limits: { maxMemoryMiB: -1 } }, 'INVALID_VALUE', ['limits', 'maxMemoryMiB'], '-1'],
    [
      'no walltime',
      { limits: { maxWalltimeSeconds: 0 } },
      'INVALID_VALUE',
      ['limits', 'maxWalltimeSeconds'],
      '0',
    ],
    ['no notice', { limits: { maxNoticeSeconds: 0 } }, 'INVALID_VALUE', ['limits', 'maxNoticeSeconds'], '0'],
    [
      'a notice of more than an hour',
      { limits: { maxNoticeSeconds: 3601 } },
      'INVALID_VALUE',
      ['limits', 'maxNoticeSeconds'],
      '3601',
    ],
    ['logs too often', { limits: { logIntervalMs: 99 } }, 'INVALID_VALUE', ['limits', 'logIntervalMs'], '99'],
    [
      'an unknown experiment with a limit',
      { experimentLimits: [{ experiment: 'nobody', maxCores: 1 }] },
      'EXPERIMENT_NOT_FOUND',
      ['experimentLimits', '0', 'experiment'],
      '"nobody"',
    ],
    [
      'two limits of one experiment',
      { experimentLimits: [1, 2].map((maxCores) => ({ experiment: 'alpha', maxCores })) },
      'INVALID_VALUE',
      ['experimentLimits', '1', 'experiment'],
      'alpha',
    ],
    [
      'a negative limit of an experiment',
      { experimentLimits: [{ experiment: 'alpha', maxGpus: -1 }] },
      'INVALID_VALUE',
      ['experimentLimits', '0', 'maxGpus'],
      '-1 is too small; must be at least 0',
    ],
    ['no running job', { limits: { maxRunningJobs: 0 } }, 'INVALID_VALUE', ['limits', 'maxRunningJobs'], '0'],
    [
      'a heartbeat of 301 s',
      { limits: { heartbeatSeconds: 301, leaseSeconds: 700 } },
      'INVALID_VALUE',
      ['limits', 'heartbeatSeconds'],
      '301',
    ],
    [
      'a lease shorter than two heartbeats',
      { limits: { heartbeatSeconds: 20, leaseSeconds: 39 } },
      'INVALID_VALUE',
      ['limits', 'leaseSeconds'],
      '39',
    ],
    [
      'a lease over an hour',
      { limits: { leaseSeconds: 3601 } },
      'INVALID_VALUE',
      ['limits', 'leaseSeconds'],
      '3601',
    ],
    ['an empty key', { idempotencyKey: '' }, 'INVALID_VALUE', ['idempotencyKey'], '1 to 200'],
    [
      'a key of 201 characters',
      { idempotencyKey: 'k'.repeat(201) },
      'INVALID_VALUE',
      ['idempotencyKey'],
      '1 to 200',
    ],
  ])('refuses %s', async (_what, over, code, path, named) => {
    await directory.refused(
      createQueue,
      { name: directory.name(), site: 'Pole', ...over },
      code,
      path,
      named,
    );
  });

  it('reports all errors at once', async () => {
    const input = { name: 'a b', site: '', labels: labels(33), limits: { maxCores: 0 } };
    const { createQueue: answer } = await directory.ask(createQueue, { input });
    expect(
      (answer?.['userErrors'] as unknown as { path: string[] }[]).map(({ path }) => path.join('.')),
    ).toEqual(['name', 'site', 'labels', 'limits.maxCores']);
  });

  it('refuses a taken name', async () => {
    const { name } = await directory.queue();
    await directory.refused(createQueue, { name, site: 'Pole' }, 'QUEUE_NAME_TAKEN', ['name'], String(name));
  });

  it('returns the same queue for the same key, also concurrently, and refuses other content', async () => {
    const input = {
      name: directory.name(),
      site: 'Pole',
      experiments: ['beta', 'alpha'],
      idempotencyKey: 'the key',
    };
    const answers = await Promise.all(Array.from({ length: 5 }, () => directory.ask(createQueue, { input })));
    const ids = answers.map(({ createQueue: answer }) => answer?.['queue']?.['id']);
    expect(new Set(ids).size).toBe(1);
    expect(await directory.ask(createQueue, { input: { ...input, limits: null } })).toEqual(answers[0]);
    await directory.refused(
      createQueue,
      { ...input, site: 'Elsewhere' },
      'IDEMPOTENCY_KEY_REUSED',
      ['idempotencyKey'],
      'the key',
    );
    const other = testPrincipal({ subject: 'other@example' });
    const { createQueue: theirs } = await directory.ask(
      createQueue,
      { input: { ...input, name: directory.name() } },
      other,
    );
    expect(theirs?.['userErrors']).toEqual([]);
  });
});

describe('updateQueue', () => {
  it('changes given members only; null removes a limit; without a change there is no new revision', async () => {
    const { name } = await directory.queue({ limits: { maxCores: 8, maxMemoryMiB: 100 }, labels: labels(2) });
    const update = async (change: object) =>
      (await directory.ask(updateQueue, { input: { name, ...change } }))['updateQueue']?.['queue'];
    expect(await update({ limits: { maxCores: null, maxRunningJobs: 5 } })).toMatchObject({
      revision: 2,
      limits: { maxCores: null, maxMemoryMiB: 100, maxRunningJobs: 5, heartbeatSeconds: 10 },
      labels: labels(2),
    });
    expect(
      await update({ labels: [], site: 'North', experiments: ['alpha'], executor: 'SLURM' }),
    ).toMatchObject({
      revision: 3,
      labels: [],
      site: { name: 'North' },
      experiments: [{ name: 'alpha' }],
      executor: 'SLURM',
    });
    expect(await update({ site: 'North' })).toMatchObject({ revision: 3 });
  });

  it('changes the limits of the named experiments only, and removes those that are given without limits', async () => {
    const { name, experimentLimits } = await directory.queue({
      limits: { logIntervalMs: 5000 },
      experimentLimits: [
        { experiment: 'beta', maxGpus: 0 },
        { experiment: 'alpha', maxRunningJobs: 10, maxCores: 40 },
      ],
    });
    const limits = (experiment: string, own: object) => ({
      experiment: { name: experiment },
      ...{ maxRunningJobs: null, maxCores: null, maxGpus: null },
      ...own,
    });
    const beta = limits('beta', { maxGpus: 0 });
    expect(experimentLimits).toEqual([limits('alpha', { maxRunningJobs: 10, maxCores: 40 }), beta]);
    const update = async (change: object) =>
      (await directory.ask(updateQueue, { input: { name, ...change } }))['updateQueue']?.['queue'];
    expect(await update({ experimentLimits: [{ experiment: 'alpha', maxCores: 8 }] })).toMatchObject({
      revision: 2,
      limits: { logIntervalMs: 5000 },
      experimentLimits: [limits('alpha', { maxCores: 8 }), beta],
    });
    expect(await update({ limits: { logIntervalMs: null } })).toMatchObject({
      limits: { logIntervalMs: 200 },
      experimentLimits: [limits('alpha', { maxCores: 8 }), beta],
    });
    const none = ['alpha', 'beta'].map((experiment) => ({ experiment }));
    expect(await update({ experimentLimits: none })).toMatchObject({ experimentLimits: [] });
  });

  it('refuses what createQueue refuses, a missing queue, and an old revision', async () => {
    const { name } = await directory.queue();
    await directory.refused(
      updateQueue,
      { name, limits: { heartbeatSeconds: 16 } },
      'INVALID_VALUE',
      ['limits', 'leaseSeconds'],
      '32 (twice',
    );
    await directory.refused(
      updateQueue,
      { name, experiments: ['nobody'] },
      'EXPERIMENT_NOT_FOUND',
      ['experiments', '0'],
      'nobody',
    );
    await directory.refused(updateQueue, { name, site: '' }, 'INVALID_VALUE', ['site'], '1 to 63');
    await directory.refused(
      updateQueue,
      { name: 'nowhere', site: 'X' },
      'QUEUE_NOT_FOUND',
      ['name'],
      'nowhere',
    );
    await directory.refused(
      updateQueue,
      { name, site: 'X', expectedRevision: 7 },
      'REVISION_CONFLICT',
      ['expectedRevision'],
      '7',
    );
  });

  it('applies concurrent changes one after another', async () => {
    const { name } = await directory.queue();
    const sites = ['a', 'b', 'c', 'd', 'e'];
    const answers = await Promise.all(
      sites.map((site) => directory.ask(updateQueue, { input: { name, site } })),
    );
    const revisions = answers.map(({ updateQueue: answer }) => Number(answer?.['queue']?.['revision']));
    expect(revisions.sort()).toEqual([2, 3, 4, 5, 6]);
    const guarded = await Promise.all(
      sites.map((site) =>
        directory.ask(updateQueue, { input: { name, site: `x${site}`, expectedRevision: 6 } }),
      ),
    );
    const codes = guarded.flatMap(({ updateQueue: answer }) =>
      (answer?.['userErrors'] as unknown as { code: string }[]).map(({ code }) => code),
    );
    expect(codes).toEqual([
      'REVISION_CONFLICT',
      'REVISION_CONFLICT',
      'REVISION_CONFLICT',
      'REVISION_CONFLICT',
    ]);
  });
});

describe('setQueueState', () => {
  it('stores actor and reason', async () => {
    const { name } = await directory.queue();
    const { setQueueState: answer } = await directory.ask(
      setQueueState,
      { input: { name, state: 'PAUSED', reason: 'power cut' } },
      testPrincipal({ subject: 'operator@example', grants: 'OPERATOR' }),
    );
    expect(answer?.['queue']).toMatchObject({
      state: 'PAUSED',
      stateReason: 'power cut',
      stateChangedBy: { subject: 'operator@example' },
      revision: 2,
    });
  });

  it.each<BadInput>([
    ['no reason', { reason: '' }, 'INVALID_VALUE', ['reason'], '1 to 500'],
    ['a reason of 501 characters', { reason: 'r'.repeat(501) }, 'INVALID_VALUE', ['reason'], '1 to 500'],
    ['a missing queue', { name: 'nowhere' }, 'QUEUE_NOT_FOUND', ['name'], 'nowhere'],
  ])('refuses %s', async (_what, over, code, path, named) => {
    const { name } = await directory.queue();
    await directory.refused(
      setQueueState,
      { name, state: 'PAUSED', reason: 'r', ...over },
      code,
      path,
      named,
    );
  });

  it('rejects an unknown state by the schema', async () => {
    const { errors } = await directory.core.run(setQueueState, {
      input: { name: 'x', state: 'BROKEN', reason: 'r' },
    });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});
