/**
 * Ends of attempts that were planned: core has announced them for another job, or the payload has stored a
 * checkpoint after the notice of its end. Such an end costs no attempt, whatever ended the payload then.
 */
import { isPlannedEnd } from '@rhizome/errors';
import type { JobDocument, PreemptedFor, StoredJobError } from '../model/job.types.js';
import { preemptedFor } from '../model/preempted-for.js';
import type { StoredCheckpoint } from './job-progress.document.js';

/** A job whose attempt ended with an error. */
export interface EndedAttempt {
  readonly job: Pick<JobDocument, '_id' | 'attempt'> & {
    readonly payload?: { readonly notice?: unknown };
    /** Oldest first; the last one has ended. */
    readonly attempts?: readonly { readonly preemption?: PreemptedFor }[];
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
    const known = ended.map(({ job, error }) => ({
      job,
      error: preemptedError(job.attempts?.at(-1)?.preemption, error) ?? error,
    }));
    const open = known.filter(({ job, error }) => job.payload?.notice && !isPlannedEnd(error));
    if (open.length === 0) return known.map(({ error }) => error);
    const latest = await this.#checkpoints.latestCheckpoints(open.map(({ job }) => job._id));
    return known.map(({ job, error }) =>
      isPlannedEnd(error) ? error : (plannedError(job.attempt, error, latest.get(job._id)) ?? error),
    );
  }
}

/** Error of an attempt whose end for another job was announced; undefined for others. */
export function preemptedError(
  preemption: PreemptedFor | undefined,
  { code, message }: StoredJobError,
): StoredJobError | undefined {
  if (!preemption) return undefined;
  const text = `The job was ${preemptedFor(preemption)}, and its attempt ended with ${code}: ${message}`;
  return { family: 'WORKER', code: 'PREEMPTED', message: text, retryable: true };
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
