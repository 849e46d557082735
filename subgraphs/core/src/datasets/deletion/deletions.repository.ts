/** Reads of files whose copies are deleted, or may be. Their copies are written with all others. */
import { collection } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import { type DatasetFileDocument, datasetFilesCollection } from '../dataset-file.document.js';
import { conditionOf, type FileFilter } from '../dataset-files.repository.js';

/** Longest time of one read, in milliseconds. */
const longestMs = 10_000;
const pageIndex = 'datasetId_position_uq';
/** Most files that one read looks at: those whose copies are all deleted are passed over. */
const lookedAtOnce = 20_000;

/** Part of the files of a dataset. */
export interface FilePart {
  readonly datasetId: string;
  /** Files after this position. */
  readonly after: number;
  readonly limit: number;
}

/** Files with copies that may be deleted. */
export interface Candidates {
  readonly files: readonly DatasetFileDocument[];
  /** Position after which there may be more; undefined at the end. */
  readonly next: number | undefined;
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
   * Files that were added until a time, or that a filter selects, with an AVAILABLE copy, in order; may be
   * none although there are more. @param end number of files of the dataset
   * @throws MongoError if it took too long
   */
  async candidates(
    { datasetId, after, limit }: FilePart,
    end: number,
    { addedUntil, filter = {} }: { readonly addedUntil?: Date; readonly filter?: FileFilter },
  ): Promise<Candidates> {
    const isNamed = filter.names != null;
    const last = isNamed ? end - 1 : Math.min(end - 1, after + lookedAtOnce);
    const files = await this.#files
      .find(
        {
          $and: [
            { position: { $gt: after, $lte: last }, 'replicas.state': 'AVAILABLE' },
            ...(addedUntil ? [{ createdAt: { $lte: addedUntil } }] : []),
            conditionOf(datasetId, filter),
          ],
        },
        { sort: { position: 1 }, limit, hint: isNamed ? '_id_' : pageIndex, maxTimeMS: longestMs },
      )
      .toArray();
    const reached = files.length === limit ? files.at(-1)?.position : last;
    return { files, next: reached !== undefined && reached < end - 1 ? reached : undefined };
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
