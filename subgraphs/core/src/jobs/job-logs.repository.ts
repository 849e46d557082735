import { MongoServerError, type Collection } from 'mongodb';
import { isOnlyDuplicates } from './classes.repository.js';
import type { JobLogChunkDocument, JobLogHeadDocument } from './job-log.document.js';

const duplicateKey = 11_000;

/** How far the log of an attempt has come. */
export type LogHead = Pick<JobLogHeadDocument, 'next' | 'bytes'>;

/** Captured output of jobs. */
export class JobLogsRepository {
  readonly #chunks: Collection<JobLogChunkDocument>;
  readonly #heads: Collection<JobLogHeadDocument>;

  constructor(chunks: Collection<JobLogChunkDocument>, heads: Collection<JobLogHeadDocument>) {
    this.#chunks = chunks;
    this.#heads = heads;
  }

  /** How far the log of an attempt has come; the beginning where there is none. */
  async head(jobId: string, attempt: number): Promise<LogHead> {
    const found = await this.#heads.findOne({ _id: headId(jobId, attempt) });
    return found ?? { next: 0, bytes: 0 };
  }

  /** Stores chunks; those that are there already are left as they are. */
  async insert(chunks: readonly JobLogChunkDocument[]): Promise<void> {
    try {
      await this.#chunks.insertMany([...chunks], { ordered: false, writeConcern: { w: 'majority' } });
    } catch (error) {
      if (!isOnlyDuplicates(error)) throw error;
    }
  }

  /** Moves the head on from where it was read; false when somebody else has moved it. */
  async move(jobId: string, attempt: number, from: LogHead, to: LogHead): Promise<boolean> {
    const _id = headId(jobId, attempt);
    if (from.next === 0) {
      try {
        await this.#heads.insertOne(
          { _id, schemaVersion: 1, revision: 1, ...to },
          { writeConcern: { w: 'majority' } },
        );
        return true;
      } catch (error) {
        if (error instanceof MongoServerError && error.code === duplicateKey) return false;
        throw error;
      }
    }
    const update = { $set: { next: to.next, bytes: to.bytes }, $inc: { revision: 1 } };
    const { modifiedCount } = await this.#heads.updateOne({ _id, next: from.next }, update, {
      writeConcern: { w: 'majority' },
    });
    return modifiedCount === 1;
  }

  /** Chunks from a sequence number on, in order. */
  async chunks(
    jobId: string,
    attempt: number,
    from: number,
    limit: number,
  ): Promise<readonly JobLogChunkDocument[]> {
    const range = { $gte: chunkId(jobId, attempt, from), $lt: `${headId(jobId, attempt)}/:` };
    return this.#chunks.find({ _id: range }, { sort: { _id: 1 }, limit }).toArray();
  }
}

/** The id of a chunk. */
export function chunkId(jobId: string, attempt: number, sequence: number): string {
  return `${headId(jobId, attempt)}/${String(sequence).padStart(8, '0')}`;
}

function headId(jobId: string, attempt: number): string {
  return `${jobId}/${String(attempt).padStart(2, '0')}`;
}
