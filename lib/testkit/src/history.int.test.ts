import { describe, expect, it } from '@jest/globals';
import { connectMongo } from '@rhizome/mongo';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkHistory, checkLeftBehind } from './history.js';
import { leftovers } from './leftovers.js';
import { ownMongod, testDatabase } from './mongo.js';
import type { TestDatabase } from './test-database.types.js';

/** Two jobs that had devices of one worker at the same time; the GPU `gpu` has the slices `a` and `b`. */
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
  await db.collection<{ _id: string }>('workers').insertOne({ _id: 'worker', ...{ devices } });
  for (const [number, { devices: deviceIds, gpu = {}, archived }] of jobs.entries())
    await db.collection<{ _id: string }>(archived ? 'jobsArchive' : 'jobs').insertOne({
      _id: `job-${number}`,
      ...{ requirements: { gpu } },
      ...{ attempts: [{ workerId: 'worker', deviceIds, sentAt: new Date(number) }] },
    });
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
  const words = /in the database core: .*other is given for 2000/;
  await expect(mongod.stop()).rejects.toThrow(words);
  await client.close();
  await expect(checkLeftBehind(dataDir)).rejects.toThrow(words);
  // What this file knows of is no fault of it.
  await expect(leftovers.disposeAll()).rejects.toThrow(words);
});
