/** Cancels jobs whose states may change between the read and the write. */
import { isTerminal, type JobState } from '../model/job-state.js';
import type { JobsRepository } from '../model/jobs.repository.js';
import type { TransitionRequest, TransitionWriter } from './transition.types.js';

/** Dependencies of {@link cancelJobs}. */
export interface CancelOptions {
  readonly jobs: Pick<JobsRepository, 'find'>;
  readonly writer: Pick<TransitionWriter, 'apply'>;
}

/** Jobs to cancel. */
export interface Cancellation {
  /** Reasons that the jobs get, by id. */
  readonly reasons: ReadonlyMap<string, string>;
  /** Principal that cancels. */
  readonly actor: string;
  /** Owner of the jobs in the text of an error, such as a workflow. */
  readonly owner: string;
  /** True for a state in which a job goes on; without it, all jobs are cancelled. */
  readonly isKept?: ((state: JobState) => boolean) | undefined;
}

/** Rounds for a job whose state changes between the read and the write; it has fewer states than these. */
const maxRounds = 12;

/**
 * Cancels jobs that have not ended; a repetition changes nothing.
 * @returns the jobs that are kept
 * @throws Error if the states of some change too quickly
 */
export async function cancelJobs(
  { jobs, writer }: CancelOptions,
  { reasons, actor, owner, isKept = () => false }: Cancellation,
): Promise<readonly string[]> {
  const kept: string[] = [];
  let open: readonly string[] = [...reasons.keys()];
  for (let round = 0; open.length > 0 && round < maxRounds; round += 1) {
    const requests: TransitionRequest[] = [];
    for (const { _id: jobId, state: from } of await jobs.find(open, { state: 1 })) {
      if (isTerminal(from)) continue;
      const reason = reasons.get(jobId) ?? '';
      if (isKept(from)) kept.push(jobId);
      else requests.push({ jobId, from, to: 'CANCELLED', by: 'principal', actor, reason });
    }
    const outcomes = await writer.apply(requests);
    open = outcomes.flatMap(({ applied, jobId }) => (applied ? [] : [jobId]));
  }
  if (open.length > 0) throw new Error(`${open.length} jobs of ${owner} change too quickly`);
  return kept;
}
