import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Document } from 'mongodb';
import { collection, defineCollection, type CollectionDeclaration } from './collection.js';
import { connectMongo } from './connect.js';
import { openTestStore, type TestStore } from './database.fixture.js';
import { assertNoDrift, ensureCollections } from './ensure-collections.js';

interface JobDocument {
  _id: string;
  schemaVersion: number;
  state: string;
  key?: string;
  note?: string;
  createdAt: Date;
  attempts: { number: number }[];
}

const declaration: CollectionDeclaration = {
  name: 'jobs',
  schemaVersion: 2,
  validator: {
    properties: {
      state: { enum: ['PENDING', 'DONE'] },
      key: { bsonType: 'string' },
      note: { bsonType: 'string' },
      createdAt: { bsonType: 'date' },
      attempts: {
        bsonType: 'array',
        maxItems: 2,
        items: {
          bsonType: 'object',
          additionalProperties: false,
          properties: { number: { bsonType: 'int' } },
        },
      },
    },
    required: ['state', 'createdAt', 'attempts'],
  },
  indexes: [
    { name: 'state_createdAt_idx', keys: { state: 1, createdAt: -1 }, why: 'jobs of a state, newest first' },
    {
      name: 'key_uq',
      keys: { key: 1 },
      options: { unique: true, partialFilterExpression: { key: { $exists: true } } },
      why: 'submit by key',
    },
    {
      name: 'createdAt_ttl',
      keys: { createdAt: 1 },
      options: { expireAfterSeconds: 3600 },
      why: 'old jobs go',
    },
    {
      name: 'note_idx',
      keys: { note: 1 },
      options: { collation: { locale: 'en', strength: 2 } },
      why: 'jobs by note, any case',
    },
  ],
};
const jobs = defineCollection<JobDocument>(declaration);
const job = (change: Partial<JobDocument> & Document = {}): JobDocument => ({
  _id: 'job_1',
  schemaVersion: 2,
  state: 'PENDING',
  createdAt: new Date(),
  attempts: [],
  ...change,
});

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

describe('ensureCollections', () => {
  it('creates what is missing and changes nothing the second time', async () => {
    const db = store.database();
    const first = await ensureCollections(db, [jobs]);
    expect(first).toEqual({
      created: ['jobs'],
      updated: [],
      indexed: ['jobs.state_createdAt_idx', 'jobs.key_uq', 'jobs.createdAt_ttl', 'jobs.note_idx'],
      drift: [],
    });
    expect(await ensureCollections(db, [jobs])).toEqual({ created: [], updated: [], indexed: [], drift: [] });
    assertNoDrift(first);
  });

  it('lists collections once, and costs two commands for a new one and one for one that exists', async () => {
    const others = ['tasks', 'queues'].map((name) => defineCollection<JobDocument>({ ...declaration, name }));
    const client = await connectMongo({
      uri: store.uri,
      appName: 'counter',
      driver: { monitorCommands: true },
    });
    try {
      const commands: string[] = [];
      client.on('commandStarted', ({ commandName }) => commands.push(commandName));
      const db = client.db(store.database().databaseName);
      await ensureCollections(db, [jobs, ...others]);
      const three = (name: string): readonly string[] => [name, name, name];
      const first = ['listCollections', ...three('create'), ...three('createIndexes')];
      expect(commands.splice(0).sort()).toEqual(first.sort());
      await ensureCollections(db, [jobs, ...others]);
      expect(commands).toEqual(['listCollections', ...three('listIndexes')]);
    } finally {
      await client.close();
    }
  });

  it('supports concurrent starts of several processes', async () => {
    const db = store.database();
    const clients = await Promise.all(
      [1, 2, 3, 4].map(() => connectMongo({ uri: store.uri, appName: 'starter' })),
    );
    const reports = await Promise.all(
      clients.map((client) => ensureCollections(client.db(db.databaseName), [jobs])),
    );
    expect(reports.flatMap(({ created }) => created)).toEqual(['jobs']);
    expect(reports.flatMap(({ drift }) => drift)).toEqual([]);
    await Promise.all(clients.map((client) => client.close()));
  });

  it.each<[string, Document]>([
    ['an unknown top-level field', { surprise: 1 }],
    ['a value outside of the enumeration', { state: 'LOST' }],
    ['a wrong type', { createdAt: 'yesterday' }],
    ['a longer array than declared', { attempts: [1, 2, 3].map((number) => ({ number })) }],
    ['an unknown field inside', { attempts: [{ number: 1, surprise: 1 }] }],
    ['an id that is no text', { _id: 7 }],
    ['a newer version', { schemaVersion: 3 }],
    ['no version', { schemaVersion: undefined }],
  ])('rejects %s by validator, on insert and on update', async (_what, change) => {
    const db = store.database();
    await ensureCollections(db, [jobs]);
    const stored = collection(db, jobs);
    await expect(stored.insertOne(job(change as Partial<JobDocument>))).rejects.toMatchObject({ code: 121 });
    if ('_id' in change) return;
    await stored.insertOne(job());
    const [[field, value]] = Object.entries(change) as [[string, unknown]];
    const update = value === undefined ? { $unset: { [field]: '' } } : { $set: { [field]: value } };
    await expect(
      db.collection<Document>('jobs').updateOne({ state: 'PENDING' }, update),
    ).rejects.toMatchObject({ code: 121 });
  });

  it('upgrades an older validator, keeps a newer one and reports it', async () => {
    const db = store.database();
    const next = defineCollection<JobDocument>({
      ...declaration,
      schemaVersion: 3,
      validator: {
        ...declaration.validator,
        properties: { ...declaration.validator.properties, extra: { bsonType: 'int' } },
      },
    });
    await ensureCollections(db, [jobs]);
    expect((await ensureCollections(db, [next])).updated).toEqual(['jobs']);
    await collection(db, next).insertOne(job({ schemaVersion: 3, extra: 1 }));
    const old = await ensureCollections(db, [jobs]);
    expect([old.updated, old.drift]).toEqual([
      [],
      [{ collection: 'jobs', reason: 'the validator is version 3, this process declares 2' }],
    ]);
    expect(() => assertNoDrift(old)).toThrow(expect.objectContaining({ code: 'COLLECTION_DRIFT' }));
  });

  it('reports differences at the same version, and fixes them only on request', async () => {
    const db = store.database();
    await ensureCollections(db, [jobs]);
    await db.command({ collMod: 'jobs', validator: {}, validationLevel: 'off' });
    await db.command({ collMod: 'jobs', validator: { $jsonSchema: { title: 'jobs v2' } } });
    await db.collection('jobs').dropIndex('key_uq');
    await db.collection('jobs').createIndex({ key: 1 }, { name: 'key_uq' });
    await db.collection('jobs').createIndex({ attempts: 1 }, { name: 'by_hand' });
    const warnings: unknown[] = [];
    const log = { warn: (fields: unknown): void => void warnings.push(fields) } as never;
    const report = await ensureCollections(db, [jobs], { log });
    expect(report.drift.map(({ index, reason }) => [index, reason])).toEqual([
      [undefined, expect.stringContaining('differs from the declared one of the same version')],
      ['key_uq', expect.stringContaining('the index is {"key":1}, declared is {"key":1}, unique')],
      ['by_hand', expect.stringContaining('not declared')],
    ]);
    expect(warnings).toHaveLength(3);
    const repaired = await ensureCollections(db, [jobs], { repair: true });
    expect([repaired.updated, repaired.indexed, repaired.drift.length]).toEqual([
      ['jobs'],
      ['jobs.key_uq'],
      1,
    ]);
    await expect(collection(db, jobs).insertOne(job({ surprise: 1 }))).rejects.toMatchObject({
      code: 121,
    });
    expect(await db.collection('jobs').indexExists('by_hand')).toBe(true);
  });

  it('adds the validator to a collection that was created without one', async () => {
    const db = store.database();
    await db.createCollection('jobs');
    expect((await ensureCollections(db, [jobs])).updated).toEqual(['jobs']);
  });

  it('reports an index under another name as drift, not as a failure', async () => {
    const db = store.database();
    await db.collection('jobs').createIndex({ state: 1, createdAt: -1 }, { name: 'other' });
    const { drift } = await ensureCollections(db, [jobs]);
    expect(drift.map(({ index }) => index)).toEqual(['state_createdAt_idx', 'other']);
  });
});

describe('connectMongo', () => {
  it('writes with majority concern and stores no undefined fields', async () => {
    const client = await connectMongo({ uri: store.uri, appName: 'connect' });
    expect(client.writeConcern?.w).toBe('majority');
    const stored = client.db(store.database().databaseName).collection<Document>('any');
    await stored.insertOne({ _id: 'a' as never, gone: undefined });
    expect(await stored.findOne({})).toEqual({ _id: 'a' });
    await client.close();
  });

  it('reports an unreachable server as SERVICE_UNAVAILABLE, without the password', async () => {
    const attempt = connectMongo({
      uri: 'mongodb://core:hunter2@127.0.0.1:1/?replicaSet=x',
      appName: 'x',
      serverSelectionTimeoutMs: 300,
    });
    const error = await attempt.then(
      () => undefined,
      (reason: unknown) => reason as Error & { code: string },
    );
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', retry: 'later' });
    expect(JSON.stringify(error) + error?.message).not.toContain('hunter2');
  });

  it('rejects an invalid URI', async () => {
    await expect(connectMongo({ uri: 'postgres://a:hunter2@b', appName: 'x' })).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
  });
});
