/** Access to the collection of files of datasets. Files and the totals of their dataset change together. */
import { collection, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { ClientSession, Collection, Db, Filter } from 'mongodb';
import { type DatasetDocument, datasetsCollection, type DatasetState } from './dataset.document.js';
import {
  type DatasetFileDocument,
  datasetFileSchemaVersion,
  datasetFilesCollection,
  type FileFacts,
  fileIdOf,
  type ReplicaState,
  type StoredReplica,
} from './dataset-file.document.js';
import { firstDeletion } from './replicas.js';

/** A file to add. */
export interface NewFile extends FileFacts {
  readonly replicas: readonly StoredReplica[];
  /** Creation of the job whose output it is: a closed dataset takes outputs of earlier jobs only. */
  readonly jobCreatedAt?: Date;
}

/** Result of an addition. */
export interface Addition {
  /** The dataset after it; null if it is in none of the accepted states, or gone: nothing was added. */
  readonly dataset: DatasetDocument | null;
  /** Number of added files. */
  readonly added: number;
  /** Files with names of the addition that were there before. */
  readonly known: readonly DatasetFileDocument[];
  /** Outputs of jobs that were created after the dataset was closed: they were not added. */
  readonly late: readonly NewFile[];
  /** True if a total would no longer be exact: nothing was added. */
  readonly isTooLarge?: true;
}

/** Filter of the files of a dataset; absent fields do not filter. */
export interface FileFilter {
  readonly names?: readonly string[] | null | undefined;
  readonly namePrefix?: string | null | undefined;
  readonly keys?: readonly string[] | null | undefined;
  readonly jobIds?: readonly string[] | null | undefined;
  readonly replicaStates?: readonly ReplicaState[] | null | undefined;
}

/** A file as tasks divide them. */
export type ListedFile = Pick<DatasetFileDocument, 'position' | 'name' | 'sizeBytes' | 'events' | 'key'> & {
  readonly replicas: readonly Pick<StoredReplica, 'location'>[];
};

/** A file with a copy at a place. */
export type FileAt = Pick<DatasetFileDocument, '_id' | 'datasetId' | 'name' | 'replicas'>;

/** Files of a dataset from one position to another, both included. */
export interface Between {
  readonly from: number;
  readonly to: number;
  /** Only files with this key. */
  readonly key?: string;
}

/** Most files of one transaction. */
export const filesAtOnce = 1000;
const majority = { writeConcern: { w: 'majority' } } as const;
const transaction = { ...majority, readConcern: { level: 'snapshot' } } as const;
const pageIndex = 'datasetId_position_uq';
const keyIndex = 'datasetId_key_position_idx';
/** Largest total: numbers up to it are exact. */
const largestSum = Number.MAX_SAFE_INTEGER;
/** Longest time of a page of files, in milliseconds. */
const longestPageMs = 5000;

/** Stored files. */
export class DatasetFilesRepository {
  readonly #db: Db;
  readonly #datasets: Collection<DatasetDocument>;
  readonly #files: Collection<DatasetFileDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#datasets = collection(db, datasetsCollection);
    this.#files = collection(db, datasetFilesCollection);
  }

  /**
   * Adds files with different names, at most {@link filesAtOnce}; those whose names are there are left as
   * they are. The transaction writes the dataset, too, so additions to a dataset follow one another.
   * @param states in which the dataset takes files
   */
  add(
    datasetId: string,
    files: readonly NewFile[],
    states: readonly DatasetState[],
    now: Date,
  ): Promise<Addition> {
    return this.#db.client.withSession((session) =>
      session.withTransaction(() => this.#add(datasetId, files, states, { session, now }), transaction),
    );
  }

  async #add(
    datasetId: string,
    files: readonly NewFile[],
    states: readonly DatasetState[],
    { session, now }: { readonly session: ClientSession; readonly now: Date },
  ): Promise<Addition> {
    // Written first: a transaction that conflicts with another fails before it inserts files.
    const dataset = await this.#datasets.findOneAndUpdate(
      { _id: datasetId, state: { $in: [...states] } },
      { $inc: { revision: 1 } },
      { session, returnDocument: 'after' },
    );
    if (!dataset) return { dataset: null, added: 0, known: [], late: [] };
    const ids = files.map(({ name }) => fileIdOf(datasetId, name));
    const known = await this.#files.find({ _id: { $in: ids } }, { session }).toArray();
    const names = new Set(known.map(({ name }) => name));
    const unknown = files.filter(({ name }) => !names.has(name));
    const missing = unknown.filter((file) => !isLate(file, dataset));
    const late = unknown.filter((file) => isLate(file, dataset));
    if (missing.length === 0) return { dataset, added: 0, known, late };
    const { totals } = dataset;
    const bytes = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const events = missing.reduce((sum, { events: own = 0 }) => sum + own, 0);
    if (totals.bytes + bytes > largestSum || totals.events + events > largestSum)
      return { dataset, added: 0, known, late, isTooLarge: true };
    const documents = missing.map((file, at) => documentOf(datasetId, totals.files + at, file, now));
    await this.#files.insertMany(documents, { session });
    const changed = await this.#datasets.findOneAndUpdate(
      { _id: datasetId },
      {
        $inc: {
          'totals.files': missing.length,
          'totals.bytes': bytes,
          'totals.events': events,
        },
        $set: { updatedAt: now },
      },
      { session, returnDocument: 'after' },
    );
    return { dataset: changed, added: missing.length, known, late };
  }

  /** Files of a dataset by name, in no order. */
  named(datasetId: string, names: readonly string[]): Promise<readonly DatasetFileDocument[]> {
    const ids = names.map((name) => fileIdOf(datasetId, name));
    return this.#files.find({ _id: { $in: ids } }, { readConcern: 'majority' }).toArray();
  }

  /**
   * Files of a dataset at positions before `end`, in the order of their positions.
   * @param wanted with `byKey`, those with a key, in the order of keys, then positions
   */
  listed(
    datasetId: string,
    { byKey, end }: { readonly byKey: boolean; readonly end: number },
  ): AsyncIterable<ListedFile> {
    const before = { datasetId, position: { $lt: end } };
    const filter = byKey ? { ...before, key: { $exists: true } } : before;
    return this.#files.find<ListedFile>(filter, {
      projection: { _id: 0, position: 1, name: 1, sizeBytes: 1, events: 1, key: 1, 'replicas.location': 1 },
      sort: byKey ? { key: 1, position: 1 } : { position: 1 },
      hint: byKey ? keyIndex : pageIndex,
    });
  }

  /** Files of a dataset in a range of positions, in order. */
  between(datasetId: string, { from, to, key }: Between): Promise<readonly DatasetFileDocument[]> {
    const ofKey = key === undefined ? {} : { key };
    const filter = { datasetId, ...ofKey, position: { $gte: from, $lte: to } };
    const hint = key === undefined ? pageIndex : keyIndex;
    return this.#files.find(filter, { sort: { position: 1 }, hint }).toArray();
  }

  /** Sets the replicas of a file. @returns false if the file was written since it was read */
  async setReplicas(
    { _id, revision }: Pick<DatasetFileDocument, '_id' | 'revision'>,
    replicas: readonly StoredReplica[],
    now: Date,
  ): Promise<boolean> {
    const deletionAt = firstDeletion(replicas);
    const { matchedCount } = await this.#files.updateOne(
      { _id, revision },
      {
        $set: { replicas, updatedAt: now, ...(deletionAt ? { deletionAt } : {}) },
        ...(deletionAt ? {} : { $unset: { deletionAt: 1 as const } }),
        $inc: { revision: 1 },
      },
      majority,
    );
    return matchedCount === 1;
  }

  /** Files with a copy at one of the locations, in no order. */
  async at(locations: readonly string[]): Promise<readonly FileAt[]> {
    const found: FileAt[] = [];
    for (let start = 0; start < locations.length; start += filesAtOnce) {
      const some = locations.slice(start, start + filesAtOnce);
      const filter = { 'replicas.location': { $in: [...some] } };
      const projection = { datasetId: 1, name: 1, replicas: 1 } as const;
      const options = { projection, hint: 'replicas_location_idx', readConcern: 'majority' } as const;
      found.push(...(await this.#files.find<FileAt>(filter, options).toArray()));
    }
    return found;
  }

  /**
   * Deletes records of a dataset that is being removed, at most `limit`. Those of files whose copies are
   * being deleted are kept until the deletion has ended. @returns their number
   */
  async drop(datasetId: string, limit: number): Promise<number> {
    const filter = { datasetId, deletionAt: { $exists: false } };
    const found = await this.#files
      .find(filter, { projection: { _id: 1 }, sort: { position: 1 }, limit, hint: pageIndex })
      .toArray();
    if (found.length === 0) return 0;
    // Not those whose deletion was asked for meanwhile.
    const dropped = { _id: { $in: found.map(({ _id }) => _id) }, deletionAt: { $exists: false } };
    await this.#files.deleteMany(dropped, majority);
    return found.length;
  }

  /** True if a dataset has files. */
  async hasFiles(datasetId: string): Promise<boolean> {
    return (await this.#files.findOne({ datasetId }, { projection: { _id: 1 }, hint: pageIndex })) !== null;
  }

  /** A page of the files of a dataset, in the order in which they were added. @throws DomainError */
  page(
    datasetId: string,
    wanted: FileFilter,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<DatasetFileDocument>> {
    return keysetPage({
      collection: this.#files,
      filter: conditionOf(datasetId, wanted),
      order: [{ field: 'position', direction: 1 }],
      maxTimeMs: longestPageMs,
      ...page,
    });
  }
}

/** True for an output of a job that was created after the dataset was closed. */
function isLate({ jobCreatedAt }: NewFile, { state, closedAt }: DatasetDocument): boolean {
  return state === 'CLOSED' && !!jobCreatedAt && !!closedAt && jobCreatedAt > closedAt;
}

function documentOf(
  datasetId: string,
  position: number,
  { name, sizeBytes, digest, events, key, metadata, jobId, replicas }: NewFile,
  now: Date,
): DatasetFileDocument {
  return {
    _id: fileIdOf(datasetId, name),
    schemaVersion: datasetFileSchemaVersion,
    revision: 1,
    createdAt: now,
    updatedAt: now,
    datasetId,
    position,
    name,
    sizeBytes,
    ...(digest === undefined ? {} : { digest }),
    ...(events === undefined ? {} : { events }),
    ...(key === undefined ? {} : { key }),
    metadata,
    ...(jobId === undefined ? {} : { jobId }),
    replicas,
  };
}

/** Condition on the files of a dataset. */
export function conditionOf(
  datasetId: string,
  { names, namePrefix, keys, jobIds, replicaStates }: FileFilter,
): Filter<DatasetFileDocument> {
  const prefix = namePrefix == null || namePrefix === '' ? null : fileIdOf(datasetId, namePrefix);
  return {
    $and: [
      { datasetId },
      ...(names ? [{ _id: { $in: names.map((name) => fileIdOf(datasetId, name)) } }] : []),
      ...(prefix === null ? [] : [{ _id: { $gte: prefix, $lt: `${prefix}\u{10FFFF}` } }]),
      ...(keys ? [{ key: { $in: [...keys] } }] : []),
      ...(jobIds ? [{ jobId: { $in: [...jobIds] } }] : []),
      ...(replicaStates ? [{ 'replicas.state': { $in: [...replicaStates] } }] : []),
    ],
  } as Filter<DatasetFileDocument>;
}
