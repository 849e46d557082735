/** Final check of every database with jobs: the devices allocated to its jobs. */
import { silentLogger } from '@rhizome/log';
import { connectMongo, startMongod } from '@rhizome/mongo';
import {
  assertDevicesBookedOnce,
  type BookedJob,
  type DevicesOfWorker,
  withDevices,
} from './device-history.js';
import type { TestDatabase } from './test-database.types.js';

/** Where jobs are, and were moved to after their end. */
const jobCollections = ['jobs', 'jobsArchive'];
/** Databases of the server itself. */
const serversOwn = new Set(['admin', 'config', 'local']);

/**
 * @throws Error that names the devices of the database that were given away twice; one without jobs passes
 */
export async function checkHistory(db: TestDatabase): Promise<void> {
  const jobs = await Promise.all(
    jobCollections.map((name) =>
      db
        .collection(name)
        .find(withDevices)
        .project<BookedJob>({ attempts: 1, 'requirements.gpu': 1 })
        .toArray(),
    ),
  );
  const booked = jobs.flat();
  if (booked.length === 0) return;
  const workers = await db
    .collection('workers')
    .find({ 'devices.0': { $exists: true } })
    .project<DevicesOfWorker & { readonly queueId?: string }>({
      ...{ host: 1, queueId: 1, state: 1, updatedAt: 1 },
      ...{ 'devices.id': 1, 'devices.parentId': 1 },
    })
    .toArray();
  const queues = await db.collection<{ _id: string; site?: string }>('queues').find().toArray();
  const sites = new Map(queues.map(({ _id, site }) => [_id, site]));
  assertDevicesBookedOnce(
    booked,
    workers.map((worker) => ({ ...worker, site: sites.get(worker.queueId ?? '') })),
  );
}

/**
 * Looks at all databases of a store. @throws Error that names the database, and the devices that were given
 * away twice
 */
export async function checkStore(uri: string): Promise<void> {
  const client = await connectMongo({ uri, appName: 'checker', serverSelectionTimeoutMs: 60_000 });
  try {
    const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true });
    for (const { name } of databases.filter((one) => !serversOwn.has(one.name)))
      await checkHistory(client.db(name)).catch((error: unknown) => {
        throw new Error(`in the database ${name}: ${String(error)}`, { cause: error });
      });
  } finally {
    await client.close();
  }
}

/** Looks at what a store of one member left behind in its folder. */
export async function checkLeftBehind(dataDir: string): Promise<void> {
  const mongod = await startMongod({ dataDir, log: silentLogger() });
  try {
    await checkStore(mongod.uri);
  } finally {
    await mongod.stop();
  }
}
