import { isDuplicateKey } from '@rhizome/mongo';
import type { Collection } from 'mongodb';
import type { JobLogChunkDocument, JobLogHeadDocument } from './job-log.document.js';
import { isOnlyDuplicates } from '../../shared/duplicate-keys.repository.js';

/** State of the log of an attempt. */
export type LogHead = Pick<JobLogHeadDocument, 'next' | 'bytes'>;

/** Requested chunks of one attempt. */
export interface LogPieceRequest {
  readonly jobId: string;
  readonly attempt: number;
  /** First sequence number. */
  readonly from: number;
  readonly limit: number;
}

/** Maximum number of ranges per command. */
const piecesAtOnce = 50;

/** Captured output of jobs. */
export class JobLogsRepository {
  readonly #chunks: Collection<JobLogChunkDocument>;
  readonly #heads: Collection<JobLogHeadDocument>;

  constructor(chunks: Collection<JobLogChunkDocument>, heads: Collection<JobLogHeadDocument>) {
    this.#chunks = chunks;
    this.#heads = heads;
  }

  /** State of the log of an attempt; the initial state if there is none. */
  async head(jobId: string, attempt: number): Promise<LogHead> {
    const found = await this.#heads.findOne({ _id: headId(jobId, attempt) });
    return found ?? { next: 0, bytes: 0 };
  }

  /** Stores chunks. Stored chunks are not changed. */
  async insert(chunks: readonly JobLogChunkDocument[]): Promise<void> {
    try {
      await this.#chunks.insertMany([...chunks], { ordered: false, writeConcern: { w: 'majority' } });
    } catch (error) {
      if (!isOnlyDuplicates(error)) throw error;
    }
  }

  /** Advances the head from the state that was read. @returns false if another process has moved it */
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
        if (isDuplicateKey(error)) return false;
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
    const [found = []] = await this.chunksOf([{ jobId, attempt, from, limit }]);
    return found;
  }

  /**
   * Chunks of several attempts, each from its sequence number on, in the given order; one read per 50 ranges.
   */
  async chunksOf(pieces: readonly LogPieceRequest[]): Promise<readonly (readonly JobLogChunkDocument[])[]> {
    const found: (readonly JobLogChunkDocument[])[] = [];
    for (let start = 0; start < pieces.length; start += piecesAtOnce)
      found.push(...(await this.#together(pieces.slice(start, start + piecesAtOnce))));
    return found;
  }

  async #together(pieces: readonly LogPieceRequest[]): Promise<readonly (readonly JobLogChunkDocument[])[]> {
    const [first = [], ...others] = pieces.map(({ jobId, attempt, from, limit }) => {
      const range = { $gte: chunkId(jobId, attempt, from), $lt: `${headId(jobId, attempt)}/:` };
      return [{ $match: { _id: range } }, { $sort: { _id: 1 } }, { $limit: limit }];
    });
    const coll = this.#chunks.collectionName;
    const united = others.map((pipeline) => ({ $unionWith: { coll, pipeline } }));
    const all = await this.#chunks.aggregate<JobLogChunkDocument>([...first, ...united]).toArray();
    // Two ranges of one attempt would both contain the chunks of both; their pages cut them to the requested
    // range.
    return pieces.map(({ jobId, attempt, from, limit }) => {
      const known = new Map(
        all
          .filter((one) => one.jobId === jobId && one.attempt === attempt && one.sequence >= from)
          .map((one) => [one.sequence, one]),
      );
      return [...known.values()].sort((a, b) => a.sequence - b.sequence).slice(0, limit);
    });
  }
}

/** The id of a chunk. */
export function chunkId(jobId: string, attempt: number, sequence: number): string {
  return `${headId(jobId, attempt)}/${String(sequence).padStart(8, '0')}`;
}

function headId(jobId: string, attempt: number): string {
  return `${jobId}/${String(attempt).padStart(2, '0')}`;
}
