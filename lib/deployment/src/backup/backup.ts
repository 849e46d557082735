/** Backup of the databases of a deployment as of one time of the store, while the services run. */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BSON, type MongoClient } from 'mongodb';
import { DeploymentError } from '../deployment-error.js';
import { deploymentDatabases } from './databases.js';
import { writeDocuments } from './document-file.js';
import {
  digestOfManifest,
  type Manifest,
  manifestFile,
  manifestText,
  type SavedCollection,
  type SavedDatabase,
} from './manifest.js';
import {
  assertStillThere,
  explainRead,
  openSnapshot,
  type Snapshot,
  type SnapshotCollection,
} from './snapshot.js';

/** Progress in one collection. */
export interface Progress {
  readonly database: string;
  readonly collection: string;
  readonly documents: number;
}

/** Options of {@link backUp}. */
export interface BackupOptions {
  readonly client: MongoClient;
  /** New or empty folder. */
  readonly folder: string;
  /** Only these databases; default: all of the deployment. */
  readonly databases?: readonly string[];
  readonly now: Date;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** A backup that is complete. */
export interface Backup {
  readonly manifest: Manifest;
  /** SHA-256 of the manifest, which contains the digests of all files. */
  readonly digest: string;
}

/** Documents of one answer of the server. */
const batchSize = 2000;

/**
 * Writes a backup: one file for each collection, and the manifest last. If it fails, its files are removed;
 * after a crash, a folder without a manifest remains.
 * @throws DeploymentError if the folder is not empty, or the store cannot be read as of one time
 */
export async function backUp(options: BackupOptions): Promise<Backup> {
  const { client, folder, signal } = options;
  const names = await deploymentDatabases(client, options.databases);
  await claimEmpty(folder);
  const made: string[] = [draftOf(folder)];
  let snapshot: Snapshot | undefined;
  try {
    snapshot = await openSnapshot(client, names, signal);
    const databases: SavedDatabase[] = [];
    for (const [name, list] of snapshot.databases) {
      await mkdir(join(folder, name), { mode: 0o700 });
      made.push(join(folder, name));
      databases.push({ name, collections: await saveDatabase(options, snapshot, name, list) });
    }
    await assertStillThere(client, snapshot);
    const { version } = await client.db('admin').admin().serverInfo();
    const manifest: Manifest = {
      format: 'rhizome-backup',
      version: 1,
      createdAt: options.now.toISOString(),
      clusterTime: snapshot.at,
      mongodb: String(version),
      databases,
    };
    const text = manifestText(manifest);
    await writeManifest(folder, text);
    return { manifest, digest: digestOfManifest(text) };
  } catch (error) {
    for (const path of made) await rm(path, { recursive: true, force: true });
    throw explainRead(error);
  } finally {
    await snapshot?.session.endSession();
  }
}

const draftOf = (folder: string): string => join(folder, `${manifestFile}.new`);

/**
 * Creates the file that becomes the manifest, by which another backup into the folder is noticed.
 * @throws DeploymentError if the folder has files
 */
async function claimEmpty(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const notEmpty = new DeploymentError(`${folder} is not empty; a backup needs a new or empty folder`);
  if ((await readdir(folder)).length > 0) throw notEmpty;
  const draft = await open(draftOf(folder), 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? notEmpty : error;
  });
  await draft.close();
  // Another backup may have begun and ended after the folder was read.
  if ((await readdir(folder)).length === 1) return;
  await rm(draftOf(folder));
  throw notEmpty;
}

async function saveDatabase(
  options: BackupOptions,
  snapshot: Snapshot,
  database: string,
  list: readonly SnapshotCollection[],
): Promise<SavedCollection[]> {
  const saved: SavedCollection[] = [];
  for (const collection of list)
    saved.push(await saveCollection(options, snapshot.session, database, collection));
  return saved;
}

async function saveCollection(
  { client, folder, onProgress, signal }: BackupOptions,
  session: Snapshot['session'],
  database: string,
  { name, options, indexes }: SnapshotCollection,
): Promise<SavedCollection> {
  const collection = client.db(database).collection(name);
  const cursor = collection.find({}, { session, raw: true, batchSize });
  const file = `${database}/${name}.bson.gz`;
  try {
    const written = await writeDocuments(join(folder, file), cursor as unknown as AsyncIterable<Uint8Array>, {
      onWritten: (documents) => onProgress?.({ database, collection: name, documents }),
      ...(signal ? { signal } : {}),
    });
    onProgress?.({ database, collection: name, documents: written.documents });
    return {
      ...{ name, file, ...written },
      options: BSON.EJSON.serialize(options, { relaxed: false }),
      indexes: indexes.map((index) => BSON.EJSON.serialize(index, { relaxed: false })),
    };
  } finally {
    await cursor.close();
  }
}

/** Writes the manifest so that a reader never sees a part of it, also after a loss of power. */
async function writeManifest(folder: string, text: string): Promise<void> {
  const draft = await open(draftOf(folder), 'r+');
  try {
    await draft.writeFile(text);
    await draft.sync();
  } finally {
    await draft.close();
  }
  await rename(draftOf(folder), join(folder, manifestFile));
}
