/** One time of the store, as of which several databases are read. */
import { sleep } from '@rhizome/retry';
import {
  BSON,
  type ClientSession,
  type Db,
  type Document,
  type MongoClient,
  MongoServerError,
} from 'mongodb';
import { DeploymentError } from '../deployment-error.js';
import { type ListedCollection, listCollections } from './databases.js';

/** A collection as of the time of the snapshot. */
export interface SnapshotCollection extends ListedCollection {
  /** Indexes but that of `_id`. */
  readonly indexes: readonly Document[];
}

/** Collections by database, and a session whose reads all see the same time. */
export interface Snapshot {
  readonly session: ClientSession;
  readonly at: { readonly t: number; readonly i: number };
  readonly databases: Lists;
}

type Lists = ReadonlyMap<string, readonly SnapshotCollection[]>;

/** Error code of the server: the collection or its indexes are younger than the snapshot. */
const notYet = 246;
/** Error code of the server: it no longer keeps the time of the snapshot. */
const tooOld = 239;
/** Error code of the server: the collection was dropped. */
const gone = 26;
const maxTries = 50;
const waitMs = 200;

/**
 * Fixes the time. The collections and indexes are those of that time: they were the same before and after it.
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
  if (!(error instanceof MongoServerError)) return error;
  if (error.code === notYet) return changedError('a collection');
  if (error.code !== tooOld) return error;
  return new DeploymentError(
    'The backup took longer than MongoDB keeps a snapshot; raise its parameter minSnapshotHistoryWindowInSeconds (default 300) and start the backup again',
  );
}

/**
 * Asserts that all collections of a snapshot are still there: one that was dropped is read as empty.
 * @throws DeploymentError if one was dropped or replaced after the snapshot
 */
export async function assertStillThere(client: MongoClient, { databases }: Snapshot): Promise<void> {
  for (const [name, list] of databases) {
    const there = new Set((await listCollections(client.db(name))).map(({ uuid }) => uuid));
    const missing = list.find(({ uuid }) => !there.has(uuid));
    if (missing) throw changedError(`${name}.${missing.name}`);
  }
}

function changedError(what: string): DeploymentError {
  return new DeploymentError(
    `${what} was dropped or replaced during the backup; start the backup again when the services have started`,
  );
}

async function listAll(client: MongoClient, names: readonly string[]): Promise<Lists> {
  const lists = await Promise.all(
    names.map(async (name) => {
      const db = client.db(name);
      const list = await listCollections(db);
      return [
        name,
        await Promise.all(list.map(async (one) => ({ ...one, indexes: await indexesOf(db, one.name) }))),
      ] as const;
    }),
  );
  return new Map(lists);
}

async function indexesOf(db: Db, name: string): Promise<readonly Document[]> {
  try {
    return (await db.collection(name).indexes()).filter((index) => index.name !== '_id_');
  } catch (error) {
    // Dropped since the listing; the next listing differs.
    if (error instanceof MongoServerError && error.code === gone) return [];
    throw error;
  }
}

const signatureOf = (databases: Lists): string => BSON.EJSON.stringify([...databases], { relaxed: false });

/** Reads every collection once: false if one cannot be read as of the time of the session yet. */
async function canRead(client: MongoClient, session: ClientSession, databases: Lists): Promise<boolean> {
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
