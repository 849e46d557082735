// A real replica set for the tests of one file of this folder, and a database of its own for each test.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import type { Db, MongoClient } from 'mongodb';
import { startMongod, type RunningMongod } from '../server/start.js';
import { connectMongo } from './connect.js';

/** Starts before the tests of the file, ends after them. */
export function useMongod(): { database: () => Db; uri: () => string } {
  let mongod: RunningMongod;
  let client: MongoClient;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rhizome-store-'));
    mongod = await startMongod({ dataDir: folder, log: silentLogger() });
    client = await connectMongo({ uri: mongod.uri, appName: 'test' });
  }, 120_000);
  afterAll(async () => {
    await client.close();
    await mongod.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return { database: () => client.db(`test_${randomBytes(6).toString('hex')}`), uri: () => mongod.uri };
}
