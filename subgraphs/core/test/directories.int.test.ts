import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { register } from './support/access.fixture.js';
import { admin, pilotOf, startCore } from './support/core.fixture.js';
import {
  type BadInput,
  DirectorySetup,
  registerExperiment,
  setShares,
  updateExperiment,
  updateQueue,
} from './support/directory.fixture.js';

let directory: DirectorySetup;

beforeAll(async () => {
  directory = await DirectorySetup.open();
});

describe('registerExperiment', () => {
  it('registers it with a share; a repetition, also a concurrent one, returns the same', async () => {
    const input = { name: 'omega', title: 'The last', description: 'of all' };
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => directory.ask(registerExperiment, { input })),
    );
    for (const { registerExperiment: answer } of answers)
      expect(answer).toEqual({
        experiment: { ...input, shares: [{ path: 'omega/default' }] },
        userErrors: [],
      });
  });

  it.each<BadInput>([
    ['capital letters', { name: 'Alpha' }, 'INVALID_VALUE', ['name'], 'Alpha'],
    ['a name that begins with a digit', { name: '1alpha' }, 'INVALID_VALUE', ['name'], '1alpha'],
    ['a name of 32 characters', { name: 'a'.repeat(32) }, 'INVALID_VALUE', ['name'], '1 to 31'],
    ['a slash', { name: 'a/b' }, 'INVALID_VALUE', ['name'], 'a/b'],
    ['no title', { title: '' }, 'INVALID_VALUE', ['title'], '1 to 100'],
    ['a title of 101 characters', { title: 't'.repeat(101) }, 'INVALID_VALUE', ['title'], '1 to 100'],
    [
      'a description of 501 characters',
      { description: 'd'.repeat(501) },
      'INVALID_VALUE',
      ['description'],
      '1 to 500',
    ],
    ['a known name with another title', { name: 'alpha' }, 'EXPERIMENT_NAME_TAKEN', ['name'], 'alpha'],
  ])('refuses %s', async (_what, over, code, path, named) => {
    await directory.refused(
      registerExperiment,
      { name: 'sigma', title: 'Sigma', ...over },
      code,
      path,
      named,
    );
  });
});

describe('updateExperiment', () => {
  it('changes what the call names; a repeated registration returns the changed experiment', async () => {
    const registered = { name: 'theta', title: 'Theta', description: 'as registered' };
    await directory.ask(registerExperiment, { input: registered });
    const change = { name: 'theta', description: '', continuity: { maxContinueSeconds: 5 } };
    const changed = { name: 'theta', title: 'Theta', description: null, revision: 2 };
    for (let call = 0; call < 2; call += 1) {
      const { updateExperiment: answer } = await directory.ask(updateExperiment, { input: change });
      expect(answer).toEqual({ experiment: changed, userErrors: [] });
    }
    const { updateExperiment: titled } = await directory.ask(updateExperiment, {
      input: { name: 'theta', title: 'Changed', expectedRevision: 2 },
    });
    expect(titled?.['experiment']).toEqual({ ...changed, title: 'Changed', revision: 3 });
    const { registerExperiment: again } = await directory.ask(registerExperiment, { input: registered });
    expect(again).toMatchObject({ experiment: { title: 'Changed', description: null }, userErrors: [] });
    await directory.refused(
      registerExperiment,
      { ...registered, title: 'Changed' },
      'EXPERIMENT_NAME_TAKEN',
      ['name'],
      'theta',
    );
  });

  it('loses no change of concurrent calls', async () => {
    await directory.ask(registerExperiment, { input: { name: 'iota', title: 'Iota' } });
    const changes = [
      { title: 'Changed' },
      { description: 'changed' },
      { continuity: { maxContinueSeconds: 5 } },
      { continuity: { minReassignAfterSeconds: 1 } },
    ];
    await Promise.all(
      changes.map((change) => directory.ask(updateExperiment, { input: { name: 'iota', ...change } })),
    );
    const { experiment } = await directory.ask(
      '{ experiment(name: "iota") { title description revision continuity { maxContinueSeconds minReassignAfterSeconds } } }',
    );
    expect(experiment).toEqual({
      ...{ title: 'Changed', description: 'changed', revision: 5 },
      continuity: { maxContinueSeconds: 5, minReassignAfterSeconds: 1 },
    });
  });

  it.each<BadInput>([
    ['an unknown experiment', { name: 'nobody' }, 'EXPERIMENT_NOT_FOUND', ['name'], 'nobody'],
    ['an empty title', { title: '' }, 'INVALID_VALUE', ['title'], '1 to 100'],
    [
      'a default beyond its bound',
      { continuity: { defaultContinueSeconds: 9, maxContinueSeconds: 8 } },
      'INVALID_VALUE',
      ['continuity', 'defaultContinueSeconds'],
      '9',
    ],
    ['another revision', { title: 'x', expectedRevision: 7 }, 'REVISION_CONFLICT', ['expectedRevision'], '7'],
  ])('refuses %s', async (_what, over, code, path, named) => {
    await directory.refused(updateExperiment, { name: 'alpha', ...over }, code, path, named);
  });

  it('is for administrators of the experiment', async () => {
    const call = (experiment: string, role: 'ADMIN' | 'OPERATOR') =>
      directory.core.run(
        updateExperiment,
        { input: { name: 'alpha', title: 'Ours' } },
        testPrincipal({ subject: 'changer@example', grants: { [experiment]: role } }),
      );
    for (const refused of [await call('alpha', 'OPERATOR'), await call('beta', 'ADMIN')])
      expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    expect((await call('alpha', 'ADMIN')).data).toMatchObject({
      updateExperiment: { experiment: { title: 'Ours' }, userErrors: [] },
    });
    await directory.ask(updateExperiment, { input: { name: 'alpha', title: 'The alpha' } });
  });
});

describe('setShares', () => {
  it('sets all shares in the given order', async () => {
    const shares = [
      { leaf: 'fast', nominalCores: 10, borrowLimitCores: 5, weight: 2.5, ownerLimitCores: 3 },
      { leaf: 'slow', nominalCores: 0 },
    ];
    const { setShares: answer } = await directory.ask(setShares, { input: { experiment: 'gamma', shares } });
    expect(answer).toEqual({
      shares: [
        { path: 'gamma/fast', nominalCores: 10, borrowLimitCores: 5, weight: 2.5, ownerLimitCores: 3 },
        { path: 'gamma/slow', nominalCores: 0, borrowLimitCores: null, weight: 1, ownerLimitCores: null },
      ],
      userErrors: [],
    });
  });

  it.each<BadInput>([
    ['an unknown experiment', { experiment: 'nobody' }, 'EXPERIMENT_NOT_FOUND', ['experiment'], 'nobody'],
    ['no leaf', { shares: [] }, 'INVALID_VALUE', ['shares'], '1 to 100'],
    [
      '101 leaves',
      { shares: Array.from({ length: 101 }, (_, index) => ({ leaf: `l${index}`, nominalCores: 1 })) },
      'INVALID_VALUE',
      ['shares'],
      '101',
    ],
    [
      'a leaf twice',
      {
        shares: [
          { leaf: 'a', nominalCores: 1 },
          { leaf: 'a', nominalCores: 2 },
        ],
      },
      'INVALID_VALUE',
      ['shares', '1', 'leaf'],
      '"a"',
    ],
    [
      'a leaf with a slash',
      { shares: [{ leaf: 'a/b', nominalCores: 1 }] },
      'INVALID_VALUE',
      ['shares', '0', 'leaf'],
      'a/b',
    ],
    [
      'negative cores',
      { shares: [{ leaf: 'a', nominalCores: -1 }] },
      'INVALID_VALUE',
      ['shares', '0', 'nominalCores'],
      '-1',
    ],
    [
      'too many cores',
      { shares: [{ leaf: 'a', nominalCores: 100_000_001 }] },
      'INVALID_VALUE',
      ['shares', '0', 'nominalCores'],
      '100000001',
    ],
    [
      'a negative borrow limit',
      { shares: [{ leaf: 'a', nominalCores: 1, borrowLimitCores: -1 }] },
      'INVALID_VALUE',
      ['shares', '0', 'borrowLimitCores'],
      '-1',
    ],
    [
      'a zero weight',
      { shares: [{ leaf: 'a', nominalCores: 1, weight: 0 }] },
      'INVALID_VALUE',
      ['shares', '0', 'weight'],
      '0',
    ],
    [
      'a weight over 1000',
      { shares: [{ leaf: 'a', nominalCores: 1, weight: 1000.5 }] },
      'INVALID_VALUE',
      ['shares', '0', 'weight'],
      '1000.5',
    ],
  ])('refuses %s', async (_what, over, code, path, named) => {
    await directory.refused(
      setShares,
      { experiment: 'beta', shares: [{ leaf: 'default', nominalCores: 1 }], ...over },
      code,
      path,
      named,
    );
  });

  it('refuses to remove a leaf with live jobs until they have ended', async () => {
    const submit =
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }';
    const { submitJobs } = await directory.ask(submit, {
      input: { experiment: 'beta', idempotencyKey: 'k', jobs: [{ name: 'a', payload: { command: 'true' } }] },
    });
    const live = () =>
      directory
        .ask('{ shares(experiment: "beta") { nodes { readyJobs } } }')
        .then(({ shares }) => shares?.['nodes']?.[0]?.['readyJobs']);
    await waitFor('the job to be counted', async () => (await live()) === 1, { deadlineMs: 60_000 });
    const input = { experiment: 'beta', shares: [{ leaf: 'other', nominalCores: 1 }] };
    await directory.refused(setShares, input, 'SHARE_IN_USE', ['shares'], '"default"');
    await directory.ask(
      'mutation ($ids: [ID!]!) { cancelJobs(input: { selection: { ids: $ids } }) { userErrors { message } } }',
      { ids: [submitJobs?.['jobs']?.[0]?.['id']] },
    );
    await waitFor('the job to be gone', async () => (await live()) === 0, { deadlineMs: 60_000 });
    const { setShares: answer } = await directory.ask(setShares, { input });
    expect(answer?.['userErrors']).toEqual([]);
  });
});

describe('visibility', () => {
  const reader = testPrincipal({ subject: 'reader@example', grants: { alpha: 'READER' } });

  it('shows a caller only its own experiments and shares', async () => {
    const query =
      '{ experiments { totalCount nodes { name shares { path } } } shares { totalCount nodes { path experiment { title } } } }';
    expect(await directory.ask(query, {}, reader)).toEqual({
      experiments: { totalCount: 1, nodes: [{ name: 'alpha', shares: [{ path: 'alpha/default' }] }] },
      shares: { totalCount: 1, nodes: [{ path: 'alpha/default', experiment: { title: 'The alpha' } }] },
    });
    const { errors } = await directory.core.run('{ experiments { nodes { name } } }', {}, pilotOf('north'));
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    const entities =
      'query ($refs: [_Any!]!) { _entities(representations: $refs) { ... on Experiment { name } } }';
    const refs = ['alpha', 'beta', 'nobody'].map((name) => ({ __typename: 'Experiment', name }));
    const { data } = await directory.core.run(entities, { refs }, reader);
    expect(JSON.parse(JSON.stringify(data))).toEqual({ _entities: [{ name: 'alpha' }, null, null] });
  });
});

describe('another process', () => {
  it('knows a new experiment by name at once and receives its changes', async () => {
    const other = await startCore({ db: directory.core.db });
    const queue = await directory.queue();
    const seen = await other.ask('query ($name: String!) { queue(name: $name) { site { name } } }', {
      name: queue['name'],
    });
    expect(seen).toEqual({ queue: { site: { name: 'Pole' } } });
    for (let count = 0; count < 5; count += 1) {
      const { name } = await directory.queue();
      expect(await register(other, String(name), 'worker')).toMatch(/^worker_/);
    }
    await directory.ask(updateQueue, { input: { name: queue['name'], site: 'Moved' } });
    await waitFor(
      'the change to be known',
      async () =>
        (
          await other.ask('query ($name: String!) { queue(name: $name) { site { name } } }', {
            name: queue['name'],
          })
        )['queue']?.['site']?.['name'] === ('Moved' as unknown),
      { deadlineMs: 60_000 },
    );
    await directory.ask(registerExperiment, { input: { name: 'theta', title: 'Theta' } }, admin);
    const submit =
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { sharePath } userErrors { message } } }';
    const { submitJobs } = await other.ask(submit, {
      input: {
        experiment: 'theta',
        idempotencyKey: 'k',
        jobs: [{ name: 'a', payload: { command: 'true' } }],
      },
    });
    expect(submitJobs).toEqual({ jobs: [{ sharePath: 'theta/default' }], userErrors: [] });
    await other.stop();
  });
});
