/**
 * Ends of attempts that were planned: the payload has stored a checkpoint after the notice of its end. Such
 * an end costs no attempt, whatever ended the payload then.
 */
import { isPlannedEnd } from '@rhizome/errors';
import type { JobDocument, StoredJobError } from '../model/job.types.js';
import type { StoredCheckpoint } from './job-progress.document.js';

/** A job whose attempt ended with an error. */
export interface EndedAttempt {
  readonly job: Pick<JobDocument, '_id' | 'attempt'> & {
    readonly payload?: { readonly notice?: unknown };
  };
  readonly error: StoredJobError;
}

/** Reads checkpoints. */
export interface CheckpointReader {
  /** Latest checkpoints of jobs, by job; jobs without any are left out. */
  latestCheckpoints(jobIds: readonly string[]): Promise<ReadonlyMap<string, StoredCheckpoint>>;
}

/** Finds out which attempts ended as planned. */
export class PlannedEnds {
  readonly #checkpoints: CheckpointReader;

  constructor(checkpoints: CheckpointReader) {
    this.#checkpoints = checkpoints;
  }

  /** The errors of the attempts, in their order. Only jobs whose payloads receive notices are looked up. */
  async errorsOf(ended: readonly EndedAttempt[]): Promise<readonly StoredJobError[]> {
    const noticed = ended.filter(({ job, error }) => job.payload?.notice && !isPlannedEnd(error));
    if (noticed.length === 0) return ended.map(({ error }) => error);
    const latest = await this.#checkpoints.latestCheckpoints(noticed.map(({ job }) => job._id));
    return ended.map(({ job, error }) => plannedError(job.attempt, error, latest.get(job._id)) ?? error);
  }
}

/** Error of an attempt that stored its latest checkpoint after the notice; undefined for others. */
export function plannedError(
  attempt: number,
  { code, message }: StoredJobError,
  checkpoint: StoredCheckpoint | undefined,
): StoredJobError | undefined {
  if (checkpoint?.attempt !== attempt || checkpoint.noticedAt === undefined) return undefined;
  const step = checkpoint.step === undefined ? '' : ` of step ${checkpoint.step}`;
  const stored = `The payload stored a checkpoint${step} after the notice of its end`;
  const text = `${stored}, and ended with ${code}: ${message}`;
  return { family: 'PAYLOAD', code: 'CHECKPOINTED', message: text, retryable: true };
}
