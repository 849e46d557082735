import type { AnyBulkWriteOperation, Collection, Document } from 'mongodb';
import { insertAbsent, isOnlyDuplicates } from '../../shared/duplicate-keys.repository.js';
import {
  jobProgressVersion,
  type JobProgressDocument,
  type StoredCheckpoint,
} from './job-progress.document.js';

/** Progress that the holder of a fence reported. */
export interface ProgressReport {
  readonly jobId: string;
  readonly fence: number;
  readonly attempt: number;
  readonly step?: number;
  readonly fraction?: number;
  readonly at: Date;
}

/** All checkpoints that the holder of a fence keeps, newest first. */
export interface CheckpointReport {
  readonly jobId: string;
  readonly fence: number;
  readonly checkpoints: readonly StoredCheckpoint[];
}

/** Reads and writes progress and checkpoints of jobs. */
export class JobProgressRepository {
  readonly #progress: Collection<JobProgressDocument>;

  constructor(progress: Collection<JobProgressDocument>) {
    this.#progress = progress;
  }

  /** Stores the latest progress of jobs. A report with a lower fence than an earlier one is ignored. */
  async saveProgress(reports: readonly ProgressReport[], now: Date): Promise<void> {
    const changes = reports.map(({ jobId, fence, ...progress }) => {
      const { attempt, fraction, at } = progress;
      const isSame = { $eq: ['$progress.attempt', attempt] };
      const begin = fraction === undefined ? '$$REMOVE' : { $literal: { fraction, at } };
      const first = { $cond: [isSame, { $ifNull: ['$progress.first', begin] }, begin] };
      return { jobId, fence, set: { progress: { $mergeObjects: [{ $literal: progress }, { first }] } } };
    });
    await this.#save(changes, now, { w: 1 });
  }

  /** Replaces the checkpoints of jobs. */
  async saveCheckpoints(reports: readonly CheckpointReport[], now: Date): Promise<void> {
    const changes = reports.map(({ jobId, fence, checkpoints }) => ({
      jobId,
      fence,
      set: { checkpoints: { $literal: checkpoints } },
    }));
    await this.#save(changes, now, { w: 'majority' });
  }

  /** Progress of jobs, in no order; jobs without any are left out. */
  async findMany(jobIds: readonly string[]): Promise<readonly JobProgressDocument[]> {
    return this.#progress.find({ _id: { $in: [...jobIds] } }).toArray();
  }

  /** Latest checkpoints of jobs, by job; jobs without any are left out. */
  async latestCheckpoints(jobIds: readonly string[]): Promise<ReadonlyMap<string, StoredCheckpoint>> {
    const found = await this.#progress
      .find({ _id: { $in: [...jobIds] } }, { readConcern: { level: 'majority' } })
      .project<Pick<JobProgressDocument, '_id' | 'checkpoints'>>({ fence: 1, checkpoints: { $slice: 1 } })
      .toArray();
    return new Map(
      found.flatMap(({ _id, checkpoints: [latest] = [] }) => (latest ? [[_id, latest] as const] : [])),
    );
  }

  /** Stores documents of new jobs. Those that an earlier try has stored stay as they are. */
  async insertNew(documents: readonly JobProgressDocument[]): Promise<void> {
    if (documents.length > 0) await insertAbsent(this.#progress, documents);
  }

  async #save(
    changes: readonly { readonly jobId: string; readonly fence: number; readonly set: Document }[],
    now: Date,
    writeConcern: { readonly w: 1 | 'majority' },
  ): Promise<void> {
    const operations = changes.map(({ jobId, fence, set }) => {
      const revision = { $add: [{ $ifNull: ['$revision', 0] }, 1] };
      const common = { schemaVersion: jobProgressVersion, revision, updatedAt: now, fence };
      return { filter: { _id: jobId, fence: { $lte: fence } }, update: [{ $set: { ...common, ...set } }] };
    });
    const write = async (upsert: boolean): Promise<void> => {
      const updates = operations.map((one): AnyBulkWriteOperation<JobProgressDocument> => ({
        updateOne: { ...one, upsert },
      }));
      await this.#progress.bulkWrite(updates, { ordered: false, writeConcern });
    };
    try {
      await write(true);
    } catch (error) {
      if (!isOnlyDuplicates(error)) throw error;
      // Another process has made the document meanwhile, or its fence is higher; then nothing is changed.
      await write(false);
    }
  }
}
