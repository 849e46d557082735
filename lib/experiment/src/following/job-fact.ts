/** What an event, or a look at a job, tells about one job; pure rules for what follows from it. */
import type { JobState } from '../operations.generated.js';
import type { JobOutcome } from './job-state.document.js';

/** How a job stood at some revision. */
export interface JobFact {
  /** The submission that the job says it belongs to, by its label. */
  readonly submissionId: string;
  readonly taskId: string;
  /** Position in the task. */
  readonly index: number;
  readonly jobId: string;
  readonly revision: number;
  readonly state: JobState;
}

/** A stored position, as far as the rules look at it. */
export interface KnownJob {
  readonly outcome: JobOutcome;
  readonly jobId: string;
  readonly jobRevision: number;
}

/** States that say something about the outcome: ends, and the states in which a repeated job may begin. */
export const tellingStates: readonly JobState[] = [
  'FINISHED',
  'FAILED',
  'CANCELLED',
  'CLOSED',
  'PENDING',
  'ACTIVATED',
  'THROTTLED',
];

/** What a state means for the position. */
export function outcomeOf(state: JobState): JobOutcome {
  if (state === 'FINISHED') return 'FINISHED';
  return state === 'FAILED' || state === 'CANCELLED' || state === 'CLOSED' ? 'LOST' : 'WAITING';
}

/**
 * Whether a fact changes what is known. An older or an equal one does not, so that an event which is told again is nothing new; neither
 * does the beginning of a job where nothing has ended yet.
 */
export function isNews(
  fact: Pick<JobFact, 'jobId' | 'revision' | 'state'>,
  known: KnownJob | undefined,
): boolean {
  if (!known) return outcomeOf(fact.state) !== 'WAITING';
  // Ids of jobs are ordered by time: a copy has the later one.
  if (fact.jobId !== known.jobId) return fact.jobId > known.jobId;
  return fact.revision > known.jobRevision;
}

/** The newest fact of each position, keyed as given. */
export function newestOf(
  facts: readonly JobFact[],
  keyOf: (fact: JobFact) => string,
): ReadonlyMap<string, JobFact> {
  const newest = new Map<string, JobFact>();
  for (const fact of facts) {
    const known = newest.get(keyOf(fact));
    const isOlder =
      known && (fact.jobId === known.jobId ? fact.revision <= known.revision : fact.jobId < known.jobId);
    if (!isOlder) newest.set(keyOf(fact), fact);
  }
  return newest;
}
