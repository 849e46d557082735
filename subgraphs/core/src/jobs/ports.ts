/** What jobs and tasks need of other domains; `app.ts` hands it in. */
import type { JobState } from './model/job-state.js';
import type { JobEvent } from './model/job-event.types.js';

/** What a submit must know of an experiment. */
export interface ExperimentFacts {
  readonly name: string;
  /** Paths of its share leaves, `experiment/leaf`, the default first. */
  readonly shares: readonly string[];
}

/** Experiments with their shares, as they are stored now: what was registered or set at another process counts at once. */
export interface ExperimentDirectory {
  /** One experiment, or null. */
  find(name: string): Promise<ExperimentFacts | null>;
  /** Names of all experiments. */
  names(): Promise<readonly string[]>;
}

/** Queues by name. */
export interface QueueDirectory {
  /** The id of a queue, or null where there is none of that name. */
  idOf(name: string): Promise<string | null>;
  /** Of these names, those of queues that admit the experiment, as they are stored now. */
  admitted(names: readonly string[], experiment: string): Promise<ReadonlySet<string>>;
  /** Names of the queues that admit the experiment, as far as this process knows them now: for messages. */
  admitting(experiment: string): readonly string[];
}

/** Events of jobs from a place in the stream on. */
export interface JobEventStream {
  /**
   * Yields batches in order, at least once each, without gaps, with the place after the batch; the first as soon as the stream is open, if
   * need be without events. Reads no further until the consumer asks for the next. Ends when the signal is aborted.
   * @param after a place got earlier; null begins now
   * @throws DomainError CURSOR_EXPIRED when the stream no longer reaches back
   */
  follow(options: {
    readonly after: string | null;
    readonly signal: AbortSignal;
  }): AsyncIterable<{ readonly events: readonly JobEvent[]; readonly cursor: string }>;
}

/** Jobs of a task by state; states without jobs are left out. */
export type StateCounts = Readonly<Partial<Record<JobState, number>>>;
