import { describe, expect, it } from '@jest/globals';
import { connectMongo } from '@rhizome/mongo';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkHistory, checkLeftBehind } from './check-history.js';
import { leftovers } from '../leftovers.js';
import { ownMongod, testDatabase } from '../mongo.js';
import type { TestDatabase } from '../test-database.types.js';

type Stored = { readonly _id: string };
const at = (second: number): Date => new Date(second * 1000);

/** A job that a worker got, as core stores it. */
function sentJob(number: number, devices: readonly string[], gpu: object) {
  const last = {
    ...{ revision: 2, from: 'ACTIVATED', to: 'SENT', at: at(number), actor: 'system:broker', attempt: 1 },
    ...{ experiment: 'alpha', share: 'alpha/default', fence: 8 + 8 * number, workerId: 'worker' },
  };
  const { revision, from, to, actor, attempt, fence, workerId } = last;
  return {
    ...{ _id: `job-${number}`, revision, state: to, attempt, fence, workerId, last, classId: 'class_1' },
    ...{ dependsOn: [], waitingFor: [], lookup: [], retry: { maxAttempts: 1, retryOn: [] }, stateTimes: {} },
    requirements: { gpu },
    transitions: [{ revision, from, to, actor, attempt, at: at(number) }],
    attempts: [{ number: 1, workerId, fence, deviceIds: devices, sentAt: at(number) }],
  };
}

/** Stores jobs that a worker got; its GPU `gpu` has the slices `a` and `b`. */
async function book(
  db: TestDatabase,
  jobs: readonly { readonly devices: readonly string[]; readonly gpu?: object; readonly archived?: true }[],
): Promise<void> {
  const devices = [
    { id: 'gpu' },
    { id: 'a', parentId: 'gpu' },
    { id: 'b', parentId: 'gpu' },
    { id: 'other' },
  ];
  await db.collection<Stored>('workers').insertOne({ _id: 'worker', ...{ devices, state: 'READY' } });
  for (const [number, { devices: deviceIds, gpu = {}, archived }] of jobs.entries()) {
    const job = sentJob(number, deviceIds, gpu);
    if (archived) await db.collection<Stored>('jobsArchive').insertOne(job);
    else await submitAndSend(db, job);
  }
}

async function submitAndSend(db: TestDatabase, job: ReturnType<typeof sentJob>): Promise<void> {
  const { workerId: _workerId, ...event } = job.last;
  const last = { ...event, revision: 1, from: null, to: 'ACTIVATED', attempt: 0, fence: 0 };
  const { _id, ...sent } = job;
  await db.collection<Stored>('jobs').insertOne({ _id, ...{ last, state: 'ACTIVATED', revision: 1 } });
  await db.collection<Stored>('jobs').updateOne({ _id }, { $set: sent });
}

const overbooked: readonly (readonly [string, Parameters<typeof book>[1], RegExp])[] = [
  [
    'a device that two jobs have',
    [{ devices: ['other'] }, { devices: ['other'] }],
    /other is given for 2000/,
  ],
  [
    'a slice of a GPU that is given whole',
    [{ devices: ['gpu'] }, { devices: ['b'] }],
    /has b while .* has gpu/,
  ],
  [
    'shares that are more than one',
    [
      { devices: ['other'], gpu: { share: 600 } },
      { devices: ['other'], gpu: { share: 401 } },
    ],
    /given for 1001\/1000/,
  ],
  [
    'a device of a job that was moved to the archive',
    [{ devices: ['other'], archived: true }, { devices: ['other'] }],
    /other is given for 2000/,
  ],
];

describe('history of a database', () => {
  it.each(overbooked)('fails its file because of %s', async (_what, jobs, words) => {
    const db = await testDatabase('history');
    await book(db, jobs);
    await expect(checkHistory(db)).rejects.toThrow(words);
    // As at the end of the file; the database is gone all the same.
    await expect(leftovers.disposeAll()).rejects.toThrow(words);
    const { client } = await testDatabase();
    const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
    expect(databases.map(({ name }) => name)).not.toContain(db.databaseName);
  });

  it('passes where slices, shares and devices are given once', async () => {
    const db = await testDatabase('history');
    await book(db, [
      { devices: ['a'] },
      { devices: ['b'] },
      { devices: ['other'], gpu: { share: 600 } },
      { devices: ['other'], gpu: { share: 400 } },
    ]);
    await expect(checkHistory(db)).resolves.toBeUndefined();
  });
});

it('is checked when a private store ends, and when one was left behind', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'rhizome-tests-history-'));
  leftovers.defer('its data', () => rm(dataDir, { recursive: true, force: true }));
  const mongod = await ownMongod({ dataDir });
  const client = leftovers.use(await connectMongo({ uri: mongod.uri, appName: 'tests' }), 'its client');
  const db = client.db('core');
  await book(db, [{ devices: ['other'] }, { devices: ['other'] }]);
  const words = /in the database core: [^]*other is given for 2000/;
  await expect(mongod.stop()).rejects.toThrow(words);
  await client.close();
  await expect(checkLeftBehind(dataDir)).rejects.toThrow(words);
  // What this file knows of is no fault of it.
  await expect(leftovers.disposeAll()).rejects.toThrow(words);
});
