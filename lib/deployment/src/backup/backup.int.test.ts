import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  defineCollection,
  ensureCollections,
  recordDeclarations,
  restoreMarks,
  runMigrations,
} from '@rhizome/mongo';
import { leftovers, testDatabase, testMongo, waitFor } from '@rhizome/testkit';
import {
  BSON,
  Binary,
  type CommandStartedEvent,
  type Db,
  Decimal128,
  Double,
  Int32,
  Long,
  Timestamp,
  UUID,
} from 'mongodb';
import { backUp } from './backup.js';
import { deploymentDatabases } from './databases.js';
import { digestOfFile } from './document-file.js';
import { readManifest } from './manifest.js';
import { RestoreClaim } from './restore-claim.js';
import { restore, type RestoreOptions } from './restore.js';
import { assertStillThere, openSnapshot } from './snapshot.js';

const things = defineCollection({
  name: 'things',
  schemaVersion: 2,
  validator: { properties: { value: {}, owner: { bsonType: 'string' }, at: { bsonType: 'date' } } },
  indexes: [
    { name: 'owner_uq', keys: { owner: 1 }, options: { unique: true, sparse: true }, why: 'one of an owner' },
    { name: 'at_idx', keys: { at: 1 }, options: { expireAfterSeconds: 86_400 }, why: 'deletes old ones' },
  ],
});

/** Values whose types a careless copy changes. */
const values = [
  new Int32(7),
  new Double(7),
  Long.fromString('9007199254740993'),
  Decimal128.fromString('0.10'),
  new Binary(Buffer.from([0, 1, 255])),
  new UUID('5b6f8f0e-9d2a-4a53-8f0b-0f0d2f8f7c11'),
  new Timestamp({ t: 5, i: 6 }),
  /^a.*z$/i,
  null,
  { b: 1, a: [{}, []] },
  new Date(0),
];

const now = new Date('2026-01-02T03:04:05Z');
let first: Db;
let second: Db;
let folder: string;
beforeAll(async () => {
  [first, second] = [await testDatabase('first'), await testDatabase('second')];
  for (const db of [first, second]) {
    await ensureCollections(db, [things]);
    await recordDeclarations(db, [things], [{ id: '0001-things' }]);
  }
  await first
    .collection<{ _id: string }>('things')
    .insertMany(values.map((value, index) => ({ _id: `t${index}`, schemaVersion: 1, value })));
  folder = await mkdtemp(join(tmpdir(), 'rhizome-backup-'));
  leftovers.defer('the backups', () => rm(folder, { recursive: true, force: true }));
});

let count = 0;
const newFolder = (): string => join(folder, `backup-${(count += 1)}`);
const databases = (): readonly string[] => [first.databaseName, second.databaseName];

async function save(into = newFolder()) {
  const { client } = await testMongo();
  return { into, ...(await backUp({ client, folder: into, databases: databases(), now })) };
}

const prefixes: string[] = [];
/** Restores under a prefix; the copies are dropped after the test. */
async function restoreAs(prefix: string, from: string, more: Partial<RestoreOptions> = {}) {
  const { client } = await testMongo();
  prefixes.push(prefix);
  return restore({ client, folder: from, prefix, replace: false, dryRun: false, now, ...more });
}
afterEach(async () => {
  const { client } = await testMongo();
  for (const prefix of prefixes.splice(0))
    for (const name of databases()) await client.db(`${prefix}${name}`).dropDatabase();
});

/** Documents as they are stored, in order of their ids, with the options and indexes of their collection. */
async function contentOf(db: Db) {
  const listed = await db.listCollections({}, { nameOnly: false }).toArray();
  const all = listed
    .map((info) => info as { name: string; options?: object })
    .filter(({ name }) => name !== 'restoreMark');
  const entries = await Promise.all(
    all.map(async ({ name, options }) => {
      const raw = await db
        .collection(name)
        .find({}, { raw: true, sort: { _id: 1 } })
        .toArray();
      const documents = raw.map((one) => Buffer.from(one as unknown as Uint8Array).toString('hex'));
      return [name, { options, documents, indexes: await db.collection(name).indexes() }] as const;
    }),
  );
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('backUp', () => {
  it('writes files that only their owner may read, and lists them with their digests', async () => {
    const { into, manifest } = await save();
    expect(manifest.databases.map(({ name }) => name)).toEqual([...databases()].sort());
    const saved = manifest.databases.find(({ name }) => name === first.databaseName);
    expect(saved?.collections.map(({ name, documents }) => [name, documents])).toEqual([
      ['declarations', 2],
      ['things', values.length],
    ]);
    expect((await stat(into)).mode & 0o777).toBe(0o700);
    expect((await stat(join(into, 'manifest.json'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(into, first.databaseName, 'things.bson.gz'))).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(join(into, 'manifest.json'), 'utf8'))).toEqual(manifest);
  });

  it('refuses a folder that is not empty, and an unknown database', async () => {
    const { into } = await save();
    await expect(save(into)).rejects.toThrow(/is not empty; a backup needs a new or empty folder/);
    const { client } = await testMongo();
    const other = backUp({ client, folder: newFolder(), databases: ['neverMade'], now });
    await expect(other).rejects.toThrow('Database neverMade not found.');
  });

  it('leaves the files of another backup into the same folder alone', async () => {
    const into = newFolder();
    const runs = await Promise.allSettled([save(into), save(into)]);
    expect(runs.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const { manifest } = await readManifest(into);
    for (const { file, sha256 } of manifest.databases.flatMap(({ collections }) => collections))
      expect(await digestOfFile(join(into, file))).toBe(sha256);
    expect((await readdir(into)).sort()).toEqual([...databases(), 'manifest.json'].sort());
  });

  it.each(['dropped', 'replaced'])('fails if a collection is %s while it runs', async (change) => {
    const { client } = await testMongo();
    const later = second.collection('zz_later');
    await later.insertOne({ value: 1 });
    const snapshot = await openSnapshot(client, databases());
    leftovers.defer('a snapshot', () => snapshot.session.endSession());
    await assertStillThere(client, snapshot);
    await later.drop();
    if (change === 'replaced') await later.insertOne({ value: 2 });
    await expect(assertStillThere(client, snapshot)).rejects.toThrow(
      /zz_later was dropped or replaced during the backup/,
    );
    await second.dropCollection('zz_later');
  });

  it('removes its files when it is aborted', async () => {
    const { client } = await testMongo();
    const into = newFolder();
    const stop = new AbortController();
    const running = backUp({
      ...{ client, folder: into, databases: databases(), now, signal: stop.signal },
      onProgress: () => stop.abort(new Error('enough')),
    });
    await expect(running).rejects.toThrow();
    expect(await readdir(into)).toEqual([]);
  });

  it('contains each write to several databases up to one time, and none after it', async () => {
    const { client } = await testMongo();
    const stop = new AbortController();
    let written = 0;
    const load = (async () => {
      // The second write of a pair is sent after the first one is acknowledged.
      for (; !stop.signal.aborted; written += 1) {
        const pair = { _id: `pair${String(written).padStart(6, '0')}`, schemaVersion: 1, value: written };
        await first.collection<{ _id: string }>('things').insertOne(pair);
        await second.collection<{ _id: string }>('things').insertOne(pair);
      }
    })();
    const [deadlineMs, isBegun] = [20_000, () => Promise.resolve(written > 20)];
    await waitFor('writes before the backup', isBegun, { deadlineMs });
    const begun = written;
    const { into, manifest } = await save();
    const ended = written;
    await waitFor('writes after the backup', () => Promise.resolve(written > ended), { deadlineMs });
    stop.abort();
    await load;
    await restoreAs('p_', into);
    const ids = async (db: Db): Promise<readonly unknown[]> =>
      client
        .db(`p_${db.databaseName}`)
        .collection('things')
        .distinct('_id', { _id: /^pair/ as never });
    const [left, right] = [await ids(first), await ids(second)];
    expect(left.slice(0, right.length)).toEqual(right);
    expect(left.length - right.length).toBeLessThanOrEqual(1);
    expect(right.length).toBeGreaterThanOrEqual(begun);
    expect(right.length).toBeLessThan(written);
    expect(manifest.clusterTime.t).toBeGreaterThan(0);
  });
});

describe('restore', () => {
  it('restores options, indexes and documents byte by byte under other names', async () => {
    const { into } = await save();
    const { client } = await testMongo();
    const restored = await restoreAs('a_', into);
    expect(restored.map(({ target }) => target)).toEqual([...databases()].sort().map((name) => `a_${name}`));
    for (const db of [first, second])
      expect(await contentOf(client.db(`a_${db.databaseName}`))).toEqual(await contentOf(db));
  });

  it('refuses a database that is not empty, unless it is replaced', async () => {
    const { into } = await save();
    const { client } = await testMongo();
    await restoreAs('b_', into);
    const copy = client.db(`b_${first.databaseName}`);
    await copy.collection('stray').insertOne({ value: 1 });
    await expect(restoreAs('b_', into)).rejects.toThrow(
      /is not empty; restore with --as PREFIX .* --replace/,
    );
    expect(await copy.collection('stray').countDocuments()).toBe(1);
    const replaced = await restoreAs('b_', into, { replace: true });
    expect(replaced.every(({ isReplaced }) => isReplaced)).toBe(true);
    expect(await contentOf(copy)).toEqual(await contentOf(first));
  });

  it('refuses to replace a database whose core leads', async () => {
    const { into } = await save();
    const { client } = await testMongo();
    await restoreAs('c_', into);
    const copy = client.db(`c_${first.databaseName}`);
    const lease = { _id: 'broker' as never, expiresAt: new Date(Date.now() + 3_600_000) };
    await copy.collection('brokerLease').insertOne(lease);
    await expect(restoreAs('c_', into, { replace: true })).rejects.toThrow(/stop all services/);
  });

  it('leaves databases to their services if it is refused before anything is removed', async () => {
    const { into } = await save();
    const { client } = await testMongo();
    const [kept, held] = (await restoreAs('p_', into)).map(({ target }) => client.db(target));
    if (!kept || !held) throw new Error('no databases');
    const [before, marked] = [await contentOf(kept), await restoreMarks(kept).findOne()];
    const other = { state: 'RUNNING', manifest: 'c'.repeat(64), owner: 'somebody' } as const;
    const expiresAt = new Date(Date.now() + 3_600_000);
    await restoreMarks(held).updateOne({ _id: 'restore' }, { $set: { ...other, expiresAt } });
    for (const mark of [marked, null]) {
      if (mark === null) await runMigrations(kept, []);
      await expect(restoreAs('p_', into, { replace: true })).rejects.toThrow(
        /by another process \(somebody\)/,
      );
      expect(await restoreMarks(kept).findOne()).toEqual(mark);
      expect(await restoreMarks(held).findOne()).toMatchObject({ ...other, expiresAt });
      expect((await contentOf(kept))['things']).toEqual(before['things']);
    }
    await ensureCollections(kept, [things]);
  });

  it('writes nothing if a file is damaged, cut or missing, and in a dry run', async () => {
    const { into, manifest } = await save();
    const { client } = await testMongo();
    const isUntouched = async (): Promise<void> => {
      const { databases: all } = await client.db('admin').admin().listDatabases({ nameOnly: true });
      expect(all.filter(({ name }) => name.startsWith('d_'))).toEqual([]);
    };
    const planned = await restoreAs('d_', into, { dryRun: true });
    expect(planned.reduce((sum, { documents }) => sum + documents, 0)).toBeGreaterThan(values.length);
    await isUntouched();
    const last = manifest.databases.at(-1)?.collections.at(-1)?.file ?? '';
    await appendFile(join(into, last), 'x');
    await expect(restoreAs('d_', into)).rejects.toThrow(/things.bson.gz is damaged: its SHA-256 is/);
    await truncate(join(into, last), 20);
    await expect(restoreAs('d_', into)).rejects.toThrow(/is damaged/);
    await rm(join(into, last));
    await expect(restoreAs('d_', into)).rejects.toThrow(/cannot be read: ENOENT/);
    await rm(join(into, 'manifest.json'));
    await expect(restoreAs('d_', into)).rejects.toThrow(/is no complete backup/);
    await isUntouched();
  });

  it('keeps services from an incomplete database, and continues where it ended', async () => {
    const { into, digest } = await save();
    const { client } = await testMongo();
    const stop = new AbortController();
    const ended = restoreAs('e_', into, {
      signal: stop.signal,
      onProgress: ({ collection }) => collection === 'things' && stop.abort(new Error('killed')),
    });
    await expect(ended).rejects.toThrow('killed');
    const copy = client.db(`e_${first.databaseName}`);
    for (const db of [copy, client.db(`e_${second.databaseName}`)]) {
      await expect(runMigrations(db, [])).rejects.toMatchObject({ code: 'RESTORE_UNFINISHED' });
      await expect(ensureCollections(db, [things])).rejects.toMatchObject({ code: 'RESTORE_UNFINISHED' });
    }
    const marks = await restoreMarks(copy).find().toArray();
    expect(marks).toMatchObject([{ state: 'RUNNING', manifest: digest }]);
    const continued = await restoreAs('e_', into);
    expect(continued.map(({ isContinued }) => isContinued)).toEqual([true, true]);
    expect(await contentOf(copy)).toEqual(await contentOf(first));
  });

  it('lets one service adapt a restored database once, before its migrations', async () => {
    const { into } = await save();
    const { client } = await testMongo();
    await restoreAs('f_', into);
    const copy = client.db(`f_${first.databaseName}`);
    let calls = 0;
    const afterRestore = async (db: Db): Promise<void> => {
      calls += 1;
      await db.collection('adapted').insertOne({ calls });
    };
    const broken = runMigrations(copy, [], { afterRestore: () => Promise.reject(new Error('no power')) });
    await expect(broken).rejects.toThrow('no power');
    await Promise.all([1, 2, 3].map(() => runMigrations(copy, [], { afterRestore })));
    expect([calls, await copy.collection('adapted').countDocuments()]).toEqual([1, 1]);
    expect(await copy.listCollections({ name: 'restoreMark' }).toArray()).toEqual([]);
  });

  it('lets one of two runs at once write the databases', async () => {
    const { into } = await save();
    const { client } = await testMongo();
    const runs = await Promise.allSettled([restoreAs('h_', into), restoreAs('h_', into)]);
    expect(runs.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const failed = runs.find((run) => run.status === 'rejected');
    expect(String(failed?.reason)).toMatch(/is being restored|is not empty/);
    for (const db of [first, second])
      expect(await contentOf(client.db(`h_${db.databaseName}`))).toEqual(await contentOf(db));
  });

  it('refuses databases that a run has, until it has been silent for long', async () => {
    const { into, digest } = await save();
    const { client } = await testMongo();
    const copy = client.db(`i_${first.databaseName}`);
    const expiresAt = new Date(Date.now() + 3_600_000);
    const mark = { state: 'RUNNING', manifest: digest, startedAt: now, done: [], isCopy: true } as const;
    await restoreMarks(copy).insertOne({ _id: 'restore', ...mark, owner: 'somebody', expiresAt });
    await copy.collection('notes').insertOne({ value: 'of the other run' });
    await expect(restoreAs('i_', into)).rejects.toThrow(/is being restored by another process \(somebody\)/);
    expect(await copy.collection('notes').countDocuments()).toBe(1);
    await restoreMarks(copy).updateOne({ _id: 'restore' }, { $set: { expiresAt: new Date(0) } });
    await restoreAs('i_', into);
    expect(await contentOf(copy)).toEqual(await contentOf(first));
  });

  it('ends a run whose databases another one has taken over', async () => {
    const { client } = await testMongo();
    const db = client.db(`j_${first.databaseName}`);
    prefixes.push('j_');
    const facts = { db, saved: { name: first.databaseName, collections: [] }, isComplete: false };
    const options = { manifest: 'a'.repeat(64), startedAt: now, isCopy: true };
    const [slow, next] = [new RestoreClaim(), new RestoreClaim()];
    await slow.take([{ ...facts, mark: null, isReplaced: false }], options);
    await slow.begin();
    await slow.update(db, { $addToSet: { done: 'things' } });
    await restoreMarks(db).updateOne({ _id: 'restore' }, { $set: { expiresAt: new Date(0) } });
    const mark = await restoreMarks(db).findOne();
    const done = await next.take([{ ...facts, mark, isReplaced: false }], options);
    expect(done.get(db.databaseName)).toEqual(['things']);
    await expect(slow.update(db, { $addToSet: { done: 'more' } })).rejects.toThrow(
      /has taken over the restore/,
    );
    await slow.release();
    await next.complete();
    await next.release();
    expect(await restoreMarks(db).findOne()).toEqual({
      ...{ _id: 'restore', state: 'RESTORED', manifest: options.manifest },
      ...{ startedAt: now, done: ['things'], isCopy: true },
    });
  });

  it('waits with each write until a majority has it', async () => {
    const { into } = await save();
    const { client } = await testMongo();
    const concerns: unknown[] = [];
    const note = ({ commandName, databaseName, command }: CommandStartedEvent): void => {
      if (commandName === 'insert' && databaseName.startsWith('k_'))
        concerns.push((command as { writeConcern?: unknown }).writeConcern);
    };
    client.on('commandStarted', note);
    await restoreAs('k_', into).finally(() => client.off('commandStarted', note));
    expect(concerns.length).toBeGreaterThan(0);
    for (const concern of concerns) expect(concern).toMatchObject({ w: 'majority' });
  });

  it('continues after a part of the databases was given to their services', async () => {
    const { into } = await save();
    const { client } = await testMongo();
    await restoreAs('l_', into);
    const [done, open] = [first, second].map((db) => client.db(`l_${db.databaseName}`));
    if (!done || !open) throw new Error('no databases');
    const complete = [done.databaseName, open.databaseName];
    await restoreMarks(open).updateOne({ _id: 'restore' }, { $set: { state: 'RUNNING', complete } });
    await runMigrations(done, []);
    await done.collection('notes').insertOne({ value: 'written by its service' });
    const restored = await restoreAs('l_', into);
    expect(restored.map(({ isReplaced, isContinued }) => [isReplaced, isContinued])).toEqual([
      [false, true],
      [false, true],
    ]);
    expect(await done.collection('notes').countDocuments()).toBe(1);
    expect(await restoreMarks(open).findOne()).toMatchObject({ state: 'RESTORED' });
  });

  it('leaves copies out of the deployment, also while and after they are adopted', async () => {
    const { into } = await save();
    const { client } = await testMongo();
    await restoreAs('m_', into);
    const copy = client.db(`m_${first.databaseName}`);
    const adopted: unknown[] = [];
    for (const isAdopted of [false, true]) {
      if (isAdopted)
        await runMigrations(copy, [], { afterRestore: async (_db, mark) => void adopted.push(mark.isCopy) });
      const found = await deploymentDatabases(client, undefined);
      expect(found).toContain(first.databaseName);
      expect(found).not.toContain(copy.databaseName);
    }
    expect(adopted).toEqual([true]);
    expect(await deploymentDatabases(client, [copy.databaseName])).toEqual([copy.databaseName]);
  });

  it('refuses a backup that has not the digest that was printed', async () => {
    const { into, digest } = await save();
    const other = restoreAs('o_', into, { dryRun: true, digest: 'b'.repeat(64) });
    await expect(other).rejects.toThrow(/has the SHA-256 [0-9a-f]{64}, must have b{64}/);
    expect(await restoreAs('o_', into, { dryRun: true, digest: digest.toUpperCase() })).toHaveLength(2);
  });

  it.each([
    ['a database of the server', { name: 'admin' }, {}, /expected a database of Rhizome/],
    ['a collection of the server', {}, { name: 'system.users' }, /expected a collection of Rhizome/],
    [
      'a file outside the folder',
      {},
      { file: '../things.bson.gz' },
      /file: expected .*declarations\.bson\.gz/,
    ],
  ])('refuses a manifest that names %s', async (_what, ofDatabase, ofCollection, reason) => {
    const { into, manifest } = await save();
    const [database] = manifest.databases;
    const collections = database?.collections.map((one) => ({ ...one, ...ofCollection }));
    const changed = { ...manifest, databases: [{ ...database, collections, ...ofDatabase }] };
    await writeFile(join(into, 'manifest.json'), JSON.stringify(changed));
    await expect(restoreAs('n_', into, { dryRun: true })).rejects.toThrow(reason);
  });

  it.each([
    ['a name that is too long', 'x'.repeat(60), /at most 63/],
    ['a name with another character', 'a.b', /cannot be the name of a database/],
  ])('refuses %s', async (_what, prefix, reason) => {
    const { into } = await save();
    await expect(restoreAs(prefix, into, { dryRun: true })).rejects.toThrow(reason);
    prefixes.length = 0;
  });
});

it('reads a document that is larger than a chunk of the file', async () => {
  const large = { _id: 'large', schemaVersion: 1, value: 'x'.repeat(3_000_000) };
  await second.collection<{ _id: string }>('things').insertOne(large);
  const { into } = await save();
  await restoreAs('g_', into);
  const { client } = await testMongo();
  const copy = await client
    .db(`g_${second.databaseName}`)
    .collection('things')
    .findOne({ _id: 'large' as never });
  expect(BSON.calculateObjectSize(copy ?? {})).toBe(BSON.calculateObjectSize(large));
});
