/** A core that starts on a restored backup. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@rhizome/clock';
import { openDeployment } from '@rhizome/deployment';
import { connectMongo } from '@rhizome/mongo';
import { leftovers, ownMongod, type TestDatabase, testDatabase, testMongo, waitFor } from '@rhizome/testkit';
import { Timestamp } from 'mongodb';
import { encodeCursor } from '../src/events/feed/cursor.js';
import { acquireOne, register, startOne } from './support/access.fixture.js';
import {
  type Answer,
  lastingLeases,
  pilotOf,
  seed,
  startCore,
  type TestCore,
} from './support/core.fixture.js';

const submitText =
  'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }';
const job = { name: 'one', payload: { command: 'true' }, requirements: { cores: 1 } };

async function submit({ ask }: TestCore, idempotencyKey: string, count = 1): Promise<readonly string[]> {
  const jobs = Array.from({ length: count }, () => job);
  const { submitJobs } = await ask(submitText, { input: { experiment: 'alpha', idempotencyKey, jobs } });
  expect(submitJobs?.['userErrors']).toEqual([]);
  return (submitJobs?.['jobs'] as unknown as readonly Answer[]).map(({ id }) => String(id));
}

/** Documents as stored, by collection. */
async function contentOf(db: TestDatabase, names: readonly string[], at?: Timestamp) {
  const session = db.client.startSession({ snapshot: at !== undefined });
  // The driver offers no way to choose the time of a snapshot.
  if (at) Object.assign(session, { snapshotTime: at });
  const content = new Map<string, readonly string[]>();
  for (const name of names) {
    const found = db.collection(name).find({}, { raw: true, sort: { _id: 1 }, session });
    const documents = (await found.toArray()) as unknown as readonly Uint8Array[];
    content.set(
      name,
      documents.map((one) => Buffer.from(one).toString('base64')),
    );
  }
  await session.endSession();
  return content;
}

/** Time of the position in the stream up to which failures were counted. */
const countedUntil = new Date('2024-03-13T15:13:39Z');

describe('a core on a restored backup', () => {
  let db: TestDatabase;
  let original: TestCore;
  let copy: TestDatabase;
  let restored: TestCore;
  let folder: string;
  /** Keys of the submits that were acknowledged before the backup, with their jobs. */
  const before = new Map<string, readonly string[]>();
  /** Runs since before the backup. */
  let held: { readonly id: string; readonly fence: number; readonly workerId: string };
  /** Was given after the backup. */
  let later: { readonly id: string; readonly fence: number; readonly workerId: string };
  let written: number;

  beforeAll(async () => {
    db = await testDatabase('core');
    original = await startCore({ db });
    await seed(original, lastingLeases);
    const workerId = await register(original, 'north', 'first');
    before.set('first', await submit(original, 'first'));
    const given = await acquireOne(original, 'north', workerId);
    held = { ...given, workerId };
    await startOne(original, 'north', workerId, given);
    await waitFor(
      'the begin of the counts of failures',
      async () => (await db.collection('failureHistory').countDocuments()) === 1,
      { deadlineMs: 20_000 },
    );
    const made = { createdAt: systemClock.now(), updatedAt: systemClock.now(), createdBy: 'usr_one' };
    await db.collection<{ _id: string }>('storages').insertOne({
      ...{
        _id: 'archive',
        schemaVersion: 1,
        revision: 1,
        ...made,
        provider: 'FOLDER',
        address: 'file:///srv',
      },
      ...{ experiments: [], queues: [], isDefault: false, sharedPrefixes: [] },
    });
    folder = await mkdtemp(join(tmpdir(), 'rhizome-restore-'));
    leftovers.defer('the backup', () => rm(folder, { recursive: true, force: true }));
    const { uri, client } = await testMongo();
    const deployment = await openDeployment(uri);
    leftovers.defer('the connection of the operator', () => deployment.close());
    for (let n = 0; n < 5; n += 1) before.set(`early-${n}`, await submit(original, `early-${n}`, 20));
    const stop = new AbortController();
    let submits = 0;
    const load = (async () => {
      for (; !stop.signal.aborted; submits += 1) await submit(original, `load-${submits}`, 50);
    })();
    const [begun, name] = [submits, db.databaseName];
    const { manifest } = await deployment
      .backUp({ folder: join(folder, 'one'), databases: [name], now: systemClock.now() })
      .finally(() => stop.abort());
    await load;
    written = submits - begun;
    const second = await register(original, 'north', 'second');
    later = { ...(await acquireOne(original, 'north', second)), workerId: second };
    copy = client.db(`copy_${name}`);
    leftovers.defer('the restored database', async () => void (await copy.dropDatabase()));
    await deployment.restore({
      ...{
        folder: join(folder, 'one'),
        prefix: 'copy_',
        replace: false,
        dryRun: false,
        now: systemClock.now(),
      },
    });
    const { clusterTime, databases } = manifest;
    const names = databases.flatMap(({ collections }) => collections.map((one) => one.name));
    const [then, now] = [
      await contentOf(db, names, new Timestamp(clusterTime)),
      await contentOf(copy, names),
    ];
    expect(names).toEqual(expect.arrayContaining(['jobs', 'submissions', 'brokerLease', 'workers']));
    for (const one of names) expect([one, now.get(one)]).toEqual([one, then.get(one)]);
    const cursor = encodeCursor('8265F1C2A30000000B2B042C0100296E5A1004');
    await copy
      .collection<{ _id: string }>('consumers')
      .replaceOne(
        { _id: 'failures' },
        { schemaVersion: 1, revision: 1, cursor, updatedAt: systemClock.now() },
        { upsert: true },
      );
    restored = await startCore({ db: copy });
  });

  it('has every job that was acknowledged before the backup, and answers its key with it', async () => {
    expect(written).toBeGreaterThan(0);
    for (const [key, ids] of before) expect(await submit(restored, key, ids.length)).toEqual(ids);
  });

  it('has no storages, as a copy, so that it deletes no file of the original', async () => {
    const stored = await copy.collection<{ _id: string }>('storages').find().toArray();
    expect(stored).toMatchObject([{ _id: 'archive', removedAt: expect.any(Date), revision: 2 }]);
    const { storages } = await restored.ask('{ storages { nodes { name } } }');
    expect(storages).toEqual({ nodes: [] });
  });

  it('says since when failures were not counted', async () => {
    const history = await copy.collection('failureHistory').findOne();
    expect(history).toMatchObject({ gaps: [{ from: countedUntil, to: expect.any(Date) }] });
  });

  it('counts its jobs again', async () => {
    const { jobs } = await restored.ask('{ jobs(first: 1) { totalCount } }');
    await waitFor(
      'the counts of the restored jobs',
      async () => {
        const { jobCounts } = await restored.ask('{ jobCounts { state count } }');
        const rows = jobCounts as unknown as readonly Answer[];
        return rows.reduce((sum, { count }) => sum + Number(count), 0) === Number(jobs?.['totalCount']);
      },
      { deadlineMs: 20_000 },
    );
  });

  it('gives fences above all that were given before and after the backup', async () => {
    const workerId = await register(restored, 'north', 'third');
    const { id, fence } = await acquireOne(restored, 'north', workerId);
    expect(fence).toBeGreaterThan(later.fence);
    expect(Number.isSafeInteger(fence)).toBe(true);
    await startOne(restored, 'north', workerId, { id, fence });
  });

  it('accepts the end of an attempt that ran before the backup', async () => {
    const { workerId, id, fence } = held;
    const { finishJobs } = await restored.ask(
      'mutation ($input: FinishJobsInput!) { finishJobs(input: $input) { acceptedIds userErrors { message } } }',
      { input: { workerId, jobs: [{ id, fence }] } },
      pilotOf('north'),
    );
    expect(finishJobs).toEqual({ acceptedIds: [id], userErrors: [] });
  });

  it('refuses an attempt that was given after the backup', async () => {
    const worker = await register(restored, 'north', 'second again');
    const { heartbeat } = await restored.ask(
      'mutation ($input: HeartbeatInput!) { heartbeat(input: $input) { commands { kind jobId fence } userErrors { message } } }',
      { input: { workerId: worker, jobs: [{ id: later.id, fence: later.fence }] } },
      pilotOf('north'),
    );
    expect(heartbeat).toMatchObject({ commands: [{ kind: 'DROP', jobId: later.id, fence: later.fence }] });
  });

  it('raises the fences again when the same backup is restored once more', async () => {
    const workerId = await register(restored, 'north', 'fourth');
    const { fence } = await acquireOne(restored, 'north', workerId);
    const { uri, client } = await testMongo();
    const deployment = await openDeployment(uri);
    leftovers.defer('another connection of the operator', () => deployment.close());
    await deployment.restore({
      ...{
        folder: join(folder, 'one'),
        prefix: 'again_',
        replace: false,
        dryRun: false,
        now: systemClock.now(),
      },
    });
    const again = client.db(`again_${db.databaseName}`);
    leftovers.defer('the database restored again', async () => void (await again.dropDatabase()));
    const core = await startCore({ db: again });
    const other = await register(core, 'north', 'fifth');
    expect((await acquireOne(core, 'north', other)).fence).toBeGreaterThan(fence);
  });
});

it('runs with the rights of the user that admin init makes', async () => {
  const mongod = await ownMongod();
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-init-'));
  leftovers.defer('the file of the user', () => rm(folder, { recursive: true, force: true }));
  const deployment = await openDeployment(mongod.uri);
  const options = { uri: mongod.uri, folder, services: { core: ['core'] } };
  await deployment
    .initUsers({ ...options, resetPasswords: false, dryRun: false })
    .finally(() => deployment.close());
  const uri = (await readFile(join(folder, 'core.uri'), 'utf8')).trim();
  const client = await connectMongo({ uri, appName: 'test' });
  leftovers.defer('the connection of the user', () => client.close());
  const core = await startCore({ db: client.db('core') });
  await seed(core, lastingLeases);
  const [id] = await submit(core, 'with least rights');
  const workerId = await register(core, 'north', 'first');
  const given = await acquireOne(core, 'north', workerId);
  expect(given.id).toBe(id);
  await startOne(core, 'north', workerId, given);
});
