import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { resolveMongod } from './binary/resolve.js';
import { openMongo } from './open-mongo.js';
import { isAlive } from './process.js';

let dataDir = '';
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'rhizome-open-'));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

it('uses MONGODB_URI and starts nothing', async () => {
  const env = { MONGODB_URI: 'mongodb://db.example/?replicaSet=site' };
  const opened = await openMongo({ dataDir, env, log: silentLogger() });
  expect(opened).toMatchObject({ uri: env.MONGODB_URI });
  expect(opened.embedded).toBeUndefined();
  await opened.stop();
  expect(await readdir(dataDir)).toEqual([]);
});

it('starts an embedded replica set without MONGODB_URI, and stops it on close', async () => {
  const binary = await resolveMongod();
  const opened = await openMongo({ dataDir, binary, env: {}, log: silentLogger() });
  const pids = opened.embedded?.members.map(({ pid }) => pid) ?? [];
  expect([opened.uri, pids.map(isAlive)]).toEqual([opened.embedded?.uri, [true]]);
  await opened.stop();
  expect(pids.map(isAlive)).toEqual([false]);
});
