/** Lifetime of files in a whole core: policies, deletions by hand, and restoration. */
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { collection } from '@rhizome/mongo';
import { type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { datasetsCollection } from '../../src/datasets/dataset.document.js';
import { datasetFilesCollection } from '../../src/datasets/dataset-file.document.js';
import { admin, type Answer, seed, startCore, type TestCore } from '../support/core.fixture.js';

const limit = { deadlineMs: 60_000 };
const user = (subject: string, role: 'USER' | 'PRODUCTION' = 'USER', experiment = 'alpha'): Principal =>
  testPrincipal({ subject, grants: { [experiment]: role } });
const ada = user('ada');
const bob = user('bob');
const manager = user('mia', 'PRODUCTION');
const dayMs = 86_400_000;

let core: TestCore;
let db: TestDatabase;
/** Answers calls, too, and does not lead. */
let other: TestCore;

beforeAll(async () => {
  core = await startCore();
  ({ db } = core as TestCore & { readonly db: TestDatabase });
  other = await startCore({ db });
  await seed(core);
  for (const name of ['site', 'tape']) {
    const storage = { name, provider: 'FOLDER', address: `https://${name}.test`, experiments: ['alpha'] };
    await core.ask(
      'mutation ($i: CreateStorageInput!) { createStorage(input: $i) { userErrors { message } } }',
      { i: { ...storage, isDefault: name === 'site' } },
    );
  }
});

const rulesText = 'datasetId namePrefix storageName keepDays since keepNewest minReplicas restoreDays';
const results: Readonly<Record<string, string>> = {
  createDataset: 'dataset { id }',
  appendDatasetFiles: 'addedCount',
  closeDataset: 'dataset { id }',
  removeDataset: 'dataset { state }',
  setDatasetReplicas: 'files { replicas { location state } }',
  setFilePolicy: `policy { id isEnabled version rules { ${rulesText} } versions { version author { subject } comment } }`,
  deleteDatasetFiles:
    'deletion { fileCount copyCount sizeBytes keptFileCount nextPosition kept { name reason } sample { name } }',
  restoreDatasetFiles: 'copyCount tooLateCount nextPosition',
  submitJobs: 'jobs { id }',
  submitTask: 'task { id }',
  submitWorkflow: 'workflow { id }',
};

/** Answer of a mutation; `refused` in the place of an answer has the code of its error. */
async function change(field: string, input: object, caller = ada, by = core): Promise<Answer> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const text = `mutation ($i: ${type}!) { ${field}(input: $i) { ${results[field]} userErrors { code path message } } }`;
  const { data, errors } = await by.run(text, { i: input }, caller);
  if (errors?.[0]) return { refused: errors[0].extensions?.['code'] } as unknown as Answer;
  return (JSON.parse(JSON.stringify(data)) as Record<string, Answer>)[field] as Answer;
}

interface Given {
  readonly datasetId: string;
  readonly name: string;
  readonly locations: readonly string[];
}

/** A closed dataset of ada with files that were added some days ago. */
async function given({ files = 2, days = 40, storages = ['site'], name = 'data' } = {}): Promise<Given> {
  const unique = `${name}.${randomBytes(6).toString('hex')}`;
  const { dataset } = await change('createDataset', { experiment: 'alpha', name: unique });
  const datasetId = String(dataset?.['id']);
  const keys = Array.from({ length: files }, (_, at) => `alpha/ada/${unique}/${at}`);
  const entries = keys.map((key, at) => ({
    ...{ name: `f${at}`, sizeBytes: 100 },
    replicas: storages.map((storage) => ({ location: `rhizome://${storage}/${key}` })),
  }));
  await change('appendDatasetFiles', { datasetId, files: entries });
  await change('closeDataset', { datasetId });
  const addedAt = new Date(Date.now() - days * dayMs);
  await collection(db, datasetFilesCollection).updateMany(
    { datasetId },
    { $set: { createdAt: addedAt, 'replicas.$[].changedAt': addedAt } },
  );
  return { datasetId, name: unique, locations: keys.map((key) => `rhizome://${storages[0]}/${key}`) };
}

async function statesOf(datasetId: string, caller = ada): Promise<readonly (readonly string[])[]> {
  const text =
    'query ($id: ID!) { dataset(id: $id) { files { nodes { replicas { state deletion { requestedBy { subject } policyId policyVersion dueAt hasBegun } } } } } }';
  const { dataset } = await core.ask(text, { id: datasetId }, caller);
  const { nodes } = (dataset as unknown as { files: { nodes: { replicas: { state: string }[] }[] } }).files;
  return nodes.map(({ replicas }) => replicas.map(({ state }) => state));
}

const policy = (rules: object, over: object = {}): object => ({
  ...{ experiment: 'alpha', name: `p-${randomBytes(6).toString('hex')}` },
  ...{ rules: { keepDays: 30, ...rules }, ...over },
});

async function preview(rules: object, caller = ada): Promise<Answer> {
  const text =
    'query ($i: FileDeletionPreviewInput!) { fileDeletionPreview(input: $i) { preview { fileCount copyCount sizeBytes datasetCount datasets { dataset { id } fileCount } oldestAt sample { name } keptFileCount isComplete } userErrors { code path } } }';
  const { data, errors } = await core.run(text, { i: { experiment: 'alpha', rules } }, caller);
  if (errors?.[0]) return { refused: errors[0].extensions?.['code'] } as unknown as Answer;
  return JSON.parse(JSON.stringify(data)).fileDeletionPreview as Answer;
}

describe('deleteDatasetFiles', () => {
  it('shows what it would delete, then marks the copies, which can be restored', async () => {
    const { datasetId } = await given();
    const wanted = { fileCount: 2, copyCount: 2, sizeBytes: 200, keptFileCount: 0, nextPosition: null };
    const dry = await change('deleteDatasetFiles', { datasetId, isDryRun: true });
    expect(dry).toMatchObject({ deletion: { ...wanted, sample: [{ name: 'f0' }, { name: 'f1' }] } });
    expect(await statesOf(datasetId)).toEqual([['AVAILABLE'], ['AVAILABLE']]);
    const answers = await Promise.all(
      [core, other].map((by) => change('deleteDatasetFiles', { datasetId }, ada, by)),
    );
    // Concurrent calls mark each copy once.
    const copies = answers.map(({ deletion }) => Number(deletion?.['copyCount']));
    expect(copies.reduce((sum, count) => sum + count, 0)).toBe(2);
    expect(await statesOf(datasetId)).toEqual([['BEING_DELETED'], ['BEING_DELETED']]);
    const again = await change('deleteDatasetFiles', { datasetId });
    expect(again).toMatchObject({ deletion: { copyCount: 0 } });
    expect(await change('removeDataset', { datasetId })).toMatchObject({
      userErrors: [{ code: 'DATASET_IN_USE', path: ['datasetId'] }],
    });
    const restored = await change('restoreDatasetFiles', { datasetId, filter: { names: ['f1'] } });
    expect(restored).toMatchObject({ copyCount: 1, tooLateCount: 0, nextPosition: null });
    expect(await statesOf(datasetId)).toEqual([['BEING_DELETED'], ['AVAILABLE']]);
  });

  it('deletes copies of one storage, and leaves the required number available', async () => {
    const { datasetId } = await given({ storages: ['site', 'tape'] });
    const input = { datasetId, storageName: 'tape', minReplicas: 1 };
    expect(await change('deleteDatasetFiles', input)).toMatchObject({ deletion: { copyCount: 2 } });
    const states = [
      ['AVAILABLE', 'BEING_DELETED'],
      ['AVAILABLE', 'BEING_DELETED'],
    ];
    expect(await statesOf(datasetId)).toEqual(states);
    expect(await change('deleteDatasetFiles', { datasetId, minReplicas: 1 })).toMatchObject({
      deletion: { copyCount: 0 },
    });
    expect(await change('deleteDatasetFiles', { ...input, storageName: 'nowhere' })).toMatchObject({
      userErrors: [{ code: 'INVALID_VALUE', path: ['storageName'] }],
    });
  });

  it('keeps files that live jobs, tasks or workflows read, and names them', async () => {
    const { datasetId, locations } = await given({ files: 4 });
    const reading = (location?: string): object => ({
      requirements: { queue: 'north' },
      payload: { command: 'true', inputs: [{ name: 'i', location }] },
    });
    const common = { experiment: 'alpha', idempotencyKey: datasetId };
    await change('submitJobs', { ...common, jobs: [{ name: 'reader', ...reading(locations[0]) }] });
    const template = { name: 't', ...reading(locations[1]?.replace(/1$/, '{{index}}')) };
    const scouts = { count: 1 };
    const task = await change('submitTask', { ...common, name: 't', jobs: { count: 3 }, template, scouts });
    expect(task['userErrors']).toEqual([]);
    const nodes = [
      { name: 'a', requirements: { cores: 4096 }, payload: { command: 'true' } },
      { name: 'b', ...reading(locations[3]), dependsOn: [{ node: 'a' }] },
    ];
    await change('submitWorkflow', { ...common, name: 'w', nodes });
    const { deletion } = await change('deleteDatasetFiles', { datasetId });
    const kept = deletion?.['kept'] as unknown as readonly { name: string; reason: string }[];
    expect(Object.fromEntries(kept.map(({ name, reason }) => [name, reason]))).toEqual({
      f0: expect.stringMatching(/^job job_\w+ reads it$/),
      f1: expect.stringMatching(/^(?:task task_\w+|job job_\w+) reads it$/),
      f2: expect.stringMatching(/^task task_\w+ reads it$/),
      f3: expect.stringMatching(/^workflow workflow_\w+ reads it$/),
    });
    expect(deletion).toMatchObject({ copyCount: 0, keptFileCount: 4 });
  });

  it('lets no later job or file name a copy that is being deleted', async () => {
    const { datasetId, locations } = await given();
    await change('deleteDatasetFiles', { datasetId });
    const [location] = locations;
    const payload = { command: 'true', inputs: [{ name: 'i', location }] };
    const input = { experiment: 'alpha', idempotencyKey: datasetId, jobs: [{ name: 'late', payload }] };
    for (const by of [core, other])
      expect(await change('submitJobs', input, ada, by)).toMatchObject({
        userErrors: [{ path: ['jobs', '0', 'payload', 'inputs', '0', 'location'] }],
      });
    const { dataset } = await change('createDataset', { experiment: 'alpha', name: `late.${datasetId}` });
    const files = [{ name: 'f', sizeBytes: 100, replicas: [{ location }] }];
    expect(await change('appendDatasetFiles', { datasetId: dataset?.['id'], files })).toMatchObject({
      userErrors: [{ path: ['files', '0', 'replicas', '0', 'location'] }],
    });
    // To set its state is to restore it.
    const replicas = [{ fileName: 'f0', location, state: 'AVAILABLE' }];
    expect(await change('setDatasetReplicas', { datasetId, replicas })).toMatchObject({ userErrors: [] });
    expect(await change('submitJobs', input)).toMatchObject({ userErrors: [] });
  });

  it('deletes a copy that two of the selected files have', async () => {
    const { dataset } = await change('createDataset', {
      experiment: 'alpha',
      name: `twice.${randomBytes(6).toString('hex')}`,
    });
    const datasetId = String(dataset?.['id']);
    const location = `rhizome://site/alpha/ada/${datasetId}`;
    const lost = `rhizome://site/alpha/ada/lost.${datasetId}`;
    const files = ['a', 'b'].map((name) => ({ name, sizeBytes: 1, replicas: [{ location }] }));
    const others = ['AVAILABLE', 'LOST'].map((state) => ({
      ...{ name: state, sizeBytes: 1, replicas: [{ location: lost, state }] },
    }));
    await change('appendDatasetFiles', { datasetId, files: [...files, ...others] });
    const one = await change('deleteDatasetFiles', { datasetId, filter: { names: ['a'] } });
    expect(one).toMatchObject({ deletion: { copyCount: 0, kept: [{ name: 'a' }] } });
    expect(await change('deleteDatasetFiles', { datasetId })).toMatchObject({
      deletion: { copyCount: 3, keptFileCount: 0 },
    });
    // One that has begun is gone for the other name, too.
    await collection(db, datasetFilesCollection).updateOne(
      { datasetId, name: 'a' },
      { $set: { 'replicas.0.deletion.startedAt': new Date(0) } },
    );
    expect(await change('restoreDatasetFiles', { datasetId })).toMatchObject({
      copyCount: 1,
      tooLateCount: 2,
    });
    // So it is once the deletion of that name has ended.
    const ended = { 'replicas.0.state': 'DELETED', 'replicas.0.changedAt': new Date(Date.now()) } as const;
    const states = collection(db, datasetFilesCollection);
    await states.updateOne({ datasetId, name: 'a' }, { $set: ended });
    expect(await change('restoreDatasetFiles', { datasetId })).toMatchObject({
      copyCount: 0,
      tooLateCount: 1,
    });
    await states.updateOne({ datasetId, name: 'a' }, { $set: { 'replicas.0.state': 'BEING_DELETED' } });
    // Only LOST ends it: the way out if the storage is gone for good.
    const set = (state: string) =>
      change('setDatasetReplicas', { datasetId, replicas: [{ fileName: 'a', location, state }] });
    expect((await set('AVAILABLE'))['userErrors']).toHaveLength(1);
    expect(await set('LOST')).toMatchObject({ userErrors: [] });
  });

  it('deletes files of all members only from datasets of those who manage the experiment', async () => {
    const location = `rhizome://site/alpha/shared/${randomBytes(6).toString('hex')}`;
    const files = [{ name: 'f', sizeBytes: 1, replicas: [{ location }] }];
    const of = async (caller: Principal): Promise<string> => {
      const name = `shared.${caller.subject}.${randomBytes(6).toString('hex')}`;
      const { dataset } = await change('createDataset', { experiment: 'alpha', name }, caller);
      const datasetId = String(dataset?.['id']);
      expect(await change('appendDatasetFiles', { datasetId, files }, caller)).toMatchObject({
        userErrors: [],
      });
      return datasetId;
    };
    const foreign = await of(ada);
    expect(await change('deleteDatasetFiles', { datasetId: foreign }, manager)).toMatchObject({
      deletion: { copyCount: 0 },
    });
    const addedAt = new Date(Date.now() - 40 * dayMs);
    await collection(db, datasetFilesCollection).updateMany(
      { datasetId: foreign },
      { $set: { createdAt: addedAt, 'replicas.$[].changedAt': addedAt } },
    );
    const rules = { namePrefix: 'shared.ada.', keepDays: 30 };
    expect(await preview(rules, manager)).toMatchObject({ preview: { copyCount: 0, isComplete: true } });
    await change('removeDataset', { datasetId: foreign });
    await waitFor(
      'the records to be gone',
      async () => (await collection(db, datasetFilesCollection).countDocuments({ datasetId: foreign })) === 0,
      limit,
    );
    expect(await change('deleteDatasetFiles', { datasetId: await of(manager) }, manager)).toMatchObject({
      deletion: { copyCount: 1 },
    });
  });

  it('is for the owner, and those who manage jobs of others', async () => {
    const { datasetId } = await given();
    for (const field of ['deleteDatasetFiles', 'restoreDatasetFiles']) {
      expect(await change(field, { datasetId }, bob)).toEqual({ refused: 'FORBIDDEN' });
      expect(await change(field, { datasetId }, user('eve', 'USER', 'beta'))).toMatchObject({
        userErrors: [{ code: 'DATASET_NOT_FOUND' }],
      });
    }
    expect(await statesOf(datasetId)).toEqual([['AVAILABLE'], ['AVAILABLE']]);
    expect(await change('deleteDatasetFiles', { datasetId }, manager)).toMatchObject({
      deletion: { copyCount: 2 },
    });
  });
});

describe('a file policy', () => {
  it('is previewed, and applied by the leader to files whose time is over', async () => {
    const old = await given({ name: 'mc' });
    const young = await given({ name: 'mc', days: 10 });
    const rules = { namePrefix: old.name.slice(0, 2), keepDays: 30 };
    const seen = await preview({ ...rules, namePrefix: old.name }, manager);
    expect(seen).toMatchObject({
      preview: {
        ...{ fileCount: 2, copyCount: 2, sizeBytes: 200, datasetCount: 1, isComplete: true },
        datasets: [{ dataset: { id: old.datasetId }, fileCount: 2 }],
      },
    });
    const set = await change('setFilePolicy', policy(rules), manager);
    expect(set).toMatchObject({ policy: { isEnabled: true, version: 1 }, userErrors: [] });
    const isMarked = async () =>
      (await statesOf(old.datasetId)).flat().every((state) => state === 'BEING_DELETED');
    await waitFor('the copies to be marked', isMarked, limit);
    expect(await statesOf(young.datasetId)).toEqual([['AVAILABLE'], ['AVAILABLE']]);
    const file = await collection(db, datasetFilesCollection).findOne({ datasetId: old.datasetId });
    expect(file?.replicas[0]?.deletion).toMatchObject({
      ...{ by: 'mia', policy: { id: set['policy']?.['id'], version: 1 } },
    });
    const due = file?.replicas[0]?.deletion?.dueAt.getTime() ?? 0;
    expect(due - Date.now()).toBeGreaterThan(6 * dayMs);
  });

  it('keeps the newest datasets, and a copy elsewhere', async () => {
    const prefix = `v${randomBytes(4).toString('hex')}`;
    const storages = ['site', 'tape'];
    const first = await given({ name: `${prefix}.1`, storages });
    const second = await given({ name: `${prefix}.2`, storages });
    const rules = { namePrefix: prefix, keepNewest: 1, storageName: 'tape' };
    expect(await change('setFilePolicy', policy(rules), manager)).toMatchObject({
      policy: { rules: { minReplicas: 1, keepNewest: 1, since: 'ADDED', restoreDays: 7 } },
    });
    const isMarked = async () => (await statesOf(first.datasetId)).flat().includes('BEING_DELETED');
    await waitFor('the copies to be marked', isMarked, limit);
    expect(await statesOf(second.datasetId)).toEqual([
      ['AVAILABLE', 'AVAILABLE'],
      ['AVAILABLE', 'AVAILABLE'],
    ]);
  });

  it('counts from the last use, if it says so', async () => {
    const { datasetId } = await given();
    const rules = { datasetId, keepDays: 30, since: 'LAST_USED' };
    // It was filled and closed just now.
    expect(await preview(rules)).toMatchObject({ preview: { fileCount: 0, isComplete: true } });
    const past = new Date(Date.now() - 40 * dayMs);
    await db
      .collection<{ _id: string }>('datasets')
      .updateOne({ _id: datasetId }, { $set: { updatedAt: past } });
    expect(await preview(rules)).toMatchObject({ preview: { fileCount: 2 } });
    const jobs = { dataset: { datasetId, by: 'FILES', perJob: 1 } };
    const template = { name: 't', payload: { command: 'true' }, requirements: { queue: 'north' } };
    const task = { experiment: 'alpha', idempotencyKey: datasetId, name: 't', jobs, template };
    expect(await change('submitTask', task)).toMatchObject({ userErrors: [] });
    expect(await preview(rules)).toMatchObject({ preview: { fileCount: 0 } });
  });

  it('has versions with authors, also by concurrent calls; the same content is the same version', async () => {
    const { datasetId } = await given({ days: 0 });
    const input = policy({ datasetId }) as { readonly rules: object };
    const first = await change('setFilePolicy', input);
    expect(await change('setFilePolicy', input, ada, other)).toEqual(first);
    const changes = [40, 50, 60].map((keepDays, at) =>
      change('setFilePolicy', { ...input, rules: { ...input.rules, keepDays } }, ada, at > 0 ? core : other),
    );
    for (const { userErrors } of await Promise.all(changes)) expect(userErrors).toEqual([]);
    const off = { ...input, isEnabled: false, comment: 'over' };
    const { policy: last } = await change('setFilePolicy', off, manager);
    expect(last).toMatchObject({ isEnabled: false, version: 5 });
    const versions = last?.['versions'] as unknown as readonly object[];
    expect(versions).toHaveLength(5);
    expect(versions[0]).toMatchObject({ version: 5, author: { subject: 'mia' }, comment: 'over' });
    const text = 'query ($n: [String!]) { filePolicies(filter: { names: $n }) { nodes { version nextAt } } }';
    const names = { n: [(input as unknown as { name: string }).name] };
    expect(await core.ask(text, names, bob)).toMatchObject({
      filePolicies: { nodes: [{ version: 5, nextAt: null }] },
    });
    const { filePolicies } = await core.ask(text, names, user('eve', 'USER', 'beta'));
    expect(filePolicies).toEqual({ nodes: [] });
  });

  it('can be disabled after its dataset was removed', async () => {
    const { datasetId } = await given({ days: 0 });
    const input = policy({ datasetId });
    expect(await change('setFilePolicy', input)).toMatchObject({ userErrors: [] });
    await change('removeDataset', { datasetId });
    const isGone = async () =>
      (await collection(db, datasetsCollection).findOne({ _id: datasetId })) === null;
    await waitFor('the dataset to be gone', isGone, limit);
    const off = { ...input, isEnabled: false };
    expect(await change('setFilePolicy', off)).toEqual({ refused: 'FORBIDDEN' });
    expect(await change('setFilePolicy', off, manager)).toMatchObject({
      ...{ policy: { isEnabled: false }, userErrors: [] },
    });
  });

  it('is set for an experiment by those who manage its policies, for a dataset by its owner', async () => {
    const { datasetId } = await given({ days: 0 });
    for (const rules of [{}, { namePrefix: 'x' }, { storageName: 'site' }]) {
      expect(await change('setFilePolicy', policy(rules))).toEqual({ refused: 'FORBIDDEN' });
      expect(await preview({ keepDays: 1, ...rules })).toEqual({ refused: 'FORBIDDEN' });
    }
    expect(await change('setFilePolicy', policy({ datasetId }), bob)).toEqual({ refused: 'FORBIDDEN' });
    const wide = policy({ namePrefix: 'never-named' }, { name: 'of-managers' });
    expect(await change('setFilePolicy', wide, admin)).toMatchObject({ userErrors: [] });
    // One's own dataset is no way to replace it.
    const narrow = policy({ datasetId }, { name: 'of-managers' });
    expect(await change('setFilePolicy', narrow)).toEqual({ refused: 'FORBIDDEN' });
  });

  it.each<[string, object, readonly string[]]>([
    ['a time of zero', { keepDays: 0 }, ['rules', 'keepDays']],
    ['too many copies', { minReplicas: 21 }, ['rules', 'minReplicas']],
    ['a long time for restoring', { restoreDays: 366 }, ['rules', 'restoreDays']],
    ['an unknown storage', { storageName: 'nowhere' }, ['rules', 'storageName']],
    ['a prefix that no dataset has', { namePrefix: ' x' }, ['rules', 'namePrefix']],
    ['an unknown dataset', { datasetId: 'dataset_x' }, ['rules', 'datasetId']],
  ])('is refused with %s', async (_what, rules, path) => {
    const answer = await change('setFilePolicy', policy(rules), manager);
    expect(answer).toMatchObject({ policy: null, userErrors: [{ path }] });
  });
});
