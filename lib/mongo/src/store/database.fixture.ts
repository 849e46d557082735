import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@rhizome/log';
import type { Db } from 'mongodb';
import { startMongod } from '../server/start.js';
import { connectMongo } from './connect.js';

/** A real replica set for the tests of one file. */
export interface TestStore {
  readonly uri: string;
  /** A database of its own for each test. */
  database(): Db;
  close(): Promise<void>;
}

/** Starts a replica set in a temporary folder. */
export async function openTestStore(): Promise<TestStore> {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-store-'));
  const mongod = await startMongod({ dataDir: folder, log: silentLogger() });
  const client = await connectMongo({ uri: mongod.uri, appName: 'test' });
  return {
    uri: mongod.uri,
    database: () => client.db(`test_${randomBytes(6).toString('hex')}`),
    async close() {
      await client.close();
      await mongod.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
