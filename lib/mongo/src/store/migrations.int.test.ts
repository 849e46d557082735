import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { openTestStore, type TestStore } from './database.fixture.js';
import { runMigrations, type Migration } from './migrations.js';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

const step = (
  id: string,
  up: Migration['up'] = async (db) => void (await db.collection('ran').insertOne({ id })),
): Migration => ({ id, up });

/** Resolves when the client has sent a command of this name. */
async function whenCommand(client: MongoClient, name: string): Promise<void> {
  await new Promise<void>((resolve) =>
    client.on('commandStarted', ({ commandName }) => {
      if (commandName === name) resolve();
    }),
  );
}

describe('runMigrations', () => {
  it('runs each once, in order, and records it', async () => {
    const db = store.database();
    const list = [step('0001-first'), step('0002-second')];
    expect(await runMigrations(db, list)).toEqual(['0001-first', '0002-second']);
    expect(await runMigrations(db, [...list, step('0005-third')])).toEqual(['0005-third']);
    expect(await runMigrations(db, list)).toEqual([]);
    expect((await db.collection('ran').find().toArray()).map(({ id }) => id as string)).toEqual([
      '0001-first',
      '0002-second',
      '0005-third',
    ]);
    expect(await db.collection('migrations').findOne({ _id: '0001-first' as never })).toMatchObject({
      schemaVersion: 1,
      appliedAt: expect.any(Date),
    });
  });

  it('records all without a run in an empty database that is then created in its newest form', async () => {
    const db = store.database();
    const list = [step('0001-first'), step('0002-second')];
    const options = { isCreatedLatest: true };
    expect(await runMigrations(db, list, options)).toEqual([]);
    expect(await db.collection('ran').countDocuments()).toBe(0);
    expect(await db.collection('migrations').distinct('_id')).toEqual(['0001-first', '0002-second']);
    expect(await runMigrations(db, [...list, step('0003-third')], options)).toEqual([]);
    expect(await db.collection('migrationLock').countDocuments()).toBe(0);
  });

  it('runs all in a database with a collection, also where it is then created in its newest form', async () => {
    const db = store.database();
    await db.createCollection('jobs');
    const list = [step('0001-first'), step('0002-second')];
    expect(await runMigrations(db, list, { isCreatedLatest: true })).toEqual(['0001-first', '0002-second']);
    expect(await db.collection('ran').countDocuments()).toBe(2);
  });

  it('runs in one of several processes that start at once; all return when it is done', async () => {
    const db = store.database();
    let inside = 0;
    let most = 0;
    const slow = step('0001-slow', async (target) => {
      most = Math.max(most, ++inside);
      await target.collection('ran').insertOne({ id: 'slow' });
      inside--;
    });
    const clients = Array.from({ length: 5 }, () => new MongoClient(store.uri));
    const done = await Promise.all(
      clients.map((client) => runMigrations(client.db(db.databaseName), [slow, step('0002-next')])),
    );
    expect(done.flat().sort()).toEqual(['0001-slow', '0002-next']);
    expect([most, await db.collection('ran').countDocuments()]).toEqual([1, 2]);
    expect(await db.collection('migrationLock').countDocuments()).toBe(0);
    await Promise.all(clients.map((client) => client.close()));
  });

  it('records all once when several processes create a database at the same time', async () => {
    const db = store.database();
    const list = [step('0001-first'), step('0002-second')];
    const lock = db.collection<{ _id: string; owner: string; expiresAt: Date }>('migrationLock');
    await lock.insertOne({ _id: 'lock', owner: 'other', expiresAt: new Date(Date.now() + 3_600_000) });
    const clients = Array.from({ length: 5 }, () => new MongoClient(store.uri, { monitorCommands: true }));
    try {
      const starts = clients.map((client) =>
        runMigrations(client.db(db.databaseName), list, { isCreatedLatest: true }),
      );
      const all = Promise.all(starts);
      // All have found that migrations are missing before the first one gets the lock.
      await Promise.all(clients.map((client) => whenCommand(client, 'findAndModify')));
      await lock.deleteOne({});
      expect(await all).toEqual(Array.from({ length: 5 }, () => []));
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
    expect(await db.collection('migrations').distinct('_id')).toEqual(['0001-first', '0002-second']);
    expect(await db.collection('ran').countDocuments()).toBe(0);
    expect(await lock.countDocuments()).toBe(0);
  });

  it('names a failed migration, does not record it, stops there and releases the lock', async () => {
    const db = store.database();
    let broken = true;
    const list = [
      step('0001-good'),
      step('0002-bad', () => (broken ? Promise.reject(new Error('no such field')) : Promise.resolve())),
      step('0003-after'),
    ];
    await expect(runMigrations(db, list)).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: 'migration 0002-bad failed: no such field',
    });
    broken = false;
    expect(await runMigrations(db, list)).toEqual(['0002-bad', '0003-after']);
  });

  it('continues when the holder of the lock is dead, and waits while it is alive', async () => {
    const db = store.database();
    const lock = db.collection<{ _id: string; owner: string; expiresAt: Date }>('migrationLock');
    const expiresAt = new Date(Date.now() + 700);
    await lock.insertOne({ _id: 'lock', owner: 'dead', expiresAt });
    const first = step('0001-first', async (target) => {
      const { localTime } = await target.admin().command({ hello: 1 });
      await target.collection('ran').insertOne({ at: localTime as Date });
    });
    expect(await runMigrations(db, [first])).toEqual(['0001-first']);
    const ran = await db.collection<{ at: Date }>('ran').findOne({});
    expect(ran?.at.getTime()).toBeGreaterThanOrEqual(expiresAt.getTime());
    await lock.insertOne({ _id: 'lock', owner: 'alive', expiresAt: new Date(Date.now() + 3_600_000) });
    await expect(
      runMigrations(db, [step('0001-first'), step('0002-x')], { waitMs: 150 }),
    ).rejects.toMatchObject({ code: 'MIGRATION_FAILED' });
    expect((await lock.findOne({}))?.owner).toBe('alive');
  });

  it('keeps the lock during a long migration, and stops when the lock is lost', async () => {
    const db = store.database();
    const lock = db.collection<{ _id: string; owner: string; expiresAt: Date }>('migrationLock');
    const longer = step('0001-longer', async (target) => {
      const first = (await target.collection('migrationLock').findOne({}))?.['expiresAt'] as Date;
      for (let now = first; now <= first;)
        now = (await target.collection('migrationLock').findOne({}))?.['expiresAt'] as Date;
    });
    expect(await runMigrations(db, [longer], { lockTtlMs: 6_000 })).toEqual(['0001-longer']);
    const robbed = step('0002-robbed', async (_target, signal) => {
      await lock.updateOne(
        { _id: 'lock' },
        { $set: { owner: 'somebody else', expiresAt: new Date(Date.now() + 3_600_000) } },
      );
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    });
    await expect(runMigrations(db, [longer, robbed], { lockTtlMs: 6_000 })).rejects.toMatchObject({
      message: expect.stringContaining('lock was lost'),
    });
    expect((await lock.findOne({}))?.owner).toBe('somebody else');
    expect(await db.collection('migrations').countDocuments()).toBe(1);
  });

  it.each<[string, string[], RegExp]>([
    ['a name of another form', ['1-a'], /named like/],
    ['the same number twice', ['0001-a', '0001-b'], /must grow/],
    ['a number that goes back', ['0002-a', '0001-b'], /must grow/],
  ])('rejects %s', async (_what, ids, reason) => {
    await expect(
      runMigrations(
        store.database(),
        ids.map((id) => step(id)),
      ),
    ).rejects.toThrow(reason);
  });

  it('rejects a migration that would have to run before one that was run', async () => {
    const db = store.database();
    await runMigrations(db, [step('0001-a'), step('0003-c')]);
    await expect(runMigrations(db, [step('0001-a'), step('0002-b'), step('0003-c')])).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('0002-b'),
    });
  });
});
