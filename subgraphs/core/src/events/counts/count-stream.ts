/**
 * Streams of counts and of the progress of a task. Changes are coalesced, so that the cost does not depend on
 * the number of changed jobs.
 */
import { DomainError } from '@rhizome/errors';
import type { Clock } from '@rhizome/clock';
import { Signal } from '../../shared/signal.js';
import type { CountsService } from './counts.service.js';
import type { JobCountRow } from './job-counts.js';
import type { TaskProgressFacts } from '../../tasks/task.document.js';

/** Changed counts of jobs, with the position in the stream up to which they are valid. */
export interface CountsChange {
  readonly token: string;
  readonly counts: readonly JobCountRow[];
}

/** Dependencies of streams of counts. */
export interface CountStreamOptions {
  readonly counts: CountsService;
  readonly clock: Clock;
  /** The position up to which everything is counted. */
  readonly head: () => string;
  readonly signal: AbortSignal;
}

/** Yields all counts that match, then those that changed, at most once an interval. */
export async function* streamCounts(
  options: CountStreamOptions,
  wants: (row: JobCountRow) => boolean,
  intervalMs: number,
): AsyncGenerator<CountsChange, void, undefined> {
  const { counts, head, signal } = options;
  const updates = new Signal(options, intervalMs);
  const stop = counts.onChanged(() => updates.ring());
  try {
    let table = counts.jobs;
    let seen = table.changes;
    yield { token: head(), counts: table.rows().filter(wants) };
    while (await updates.wait()) {
      const changed = (
        counts.jobs === table ? table.changedSince(seen) : counts.jobs.insteadOf(table)
      ).filter(wants);
      table = counts.jobs;
      seen = table.changes;
      if (changed.length > 0) yield { token: head(), counts: changed };
    }
  } finally {
    stop();
    updates.release();
  }
  if (!signal.aborted) throw new Error('a stream of counts ended by itself');
}

/** Reads tasks for streams of progress. */
export interface TaskSource<TTask> {
  /** The task, or null if there is none that the caller may read. */
  find(): Promise<TTask | null>;
  progress(task: TTask): Promise<TaskProgressFacts>;
  /** True once the task has ended for good. */
  hasEnded(task: TTask): boolean;
  /** Calls the listener when the document of the task was written. Returns a function that stops it. */
  onWritten(listener: () => void): () => void;
}

/** The progress of a task, with the position in the stream. */
export interface TaskProgressChange<TTask> {
  readonly token: string;
  readonly task: TTask;
  readonly progress: TaskProgressFacts;
}

/** Least time between two messages about the progress of a task, in milliseconds. */
const progressIntervalMs = 500;

/**
 * Yields the progress of a task at each change, and ends after the last. @throws DomainError TASK_NOT_FOUND
 */
export async function* streamProgress<TTask>(
  options: CountStreamOptions,
  id: string,
  source: TaskSource<TTask>,
): AsyncGenerator<TaskProgressChange<TTask>, void, undefined> {
  const { counts, head } = options;
  const updates = new Signal(options, progressIntervalMs);
  const stops = [
    counts.onChanged((tasks) => (tasks === 'all' || tasks.has(id)) && updates.ring()),
    source.onWritten(() => updates.ring()),
  ];
  try {
    let shown = '';
    do {
      const task = await source.find();
      if (!task)
        throw new DomainError('TASK_NOT_FOUND', `Task "${id}" not found, or you may not see it.`, {
          field: 'id',
          value: id,
        });
      const progress = await source.progress(task);
      const hasEnded = source.hasEnded(task);
      const text = JSON.stringify([hasEnded, progress]);
      if (text !== shown) yield { token: head(), task, progress };
      shown = text;
      if (hasEnded) return;
    } while (await updates.wait());
  } finally {
    stops.forEach((stop) => stop());
    updates.release();
  }
}
