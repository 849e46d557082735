import { badInput, DomainError } from '@rhizome/errors';
import { decodeCursor, encodeCursor, orderSignature } from '@rhizome/mongo';
import {
  chunkId,
  type JobLogsRepository,
  type LogHead,
  type LogPieceRequest,
} from './job-logs.repository.js';
import type { LogStreamName } from './job-log.document.js';
import { isTerminal } from '../model/job-state.js';
import type { JobDocument } from '../model/job.types.js';

/** Piece of captured output as a worker sends it. */
export interface LogChunk {
  /** Position in the attempt, from 0, without gaps. */
  readonly sequence: number;
  readonly stream: LogStreamName;
  readonly text: string;
  readonly at: Date;
}

/** Result of an append. */
export type AppendOutcome =
  | { readonly nextSequence: number }
  | {
      readonly refusal: 'INVALID_VALUE' | 'LOG_TOO_LARGE';
      readonly path: readonly string[];
      readonly message: string;
    };

/** Page of a log. */
export interface LogPage {
  readonly chunks: readonly (LogChunk & { readonly cursor: string })[];
  /** Position to continue from; present for an empty log, too. */
  readonly endCursor: string;
  readonly hasNextPage: boolean;
  readonly isComplete: boolean;
}

/** Position in the log of a job: after this chunk of the attempt; -1 before the first. */
export interface LogPosition {
  readonly attempt: number;
  readonly sequence: number;
}

/** Consecutive chunks after a position, and the position after them. */
export interface LogPiece {
  readonly chunks: readonly (LogChunk & { readonly cursor: string })[];
  readonly position: LogPosition;
  readonly hasMore: boolean;
  /** True if the position is already past the end: its reader was informed of the end before. */
  readonly isPast: boolean;
}

/** State of a job that its log depends on. */
export type LoggedJob = Pick<JobDocument, '_id' | 'state' | 'attempt' | 'attempts'>;

/** Requested page of a log. */
export interface LogPageRequest {
  readonly attempt?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly first: number;
}

/** Options of {@link JobLogs}. */
export interface JobLogsOptions {
  readonly logs: JobLogsRepository;
  /** Maximum size of the log of one attempt, in bytes; defaults to 64 MiB. */
  readonly maxBytes?: number;
}

const maxChunks = 100;
const maxChunkBytes = 65_536;
const maxPage = 1000;
const signature = orderSignature('job log');

/** Captured output of attempts: appended exactly once by sequence number, read in pages. */
export class JobLogs {
  readonly #logs: JobLogsRepository;
  readonly #maxBytes: number;

  constructor({ logs, maxBytes = 64 * 1024 * 1024 }: JobLogsOptions) {
    this.#logs = logs;
    this.#maxBytes = maxBytes;
  }

  /**
   * Appends chunks and skips those that are stored. The caller must have checked that the worker holds the
   * attempt.
   */
  async append(jobId: string, attempt: number, chunks: readonly LogChunk[]): Promise<AppendOutcome> {
    const error = checkChunks(chunks);
    if (error) return error;
    for (;;) {
      const head = await this.#logs.head(jobId, attempt);
      const fresh = chunks.filter(({ sequence }) => sequence >= head.next);
      const [first] = fresh;
      if (!first) return { nextSequence: head.next };
      if (first.sequence !== head.next)
        return invalid(
          ['chunks', '0', 'sequence'],
          first.sequence,
          `${head.next}, the next sequence number of attempt ${attempt}`,
        );
      const to: LogHead = {
        next: head.next + fresh.length,
        bytes: head.bytes + fresh.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0),
      };
      if (to.bytes > this.#maxBytes) return this.#tooLarge(to.bytes);
      // Chunks are written first: a head never refers to chunks that are not stored. Chunks of an interrupted
      // call stay as they are.
      await this.#logs.insert(
        fresh.map((chunk) => ({
          _id: chunkId(jobId, attempt, chunk.sequence),
          schemaVersion: 1,
          revision: 1,
          jobId,
          attempt,
          ...chunk,
        })),
      );
      if (await this.#logs.move(jobId, attempt, head, to)) return { nextSequence: to.next };
    }
  }

  /**
   * Page of the log of an attempt: by default that of the cursor; without a cursor the latest attempt.
   * @throws DomainError BAD_USER_INPUT, CURSOR_INVALID
   */
  async page(job: LoggedJob, request: LogPageRequest): Promise<LogPage> {
    const [page] = await this.pages([{ job, request }]);
    if (page === undefined || page instanceof Error) throw page ?? new Error('a page of a log was not read');
    return page;
  }

  /** Several pages in the given order, in one read. An invalid request yields an error as its own entry. */
  async pages(
    wanted: readonly { readonly job: LoggedJob; readonly request: LogPageRequest }[],
  ): Promise<readonly (LogPage | Error)[]> {
    const plans = wanted.map(({ job, request }) => planOf(job, request));
    const pieces = plans.flatMap((plan) => (plan instanceof Error || plan.attempt === 0 ? [] : [plan]));
    const found = await this.#logs.chunksOf(pieces);
    const chunksOf = new Map(pieces.map((plan, at) => [plan, found[at] ?? []]));
    return plans.map((plan) => (plan instanceof Error ? plan : pageOf(plan, chunksOf.get(plan) ?? [])));
  }

  /** The ends of the logs of attempts, in order; null for an empty one. */
  tails(
    attempts: readonly { readonly jobId: string; readonly attempt: number }[],
    characters: number,
  ): Promise<readonly (string | null)[]> {
    return this.#logs.tails(attempts, characters);
  }

  /** Current end of the log of an attempt. */
  async end(jobId: string, attempt: number): Promise<LogPosition> {
    const { next } = await this.#logs.head(jobId, attempt);
    return { attempt, sequence: next - 1 };
  }

  /**
   * At most `limit` chunks after a position in the log of its attempt. Never returns chunks beyond the head.
   */
  async after(jobId: string, { attempt, sequence }: LogPosition, limit: number): Promise<LogPiece> {
    const { next } = await this.#logs.head(jobId, attempt);
    const from = sequence + 1;
    const found = from >= next ? [] : await this.#logs.chunks(jobId, attempt, from, limit);
    const chunks = found
      .filter((chunk, at) => chunk.sequence === from + at && chunk.sequence < next)
      .map(({ sequence: own, stream, text, at }) => ({
        sequence: own,
        stream,
        text,
        at,
        cursor: logCursor(jobId, { attempt, sequence: own }),
      }));
    const last = chunks.at(-1)?.sequence ?? sequence;
    return {
      chunks,
      position: { attempt, sequence: last },
      hasMore: last + 1 < next,
      isPast: sequence >= next,
    };
  }

  #tooLarge(bytes: number): AppendOutcome {
    const message = `chunks: the log of the attempt would have ${bytes} bytes; at most ${this.#maxBytes} are kept`;
    return { refusal: 'LOG_TOO_LARGE', path: ['chunks'], message };
  }
}

/** Values that a page is read from. */
interface LogPagePlan extends LogPieceRequest {
  readonly job: LoggedJob;
  readonly first: number;
  readonly after: string | null | undefined;
}

/** Values that a page is read from, or the error of an invalid request. */
function planOf(job: LoggedJob, { attempt: wanted, first, after }: LogPageRequest): LogPagePlan | Error {
  const asked = wanted ?? undefined;
  if (!Number.isInteger(first) || first < 1 || first > maxPage)
    return badInput('first', first, `1 to ${maxPage}`);
  if (asked !== undefined && (!Number.isInteger(asked) || asked < 0))
    return badInput('attempt', asked, 'an attempt number, at least 1');
  try {
    const position = after == null ? undefined : logPosition(job, after, asked);
    // A position before the first attempt continues with that attempt as soon as it exists.
    const attempt = position ? Math.max(position.attempt, Math.min(1, job.attempt)) : (asked ?? job.attempt);
    const from = position === undefined ? 0 : position.sequence + 1;
    return { job, jobId: job._id, attempt, from, limit: first + 1, first, after };
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

function pageOf(
  { job, attempt, first, after }: LogPagePlan,
  found: readonly (LogChunk & { readonly sequence: number })[],
): LogPage {
  const chunks = found.slice(0, first).map(({ sequence, stream, text, at }) => ({
    sequence,
    stream,
    text,
    at,
    cursor: logCursor(job._id, { attempt, sequence }),
  }));
  const hasNextPage = found.length > first;
  return {
    chunks,
    endCursor: chunks.at(-1)?.cursor ?? after ?? logCursor(job._id, { attempt, sequence: -1 }),
    hasNextPage,
    isComplete: !hasNextPage && hasEnded(job, attempt),
  };
}

/** Returns true if nothing can be added to the log of the attempt. */
function hasEnded(
  { state, attempt: latest, attempts }: Pick<JobDocument, 'state' | 'attempt' | 'attempts'>,
  attempt: number,
): boolean {
  if (isTerminal(state) || attempt < latest) return true;
  return attempts.some(({ number, endedAt }) => number === attempt && endedAt !== undefined);
}

/** Cursor of a position. It contains the job id: with the log of another job it would skip output. */
export function logCursor(jobId: string, { attempt, sequence }: LogPosition): string {
  return encodeCursor(signature, [attempt, sequence, jobId]);
}

/**
 * Attempt and chunk of a cursor. The attempt must be the requested one or, if none is requested, one that the
 * job has had or may have next.
 * @throws DomainError CURSOR_INVALID
 */
export function logPosition(
  { _id, attempt: latest }: Pick<LoggedJob, '_id' | 'attempt'>,
  after: string,
  asked?: number,
): LogPosition {
  const [attempt, sequence, jobId] = decodeCursor(after, signature, 3);
  const isOfLog =
    jobId === _id &&
    typeof attempt === 'number' &&
    (asked === undefined ? attempt >= 0 && attempt <= latest : attempt === asked);
  if (isOfLog && typeof sequence === 'number' && Number.isInteger(attempt) && Number.isInteger(sequence))
    return { attempt, sequence };
  const log = asked === undefined ? 'the log of this job' : `the log of attempt ${asked}`;
  throw new DomainError('CURSOR_INVALID', `after: ${JSON.stringify(after)} is not a cursor of ${log}`, {
    field: 'after',
    value: after,
    expected: `a cursor of ${log}, or none`,
  });
}

function checkChunks(chunks: readonly LogChunk[]): AppendOutcome | undefined {
  if (chunks.length < 1 || chunks.length > maxChunks)
    return invalid(['chunks'], `${chunks.length} chunks`, `1 to ${maxChunks} chunks`);
  for (const [position, { sequence, text }] of chunks.entries()) {
    const path = ['chunks', String(position)];
    const before = chunks[position - 1]?.sequence;
    if (!Number.isInteger(sequence) || sequence < 0 || sequence > 99_999_999)
      return invalid([...path, 'sequence'], sequence, 'a whole number from 0 to 99999999');
    if (before !== undefined && sequence !== before + 1)
      return invalid([...path, 'sequence'], sequence, `${before + 1}: chunks follow each other without gaps`);
    if (Buffer.byteLength(text) > maxChunkBytes)
      return invalid([...path, 'text'], `${Buffer.byteLength(text)} bytes`, `at most ${maxChunkBytes} bytes`);
  }
  return undefined;
}

function invalid(path: readonly string[], value: unknown, expected: string): AppendOutcome {
  return {
    refusal: 'INVALID_VALUE',
    path,
    message: `${path.join('.')}: ${JSON.stringify(value)} is not valid; must be ${expected}`,
  };
}
