/** What every house ends with: a look at all that its jobs were given. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger } from '@rhizome/log';
import { connectMongo, startMongod } from '@rhizome/mongo';
import { assertDevicesBookedOnce, type BookedJob, type DevicesOfWorker, withDevices } from '@rhizome/testkit';
import type { Document } from 'mongodb';
import { processesWith } from './processes.js';

/** Where jobs are, and were moved to after their end. */
const collections = ['jobs', 'jobsArchive'];

/** @throws Error that names the devices that were given away twice, in the store at the address */
export async function checkDevicesAt(uri: string): Promise<void> {
  const client = await connectMongo({ uri, appName: 'checker', serverSelectionTimeoutMs: 60_000 });
  try {
    const db = client.db('core');
    const jobs = await Promise.all(
      collections.map((name) =>
        db
          .collection<BookedJob & Document>(name)
          .find(withDevices)
          .project<BookedJob>({ attempts: 1, 'requirements.gpu': 1 })
          .toArray(),
      ),
    );
    const workers = await db
      .collection<DevicesOfWorker & Document>('workers')
      .find({ 'devices.0': { $exists: true } })
      .project<DevicesOfWorker>({ 'devices.id': 1, 'devices.parentId': 1 })
      .toArray();
    assertDevicesBookedOnce(jobs.flat(), workers);
  } finally {
    await client.close();
  }
}

/** Houses whose history nobody has looked at since they were started. */
const unchecked = new Set<string>();

/** A house works on the data folder: its history is to be looked at. */
export function noteHistory(data: string): void {
  unchecked.add(data);
}

/**
 * Looks at the history while the house's store runs. It has no effect where it does not, nor where somebody has looked
 * since the house was started: its store may be ending.
 */
export async function checkWhileRunning(data: string): Promise<void> {
  if (!unchecked.has(data)) return;
  const [running] = processesWith(folderOf(data)).filter(({ commandLine }) =>
    commandLine.includes('--dbpath'),
  );
  const port = / --port (\d+)/.exec(running?.commandLine ?? '')?.[1];
  if (port === undefined) return;
  unchecked.delete(data);
  await checkDevicesAt(`mongodb://127.0.0.1:${port}/?directConnection=true`);
}

/** Looks at what a house left behind that ended before anybody had looked. */
export async function checkLeftBehind(data: string): Promise<void> {
  const folder = folderOf(data);
  if (!unchecked.delete(data) || !existsSync(folder)) return;
  const mongo = await startMongod({ dataDir: folder, log: silentLogger() });
  try {
    await checkDevicesAt(mongo.uri);
  } finally {
    await mongo.stop();
  }
}

const folderOf = (data: string): string => join(data, 'mongo');
