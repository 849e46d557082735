import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { systemClock } from '@rhizome/clock';
import { collection, ensureCollections, freePort, resolveMongod } from '@rhizome/mongo';
import { leftovers, spawnProcess } from '@rhizome/testkit';
import { MongoClient } from 'mongodb';
import { jobsCollection } from '../model/job.document.js';
import { aJob } from '../../../test/support/job.fixture.js';
import type { TransitionRequest } from './transition.types.js';
import { GroupingTransitionWriter } from './transition-writer.js';
import { transitionStore } from './transitions.repository.js';

let address: string;

async function client(credentials: string, options: object = {}): Promise<MongoClient> {
  const opened = new MongoClient(`mongodb://${credentials}${address}`, { retryWrites: false, ...options });
  leftovers.defer('a client', () => opened.close());
  return opened.connect();
}

/**
 * Secured mongod with a user that has read and write access to `core` only, as an operator would create it.
 */
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'core-users-'));
  leftovers.defer('the data', () => rm(folder, { recursive: true, force: true }));
  const port = await freePort();
  const args = [
    '--auth',
    '--dbpath',
    folder,
    '--port',
    String(port),
    '--bind_ip',
    '127.0.0.1',
    '--nounixsocket',
  ];
  const mongod = spawnProcess({ name: 'mongod', command: await resolveMongod(), args });
  await mongod.line(/Waiting for connections/, 60_000);
  address = `127.0.0.1:${port}/`;
  const first = await client('');
  await first.db('admin').command({ createUser: 'root', pwd: 'secret', roles: ['root'] });
  const root = await client('root:secret@');
  const roles = [{ role: 'readWrite', db: 'core' }];
  await root.db('admin').command({ createUser: 'core', pwd: 'secret', roles });
  await ensureCollections(root.db('core'), [jobsCollection]);
});

it('writes transitions without the privilege to bypass the validator, also if many start at once', async () => {
  let refused = 0;
  const user = await client('core:secret@', { monitorCommands: true });
  user.on('commandFailed', ({ commandName }) => (refused += commandName === 'update' ? 1 : 0));
  const jobs = collection(user.db('core'), jobsCollection);
  const ids = Array.from({ length: 8 }, (_, at) => `job_${at}`);
  await jobs.insertMany(ids.map((id) => aJob(id)));
  const store = transitionStore(jobs);
  const options = { store, clock: systemClock, log: silentLogger(), maxGroup: 1, concurrency: 4 };
  const writer = leftovers.use(new GroupingTransitionWriter(options), 'a transition writer');
  const cancel = (jobId: string, from: 'ACTIVATED' | 'CANCELLED'): TransitionRequest => ({
    jobId,
    from,
    to: 'CANCELLED',
    by: 'principal',
    actor: 'someone@example',
  });
  const outcomes = await writer.apply(ids.map((id) => cancel(id, 'ACTIVATED')));
  expect(outcomes.map(({ applied }) => applied)).toEqual(ids.map(() => true));
  const states = await jobs.find().toArray();
  expect(states.map(({ state }) => state)).toEqual(ids.map(() => 'CANCELLED'));
  // Bypassing was tried once and is not tried again.
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThanOrEqual(4);
});
