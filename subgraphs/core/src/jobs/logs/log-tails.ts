/**
 * Follows job logs as they are written. Readers are woken by the event stream and read from the store; each
 * chunk is delivered once and in order.
 */
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { Clock } from '@rhizome/clock';
import { Signal } from '../../shared/signal.js';
import { type JobLogs, logCursor, type LogChunk, logPosition, type LogPosition } from './job-logs.js';
import { isTerminal } from '../model/job-state.js';
import { assertMayReadLog } from '../model/job-visibility.js';
import type { JobDocument } from '../model/job.types.js';

/** Message of the stream; the opening one has no event. */
export interface LogAppended {
  readonly cursor: string;
  readonly event: LogEvent | null;
}

/** Addition to a log. */
interface LogEvent {
  readonly attempt: number;
  readonly chunks: readonly (LogChunk & { readonly cursor: string })[];
  readonly isComplete: boolean;
}

/** State of a job that its log depends on. */
export type LoggedJob = Pick<
  JobDocument,
  '_id' | 'experiment' | 'state' | 'attempt' | 'attempts' | 'queue' | 'queueId'
>;

/** Stored fields of {@link LoggedJob} in addition to the id. */
export const loggedFields = {
  experiment: 1,
  state: 1,
  attempt: 1,
  attempts: 1,
  queue: 1,
  queueId: 1,
} as const;

/** Options of {@link LogTails}. */
export interface LogTailsOptions {
  readonly logs: JobLogs;
  readonly clock: Clock;
  /** Returns the job, or null if it does not exist or the principal may not read it. */
  readonly find: (jobId: string, principal: Principal) => Promise<LoggedJob | null>;
  /** Event stream of the process. */
  readonly stream: {
    onWritten(collection: string, listener: (ids: readonly string[]) => void): () => void;
    onEvents(listener: (events: readonly { readonly jobId: string }[]) => void): () => void;
    onReset(listener: () => void): () => void;
  };
}

/** Subscriber to a log, and the position to start from. */
export interface LogTailRequest {
  readonly jobId: string;
  readonly after: string | null | undefined;
  readonly principal: Principal;
  readonly signal: AbortSignal;
}

/** Minimum interval between two messages; additions in between are combined. */
const intervalMs = 100;
const maxChunks = 100;
/** Collection that an append writes after its chunks. */
export const logHeads = 'jobLogHeads';

/** Live tails of job logs. */
export class LogTails {
  readonly #options: LogTailsOptions;
  readonly #signals = new Map<string, Set<Signal>>();

  constructor(options: LogTailsOptions) {
    this.#options = options;
    const { stream } = options;
    stream.onWritten(logHeads, (ids) => ids.forEach((id) => this.#ring(id.slice(0, id.indexOf('/')))));
    stream.onEvents((events) => {
      if (this.#signals.size > 0) for (const { jobId } of events) this.#ring(jobId);
    });
    stream.onReset(() => [...this.#signals.keys()].forEach((jobId) => this.#ring(jobId)));
  }

  /**
   * Yields additions to the log of a job after a cursor, or from now on, until the job has ended.
   * @throws DomainError JOB_NOT_FOUND, CURSOR_INVALID, FORBIDDEN for a pilot of another queue
   */
  async *follow(request: LogTailRequest): AsyncGenerator<LogAppended, void, undefined> {
    const { jobId, after, signal } = request;
    const updates = new Signal({ clock: this.#options.clock, signal }, intervalMs);
    const signals = this.#signals.get(jobId) ?? new Set();
    this.#signals.set(jobId, signals.add(updates));
    try {
      const job = await this.#find(request);
      let position = await this.#start(job, after);
      if (after == null) yield { cursor: logCursor(jobId, position), event: null };
      do {
        for await (const message of this.#news(request, position)) {
          const { cursor, attempt, chunks, isComplete } = message;
          if (chunks.length > 0 || isComplete) yield { cursor, event: { attempt, chunks, isComplete } };
          ({ position } = message);
          if (isComplete) return;
        }
      } while (await updates.wait());
    } finally {
      updates.release();
      signals.delete(updates);
      if (signals.size === 0) this.#signals.delete(jobId);
    }
  }

  async #start(job: LoggedJob, after: string | null | undefined): Promise<LogPosition> {
    if (after != null) return logPosition(job, after);
    if (job.attempt === 0) return { attempt: 0, sequence: -1 };
    return this.#options.logs.end(job._id, job.attempt);
  }

  /** Reads everything after a position, across ended attempts. */
  async *#news(
    request: LogTailRequest,
    from: LogPosition,
  ): AsyncGenerator<LogEvent & { readonly cursor: string; readonly position: LogPosition }> {
    let position = from;
    while (!request.signal.aborted) {
      // The job is read first: if it has ended, the chunks that are read next are complete.
      const job = await this.#find(request);
      const { attempt } = position;
      if (attempt > 0) assertMayReadLog(request.principal, job, attempt);
      const piece = await this.#options.logs.after(job._id, position, maxChunks);
      const { chunks, hasMore, isPast } = piece;
      ({ position } = piece);
      yield { cursor: logCursor(job._id, position), attempt, chunks, isComplete: false, position };
      if (hasMore) continue;
      if (attempt < job.attempt) position = { attempt: attempt + 1, sequence: -1 };
      else if (!isTerminal(job.state)) return;
      else {
        // Position after all chunks, where nothing is ever written. A subscriber that resumes from it
        // receives the same position again.
        const end = isPast ? position : { attempt, sequence: position.sequence + 1 };
        yield { cursor: logCursor(job._id, end), attempt, chunks: [], isComplete: true, position: end };
        return;
      }
    }
  }

  async #find({ jobId, principal }: LogTailRequest): Promise<LoggedJob> {
    const job = await this.#options.find(jobId, principal);
    if (job) return job;
    const text = `Job "${jobId}" not found, or you may not see it.`;
    throw new DomainError('JOB_NOT_FOUND', text, { field: 'jobId', value: jobId });
  }

  #ring(jobId: string): void {
    for (const updates of this.#signals.get(jobId) ?? []) updates.ring();
  }
}
