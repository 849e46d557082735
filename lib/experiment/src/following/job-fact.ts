/** State of one job as an event or a snapshot reports it, and pure rules for it. */
import type { JobState } from '../operations.generated.js';
import type { JobOutcome } from './job-state.document.js';
import type { NodeRun } from './node-state.document.js';

/** State of a job at a revision. */
export interface JobFact {
  /** The submission that the job says it belongs to, by its label. */
  readonly submissionId: string;
  /** Task or workflow of the job. */
  readonly coreId: string;
  /** Position in it. */
  readonly index: number;
  readonly jobId: string;
  readonly revision: number;
  readonly state: JobState;
  /** The job in full, if it belongs to a node of a workflow. */
  readonly run?: NodeRun;
}

/** Part of a stored position that the rules use. */
export interface KnownJob {
  readonly outcome: JobOutcome;
  readonly jobId: string;
  readonly jobRevision: number;
}

/** States that affect the outcome: final states, and the states in which a repeated job may start. */
export const followedStates: readonly JobState[] = [
  'FINISHED',
  'FAILED',
  'CANCELLED',
  'CLOSED',
  'PENDING',
  'ACTIVATED',
  'THROTTLED',
];

/** States that are followed of jobs of workflows: those and the start. */
export const followedNodeStates: readonly JobState[] = [...followedStates, 'RUNNING'];

/** Outcome of a position for a job state. */
export function outcomeOf(state: JobState): JobOutcome {
  if (state === 'FINISHED') return 'FINISHED';
  return state === 'FAILED' || state === 'CANCELLED' || state === 'CLOSED' ? 'LOST' : 'WAITING';
}

/**
 * Returns true if a fact changes the known state. An older or equal one does not, so that a repeated event
 * has no effect; nor does the start of a job at a position where nothing has ended yet.
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
