/** One time of the store, as of which several databases are read. */
import { sleep } from '@rhizome/retry';
import { type ClientSession, type MongoClient, MongoServerError } from 'mongodb';
import { DeploymentError } from '../deployment-error.js';
import { type ListedCollection, listCollections } from './databases.js';

/** Collections by database, and a session whose reads all see the same time. */
export interface Snapshot {
  readonly session: ClientSession;
  readonly at: { readonly t: number; readonly i: number };
  readonly databases: ReadonlyMap<string, readonly ListedCollection[]>;
}

/** Error code of the server: collections or indexes were just created. */
const notYet = 246;
/** Error code of the server: it no longer keeps the time of the snapshot. */
const tooOld = 239;
const maxTries = 50;
const waitMs = 200;

/**
 * Fixes the time. The collections are those of that time: they were the same before and after it.
 * @throws DeploymentError if collections are created or dropped all the time
 */
export async function openSnapshot(
  client: MongoClient,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<Snapshot> {
  let before = await listAll(client, names);
  for (let tries = 1; tries <= maxTries && !signal?.aborted; tries += 1) {
    const session = client.startSession({ snapshot: true });
    if (await canRead(client, session, before)) {
      const after = await listAll(client, names);
      const at = (session as { snapshotTime?: { t: number; i: number } }).snapshotTime;
      if (at && signatureOf(before) === signatureOf(after))
        return { session, at: { t: at.t, i: at.i }, databases: before };
      before = after;
    }
    await session.endSession();
    await sleep(waitMs, signal);
  }
  throw new DeploymentError(
    'Collections or indexes are being created; start the backup again when the services have started',
  );
}

/** Error of a read, with its cause in words if the snapshot has become too old. */
export function explainRead(error: unknown): unknown {
  if (!(error instanceof MongoServerError) || error.code !== tooOld) return error;
  return new DeploymentError(
    'The backup took longer than MongoDB keeps a snapshot; raise its parameter minSnapshotHistoryWindowInSeconds (default 300) and start the backup again',
  );
}

async function listAll(
  client: MongoClient,
  names: readonly string[],
): Promise<ReadonlyMap<string, readonly ListedCollection[]>> {
  const lists = await Promise.all(
    names.map(async (name) => [name, await listCollections(client.db(name))] as const),
  );
  return new Map(lists);
}

const signatureOf = (databases: ReadonlyMap<string, readonly ListedCollection[]>): string =>
  JSON.stringify([...databases].map(([name, list]) => [name, list.map((one) => [one.name, one.uuid])]));

/** Reads every collection once: false if one cannot be read as of the time of the session yet. */
async function canRead(
  client: MongoClient,
  session: ClientSession,
  databases: ReadonlyMap<string, readonly ListedCollection[]>,
): Promise<boolean> {
  try {
    for (const [name, list] of databases)
      for (const one of list)
        await client
          .db(name)
          .collection(one.name)
          .findOne({}, { session, projection: { _id: 1 } });
    return true;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === notYet) return false;
    throw error;
  }
}
