/** Pure rules for outputs that failed attempts keep. */
import { isTerminal } from '../jobs/model/job-state.js';
import type { JobDocument, StoredOutput } from '../jobs/model/job.types.js';

/** Time after the end of a job for which the outputs of its failed attempts are kept. */
export const keptSeconds = 30 * 86_400;

/** Parts of a job that decide about its files. */
export type JobOfKeptOutputs = Pick<JobDocument, 'state' | 'updatedAt'> & {
  readonly attempts: readonly Pick<JobDocument['attempts'][number], 'number' | 'keptOutputs'>[];
};

/**
 * Outputs that failed attempts keep; empty once they may be removed.
 * @param attempt number of the attempt; those of all attempts if it is undefined
 */
export function keptOutputsOf(job: JobOfKeptOutputs, now: Date, attempt?: number): readonly StoredOutput[] {
  const isOver = isTerminal(job.state) && now.getTime() - job.updatedAt.getTime() >= keptSeconds * 1000;
  if (isOver) return [];
  const chosen = job.attempts.filter(({ number }) => attempt === undefined || number === attempt);
  return chosen.flatMap(({ keptOutputs = [] }) => keptOutputs);
}
