/** Reads of files whose copies are deleted, or may be. Their copies are written with all others. */
import { collection } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import { type DatasetFileDocument, datasetFilesCollection } from '../dataset-file.document.js';
import { conditionOf, type FileFilter } from '../dataset-files.repository.js';

/** Longest time of one read, in milliseconds. */
const longestMs = 10_000;
const pageIndex = 'datasetId_position_uq';

/** Part of the files of a dataset. */
export interface FilePart {
  readonly datasetId: string;
  /** Files after this position. */
  readonly after: number;
  readonly limit: number;
}

/** Files and their deletions. */
export class DeletionsRepository {
  readonly #files: Collection<DatasetFileDocument>;

  constructor(db: Db) {
    this.#files = collection(db, datasetFilesCollection);
  }

  /** Files with copies whose deletion is due, the earliest first. */
  due(now: Date, limit: number): Promise<readonly DatasetFileDocument[]> {
    const order = { sort: { deletionAt: 1 }, limit, hint: 'deletionAt_idx' } as const;
    return this.#files.find({ deletionAt: { $lte: now } }, order).toArray();
  }

  /**
   * Files that were added until a time, or that a filter selects, with an AVAILABLE copy, in order.
   * @throws MongoError if it took too long
   */
  candidates(
    { datasetId, after, limit }: FilePart,
    { addedUntil, filter = {} }: { readonly addedUntil?: Date; readonly filter?: FileFilter },
  ): Promise<readonly DatasetFileDocument[]> {
    return this.#files
      .find(
        {
          $and: [
            { position: { $gt: after }, 'replicas.state': 'AVAILABLE' },
            ...(addedUntil ? [{ createdAt: { $lte: addedUntil } }] : []),
            conditionOf(datasetId, filter),
          ],
        },
        { sort: { position: 1 }, limit, hint: pageIndex, maxTimeMS: longestMs },
      )
      .toArray();
  }

  /** Files of a dataset with copies that are being deleted, in order; only some names unless undefined. */
  beingDeleted(
    { datasetId, after, limit }: FilePart,
    filter: FileFilter = {},
  ): Promise<readonly DatasetFileDocument[]> {
    const isDeleted = { deletionAt: { $exists: true }, position: { $gt: after } };
    return this.#files
      .find(
        { $and: [isDeleted, conditionOf(datasetId, filter)] },
        { sort: { position: 1 }, limit, hint: 'datasetId_deletion_idx', maxTimeMS: longestMs },
      )
      .toArray();
  }
}
