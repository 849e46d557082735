/**
 * Restore of a backup. All databases carry a mark from the first write until all of them are complete, and
 * services do not start on a database with a mark. A restore that ended early is continued by running it
 * again.
 */
import { join } from 'node:path';
import { restoreMarks } from '@rhizome/mongo';
import { BSON, type Db, type Document, type IndexDescription, type MongoClient } from 'mongodb';
import { DeploymentError } from '../deployment-error.js';
import type { Progress } from './backup.js';
import { digestOfFile, readDocuments } from './document-file.js';
import { readManifest, type SavedCollection } from './manifest.js';
import { RestoreClaim } from './restore-claim.js';
import { assertNotLed, planTargets, type RestoreSelection, type RestoreTarget } from './restore-target.js';

/** Options of {@link restore}. */
export interface RestoreOptions extends RestoreSelection {
  readonly client: MongoClient;
  /** Folder of the backup. */
  readonly folder: string;
  /** SHA-256 that the manifest must have: that which the backup printed. */
  readonly digest?: string | undefined;
  /** Only verifies the files and plans. */
  readonly dryRun: boolean;
  readonly now: Date;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

/** A database that was restored, or would be. */
export interface RestoredDatabase {
  readonly name: string;
  readonly target: string;
  readonly collections: number;
  readonly documents: number;
  readonly isReplaced: boolean;
  /** An earlier run of this restore had begun. */
  readonly isContinued: boolean;
}

/** Documents, and bytes, that are inserted together. */
const batch = { documents: 1000, bytes: 8 * 1024 * 1024 };
const majority = { writeConcern: { w: 'majority' } } as const;
/** Reads BSON so that it is written back unchanged: numbers keep their type. */
const faithful = {
  promoteValues: false,
  promoteLongs: false,
  promoteBuffers: false,
  bsonRegExp: true,
} as const;

/**
 * Restores the databases of a backup. All files are verified before the first write.
 * @throws DeploymentError if a file is damaged, or a database may not be written
 */
export async function restore(options: RestoreOptions): Promise<readonly RestoredDatabase[]> {
  const { client, folder, dryRun, signal } = options;
  const backup = await readManifest(folder);
  if (options.digest !== undefined && options.digest.toLowerCase() !== backup.digest)
    throw new DeploymentError(
      `The manifest of ${folder} has the SHA-256 ${backup.digest}, must have ${options.digest}: it is that of another backup, or was changed`,
    );
  const targets = await planTargets(client, backup, options);
  await verifyFiles(folder, targets, signal);
  if (!dryRun) await write(options, targets, backup.digest);
  return targets.map(({ saved, db, mark, isReplaced, isComplete }) => ({
    name: saved.name,
    target: db.databaseName,
    collections: saved.collections.length,
    documents: saved.collections.reduce((sum, { documents }) => sum + documents, 0),
    isReplaced,
    isContinued: mark !== null || isComplete,
  }));
}

/** @throws DeploymentError if a file is missing or not the one that was written */
async function verifyFiles(
  folder: string,
  targets: readonly RestoreTarget[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const { saved } of targets)
    for (const { file, sha256 } of saved.collections) {
      signal?.throwIfAborted();
      const path = join(folder, file);
      const found = await digestOfFile(path).catch((error: NodeJS.ErrnoException) => {
        throw new DeploymentError(`${path} cannot be read: ${error.code ?? error.message}`);
      });
      if (found !== sha256)
        throw new DeploymentError(`${path} is damaged: its SHA-256 is ${found}, must be ${sha256}`);
    }
}

/** Writes all databases but those that an earlier run has completed. */
async function write(
  options: RestoreOptions,
  targets: readonly RestoreTarget[],
  manifest: string,
): Promise<void> {
  const claim = new RestoreClaim();
  const { signal, now: startedAt, prefix } = options;
  const either = { ...options, signal: signal ? AbortSignal.any([signal, claim.lost]) : claim.lost };
  const open = targets.filter(({ isComplete }) => !isComplete);
  try {
    const done = await claim.take(open, { manifest, startedAt, isCopy: prefix !== '' });
    // A core that has started since the plan was made does not know of the mark.
    for (const { db, mark } of open) if (mark === null || mark.replaces !== undefined) await assertNotLed(db);
    await claim.begin();
    for (const { db, saved } of open)
      await restoreDatabase(either, claim, { db, saved, done: new Set(done.get(db.databaseName)) });
    await claim.complete();
  } finally {
    await claim.release();
  }
}

/** Drops all collections but the mark and those that are complete. */
async function dropOthers(db: Db, done: ReadonlySet<string>): Promise<void> {
  const mark = restoreMarks(db).collectionName;
  for (const { name } of await db.listCollections({}, { nameOnly: true }).toArray())
    if (name !== mark && !done.has(name) && !name.startsWith('system.')) await db.collection(name).drop();
}

async function restoreDatabase(
  options: RestoreOptions,
  claim: RestoreClaim,
  { db, saved, done }: Pick<RestoreTarget, 'db' | 'saved'> & { readonly done: ReadonlySet<string> },
): Promise<void> {
  await dropOthers(db, done);
  for (const collection of saved.collections) {
    if (done.has(collection.name)) continue;
    options.signal?.throwIfAborted();
    await restoreCollection(options, db, collection);
    await claim.update(db, { $addToSet: { done: collection.name } });
  }
}

async function restoreCollection(
  { folder, onProgress, signal }: RestoreOptions,
  db: Db,
  { name, file, documents, options, indexes }: SavedCollection,
): Promise<void> {
  await db.createCollection(name, BSON.EJSON.deserialize(options) as Document);
  const declared = indexes.map((index) => BSON.EJSON.deserialize(index) as unknown as IndexDescription);
  if (declared.length > 0) await db.collection(name).createIndexes(declared);
  let inserted = 0;
  for await (const some of batches(readDocuments(join(folder, file)))) {
    signal?.throwIfAborted();
    await insert(db, name, some);
    inserted += some.length;
    onProgress?.({ database: db.databaseName, collection: name, documents: inserted });
  }
  if (inserted !== documents)
    throw new DeploymentError(`${file} has ${inserted} documents, must have ${documents}`);
  // MongoDB itself removes documents of a collection in which they expire.
  if (declared.some(({ expireAfterSeconds }) => expireAfterSeconds !== undefined)) return;
  const stored = await db.collection(name).countDocuments({}, { readConcern: 'majority' });
  if (stored !== documents)
    throw new DeploymentError(
      `Collection ${db.databaseName}.${name} has ${stored} documents, must have ${documents}; stop all services and run the restore again`,
    );
}

async function insert(db: Db, name: string, documents: readonly Buffer[]): Promise<void> {
  const values = documents.map((one) => BSON.deserialize(one, faithful));
  await db.collection(name).insertMany(values, {
    ordered: false,
    bypassDocumentValidation: true,
    ignoreUndefined: false,
    // Documents that only a primary has are lost with it, also if a later write reaches the majority.
    ...majority,
  });
}

async function* batches(documents: AsyncIterable<Buffer>): AsyncGenerator<readonly Buffer[]> {
  let some: Buffer[] = [];
  let bytes = 0;
  for await (const one of documents) {
    some.push(one);
    bytes += one.length;
    if (some.length < batch.documents && bytes < batch.bytes) continue;
    yield some;
    [some, bytes] = [[], 0];
  }
  if (some.length > 0) yield some;
}
