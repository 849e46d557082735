import { beforeAll, describe, expect, it } from '@jest/globals';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connectMongo,
  defineCollection,
  ensureCollections,
  recordDeclarations,
  restoreMarks,
  runMigrations,
} from '@rhizome/mongo';
import { leftovers, ownMongod, testDatabase, type TestDatabase, testMongo } from '@rhizome/testkit';
import { checkKeys, openDeployment } from '../deployment.js';
import { serviceUri } from '../users/service-uri.js';
import type { CheckRow } from './check.types.js';

const things = defineCollection({
  name: 'things',
  schemaVersion: 1,
  validator: { properties: { owner: { bsonType: 'string' }, at: { bsonType: 'date' } } },
  indexes: [
    { name: 'owner_idx', keys: { owner: 1 }, why: 'by owner' },
    { name: 'at_idx', keys: { at: 1 }, why: 'by time' },
  ],
});
const migrations = [{ id: '0001-things', up: () => Promise.resolve() }];

async function prepared(): Promise<TestDatabase> {
  const db = await testDatabase('checked');
  await runMigrations(db, migrations);
  await ensureCollections(db, [things]);
  await recordDeclarations(db, [things], migrations);
  return db;
}

async function check(db: TestDatabase): Promise<readonly CheckRow[]> {
  const deployment = await openDeployment((await testMongo()).uri);
  try {
    return await deployment.check([db.databaseName], () => Date.now());
  } finally {
    await deployment.close();
  }
}

const rowsOf = (rows: readonly CheckRow[], part: string): readonly (readonly string[])[] =>
  rows.filter((row) => row.part === part).map((row) => [row.check, row.state, row.found]);

describe('check of a database', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await prepared();
  });

  it('finds nothing wrong in a database as its service made it', async () => {
    const rows = (await check(db)).filter(({ part }) => part === db.databaseName);
    expect(rows.map((row) => [row.check, row.found]).slice(0, 2)).toEqual([
      ['collections', '1, with validators and indexes as declared'],
      ['migrations', '1, up to 0001-things'],
    ]);
    expect(rows.filter(({ check: name }) => name !== 'disk').every(({ state }) => state === 'OK')).toBe(true);
    expect(rows.find(({ check: name }) => name === 'disk')?.found).toMatch(
      /^[\d.]+ GiB; file system \d+ % of/,
    );
  });

  it('names each index and validator that differs, and changes nothing', async () => {
    const other = await prepared();
    await other.collection('things').dropIndex('owner_idx');
    await other.collection('things').dropIndex('at_idx');
    await other.collection('things').createIndex({ at: -1 }, { name: 'at_idx' });
    await other.collection('things').createIndex({ owner: 1, at: 1 }, { name: 'mine' });
    await other.command({ collMod: 'things', validator: {} });
    const expected = [
      ['things', 'FAIL', 'the validator differs from the declared one'],
      ['things.owner_idx', 'FAIL', 'the index is missing: {"owner":1}'],
      ['things.at_idx', 'FAIL', 'the index is {"at":-1}, declared is {"at":1}'],
      ['things.mine', 'WARN', 'the index is not declared'],
    ];
    expect(rowsOf(await check(other), other.databaseName).slice(0, 4)).toEqual(expected);
    expect(rowsOf(await check(other), other.databaseName).slice(0, 4)).toEqual(expected);
  });

  it('names a missing collection and migrations that were not applied', async () => {
    const other = await prepared();
    await other.collection('things').drop();
    await recordDeclarations(other, [things], [...migrations, { id: '0002-more' }]);
    const deployment = await openDeployment((await testMongo()).uri);
    const status = deployment.migrations([other.databaseName]).finally(() => deployment.close());
    expect(await status).toEqual([
      { database: other.databaseName, applied: ['0001-things'], pending: ['0002-more'], runBy: null },
    ]);
    expect(rowsOf(await check(other), other.databaseName)).toEqual(
      expect.arrayContaining([
        ['things', 'FAIL', 'the collection does not exist'],
        ['migrations', 'FAIL', 'not applied: 0002-more'],
      ]),
    );
  });

  it('keeps the declaration of a newer service when an older one starts', async () => {
    const other = await prepared();
    const newer = defineCollection({ ...things, schemaVersion: 2 });
    await ensureCollections(other, [newer]);
    await recordDeclarations(other, [newer], [...migrations, { id: '0002-more' }]);
    await recordDeclarations(other, [things], migrations);
    const rows = rowsOf(await check(other), other.databaseName);
    expect(rows[0]).toEqual(['collections', 'OK', '1, with validators and indexes as declared']);
    expect(rows).toContainEqual(['migrations', 'FAIL', 'not applied: 0002-more']);
  });

  it('names a restore that is not complete, and a database without declarations', async () => {
    const other = await testDatabase('bare');
    await restoreMarks(other).insertOne({
      ...{ _id: 'restore', state: 'RUNNING', manifest: 'x', done: ['jobs'] },
      startedAt: new Date('2026-01-02T03:04:05Z'),
    });
    expect(rowsOf(await check(other), other.databaseName).slice(0, 2)).toEqual([
      ['restore', 'FAIL', 'not complete; begun 2026-01-02T03:04:05.000Z, 1 collections so far'],
      ['collections', 'FAIL', 'no service of this release has started'],
    ]);
  });
});

describe('check of the servers', () => {
  it('describes a small deployment, and warns of its single member', async () => {
    const db = await prepared();
    const rows = (await check(db)).filter(({ part }) => part === 'mongodb');
    const found = new Map(rows.map((row) => [row.check, row]));
    expect([...found.keys()].sort()).toEqual(
      [
        'version',
        'replica set',
        'write concern',
        'transport',
        'access control',
        'clock',
        'oplog',
        `user of ${db.databaseName}`,
      ].sort(),
    );
    expect(found.get('version')?.state).toBe('OK');
    expect(found.get('replica set')).toMatchObject({
      state: 'WARN',
      found: expect.stringMatching(/1 member$/),
    });
    expect(found.get('clock')).toMatchObject({ state: 'OK', found: expect.stringMatching(/^-?\d+ ms/) });
    expect(found.get('oplog')?.found).toMatch(/^\d+ MiB, (reaches back|too young)/);
    expect(found.get('transport')).toMatchObject({ state: 'OK', found: 'without TLS, within this host' });
  });

  it('accepts a user with databases of its own, and warns of one that has more', async () => {
    const mongod = await ownMongod();
    await mongod.users({
      ...{ alone: ['alone'], both: ['both', 'second'], wide: ['wide', 'alone'] },
      ...{ root: ['rooted'], one: ['shared', 'exp_shared'] },
    });
    const deployment = await openDeployment(mongod.uri);
    leftovers.defer('a connection', () => deployment.close());
    const { uri } = mongod;
    const client = await connectMongo({ uri, appName: 'test' });
    const names = ['both', 'wide', 'nobody', 'rooted', 'shared'];
    for (const name of names) await client.db(name).createCollection('things');
    const admin = client.db('admin');
    await admin.command({ grantRolesToUser: 'root', roles: [{ role: 'root', db: 'admin' }] });
    await client.close();
    const rows = await deployment.check(names, () => Date.now());
    expect(rowsOf(rows, 'mongodb').slice(-names.length)).toEqual([
      ['user of both', 'OK', 'both'],
      ['user of nobody', 'FAIL', 'no user may read and write it and change its collections'],
      ['user of rooted', 'WARN', 'root also has the role root on admin'],
      ['user of shared', 'WARN', 'one serves exp_shared and shared, which belong to different services'],
      ['user of wide', 'WARN', 'wide also has rights on databases of other users'],
    ]);
    const clock = await deployment.check(['both'], () => Date.now() - 60_000);
    expect(clock.find(({ check: name }) => name === 'clock')).toMatchObject({
      state: 'FAIL',
      cure: expect.stringContaining('chrony'),
    });
  });
});

it('checks, backs up and restores with the roles that the documents name', async () => {
  const mongod = await ownMongod();
  const client = await connectMongo({ uri: mongod.uri, appName: 'test' });
  leftovers.defer('a connection of the owner', () => client.close());
  const db = client.db('core');
  await ensureCollections(db, [things]);
  await recordDeclarations(db, [things]);
  const onAdmin = (...names: readonly string[]) => names.map((role) => ({ role, db: 'admin' }));
  const as = async (user: string, roles: readonly object[]) => {
    await client.db('admin').command({ createUser: user, pwd: 'x', roles });
    const deployment = await openDeployment(serviceUri(mongod.uri, user, 'x'));
    leftovers.defer(`the connection of ${user}`, () => deployment.close());
    return deployment;
  };
  const checking = onAdmin('clusterMonitor', 'readAnyDatabase', 'userAdminAnyDatabase');
  const checker = await as('checker', [...checking, { role: 'read', db: 'local' }]);
  const rows = await checker.check(undefined, () => Date.now());
  expect(rows.filter(({ found }) => found.startsWith('cannot be checked'))).toEqual([]);
  expect(rowsOf(rows, 'mongodb')).toContainEqual(['access control', 'OK', 'on']);
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-roles-'));
  leftovers.defer('the backup', () => rm(folder, { recursive: true }));
  const saver = await as('saver', onAdmin('backup', 'clusterMonitor'));
  const now = new Date();
  const { digest } = await saver.backUp({ folder, now });
  const restorer = await as('restorer', onAdmin('restore', 'readWriteAnyDatabase', 'dbAdminAnyDatabase'));
  const options = { folder, prefix: 'copy_', replace: false, dryRun: false, now, digest };
  expect(await restorer.restore(options)).toMatchObject([{ target: 'copy_core' }]);
});

it('checks the mode of each key, and names those that are missing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-keys-'));
  leftovers.defer('the keys', () => rm(folder, { recursive: true }));
  for (const name of ['good.json', 'open.keys', 'public.jwks']) await writeFile(join(folder, name), 'x');
  await writeFile(join(folder, 'empty.keys'), '', { mode: 0o600 });
  await chmod(join(folder, 'good.json'), 0o600);
  await chmod(join(folder, 'open.keys'), 0o640);
  await chmod(join(folder, 'public.jwks'), 0o644);
  const rows = await checkKeys(folder, ['good.json', 'absent.keys']);
  expect(rows.map((row) => [row.check, row.state, row.found])).toEqual([
    ['empty.keys', 'FAIL', 'empty'],
    ['good.json', 'OK', 'mode 0600'],
    ['open.keys', 'FAIL', 'mode 0640: others than its owner may use it'],
    ['public.jwks', 'OK', 'mode 0644'],
    ['absent.keys', 'WARN', 'not in the folder'],
  ]);
  expect(rows[2]?.cure).toBe(`chmod 600 ${join(folder, 'open.keys')}`);
  const none = await checkKeys(join(folder, 'none'), []);
  expect(none).toMatchObject([{ part: 'keys', state: 'FAIL', found: expect.stringContaining('ENOENT') }]);
});
