import type { Collection, Document } from 'mongodb';
import type { JobLogChunkDocument, JobLogHeadDocument } from './job-log.document.js';
import { insertAbsent, insertUnlessTaken } from '../../shared/duplicate-keys.repository.js';

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

/** Most chunks that the end of a log is read from. */
const tailChunks = 32;
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
  insert(chunks: readonly JobLogChunkDocument[]): Promise<void> {
    return insertAbsent(this.#chunks, chunks);
  }

  /** Advances the head from the state that was read. @returns false if another process has moved it */
  async move(jobId: string, attempt: number, from: LogHead, to: LogHead): Promise<boolean> {
    const _id = headId(jobId, attempt);
    if (from.next === 0) return insertUnlessTaken(this.#heads, { _id, schemaVersion: 1, revision: 1, ...to });
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

  /**
   * The ends of the logs of attempts, in order; null for an empty one. Text that was appended by an
   * interrupted call may be part of it.
   */
  async tails(
    attempts: readonly { readonly jobId: string; readonly attempt: number }[],
    characters: number,
  ): Promise<readonly (string | null)[]> {
    const found: (string | null)[] = [];
    for (let start = 0; start < attempts.length; start += piecesAtOnce)
      found.push(...(await this.#tails(attempts.slice(start, start + piecesAtOnce), characters)));
    return found;
  }

  async #tails(
    attempts: readonly { readonly jobId: string; readonly attempt: number }[],
    characters: number,
  ): Promise<readonly (string | null)[]> {
    const length = { $strLenCP: '$text' };
    const end = { $substrCP: ['$text', { $max: [0, { $subtract: [length, characters] }] }, characters] };
    const pipelines = attempts.map(({ jobId, attempt }) => [
      { $match: { _id: { $gte: `${headId(jobId, attempt)}/`, $lt: `${headId(jobId, attempt)}/:` } } },
      { $sort: { _id: -1 as const } },
      { $limit: tailChunks },
      { $project: { jobId: 1, attempt: 1, sequence: 1, text: end } },
    ]);
    const all = await this.#united(pipelines);
    return attempts.map(({ jobId, attempt }) => {
      const own = all.filter((one) => one.jobId === jobId && one.attempt === attempt);
      if (own.length === 0) return null;
      const text = own.sort((a, b) => a.sequence - b.sequence).map((one) => one.text);
      return text.join('').slice(-characters);
    });
  }

  async #together(pieces: readonly LogPieceRequest[]): Promise<readonly (readonly JobLogChunkDocument[])[]> {
    const pipelines = pieces.map(({ jobId, attempt, from, limit }) => {
      const range = { $gte: chunkId(jobId, attempt, from), $lt: `${headId(jobId, attempt)}/:` };
      return [{ $match: { _id: range } }, { $sort: { _id: 1 } }, { $limit: limit }];
    });
    const all = await this.#united(pipelines);
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

  /** Results of all pipelines, in one command. */
  #united([first = [], ...others]: readonly (readonly Document[])[]): Promise<JobLogChunkDocument[]> {
    const coll = this.#chunks.collectionName;
    const united = others.map((pipeline) => ({ $unionWith: { coll, pipeline: [...pipeline] } }));
    return this.#chunks.aggregate<JobLogChunkDocument>([...first, ...united]).toArray();
  }
}

/** The id of a chunk. */
export function chunkId(jobId: string, attempt: number, sequence: number): string {
  return `${headId(jobId, attempt)}/${String(sequence).padStart(8, '0')}`;
}

function headId(jobId: string, attempt: number): string {
  return `${jobId}/${String(attempt).padStart(2, '0')}`;
}
