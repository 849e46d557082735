import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { MongoClient } from 'mongodb';
import { resolveMongod } from '../binary/resolve.js';
import { required } from '../required.fixture.js';
import { connectMongo } from '../store/connect.js';
import { startMongod, type RunningMongod } from './start.js';

let root = '';
let dataDir = '';
let mongod: RunningMongod;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'rhizome-access-'));
  // Others may pass this folder, so that only the permissions below it protect the data.
  await chmod(root, 0o755);
  dataDir = join(root, 'mongo');
  await mkdir(dataDir, { mode: 0o755 });
  await writeFile(join(dataDir, 'replica-set.json'), '{"ports":[]}', { mode: 0o644 });
  mongod = await startMongod({ binary: await resolveMongod(), dataDir, log: silentLogger() });
});
afterAll(async () => {
  await mongod.stop();
  await rm(root, { recursive: true, force: true });
});

async function withClient<T>(uri: string, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 60_000 });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

const permissions = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

describe('embedded server', () => {
  const stranger = (): string => `mongodb://127.0.0.1:${mongod.ports[0]}/?directConnection=true`;

  it.each([
    ['lists databases', { listDatabases: 1 }],
    ['reads', { find: 'system.users' }],
    ['writes', { insert: 'jobs', documents: [{ x: 1 }] }],
    ['creates the first user', { createUser: 'me', pwd: 'x', roles: ['root'] }],
    ['changes the set', { replSetReconfig: {}, force: true }],
    ['stops the server', { shutdown: 1 }],
  ])('lets nobody without a password do what %s', async (_what, command) => {
    await withClient(stranger(), async (client) => {
      await expect(client.db('admin').command(command)).rejects.toMatchObject({
        codeName: 'Unauthorized',
      });
    });
  });

  it('keeps its folder, key, ports and address from others, also in a folder that was open', async () => {
    expect(await permissions(dataDir)).toBe('700');
    for (const name of ['key', 'uri', 'replica-set.json', 'member-0/mongod.log'])
      expect([name, await permissions(join(dataDir, name))]).toEqual([name, '600']);
    expect(await permissions(join(dataDir, 'member-0'))).toBe('700');
    if (process.getuid?.() !== 0) return;
    const { status } = spawnSync('setpriv', ['--reuid=65534', '--clear-groups', 'cat', join(dataDir, 'key')]);
    expect(status).not.toBe(0);
  });

  it('writes an address that works to its folder, and removes it at the end', async () => {
    const uri = (await readFile(join(dataDir, 'uri'), 'utf8')).trim();
    expect(uri).toBe(mongod.uri);
    await withClient(uri, (client) => client.db('admin').command({ listDatabases: 1 }));
    const other = await startMongod({ dataDir: join(root, 'other'), log: silentLogger() });
    await other.stop();
    await expect(stat(join(root, 'other', 'uri'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('users', () => {
  it('gives each a connection to its own databases only', async () => {
    const { core, gateway } = await mongod.users({ core: ['core'], gateway: ['gateway', 'identity'] });
    await withClient(core, async (client) => {
      const jobs = client.db('core').collection('jobs');
      await client.db('core').createCollection('jobs');
      const stream = client.db('core').watch();
      const next = stream.next();
      await jobs.insertOne({ x: 1 }, { writeConcern: { w: 'majority' } });
      expect(await next).toMatchObject({ operationType: 'insert' });
      await stream.close();
      await client.db('core').command({ collMod: 'jobs', validator: { x: 1 } });
      await jobs.updateOne({ x: 1 }, { $set: { x: 2 } }, { bypassDocumentValidation: true });
      const refused = { codeName: 'Unauthorized' };
      await expect(client.db('gateway').collection('x').findOne()).rejects.toMatchObject(refused);
      await expect(client.db('identity').collection('x').insertOne({})).rejects.toMatchObject(refused);
      await expect(client.db('local').collection('oplog.rs').findOne()).rejects.toMatchObject(refused);
    });
    await withClient(gateway, async (client) => {
      await client.db('gateway').collection('x').insertOne({});
      await client.db('identity').collection('x').insertOne({});
    });
  });

  it('keeps them over a restart, with the rights that are asked for last', async () => {
    const before = await mongod.users({ alpha: ['alpha'] });
    await withClient(before.alpha, (client) => client.db('alpha').collection('x').insertOne({}));
    await required(mongod.members[0]).restart();
    const after = await mongod.users({ alpha: ['alpha', 'tracks'] });
    expect(after).toEqual(before);
    await withClient(after.alpha, (client) => client.db('tracks').collection('x').insertOne({}));
  });

  it('renews passwords when the key is gone', async () => {
    const folder = join(root, 'rekeyed');
    const first = await startMongod({ dataDir: folder, log: silentLogger() });
    const { core: old } = await first.users({ core: ['core'] });
    await withClient(old, (client) => client.db('core').collection('kept').insertOne({}));
    await first.stop();
    await rm(join(folder, 'key'));
    const second = await startMongod({ dataDir: folder, log: silentLogger() });
    try {
      const { core } = await second.users({ core: ['core'] });
      expect(core).not.toBe(old);
      const client = await connectMongo({ uri: core, appName: 'test' });
      expect(await client.db('core').collection('kept').countDocuments()).toBe(1);
      await client.close();
    } finally {
      await second.stop();
    }
  });
});
