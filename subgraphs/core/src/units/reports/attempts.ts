/** Attempts that work on units: the holders of tokens of attempts. */
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { isHeld } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { UnitAttempt } from '../work/lease-waiter.js';

/** Fields of a job that decide. */
export const attemptFields = {
  state: 1,
  fence: 1,
  experiment: 1,
  taskId: 1,
  'fleet.id': 1,
  'attempts.site': 1,
} as const;

type AttemptFacts = Pick<JobDocument, '_id' | 'state' | 'fence' | 'experiment' | 'taskId'> & {
  readonly fleet?: { readonly id: string };
  readonly attempts: readonly { readonly site?: string }[];
};

/** Reads jobs with {@link attemptFields}, in no order. */
export type ReadAttempts = (jobIds: readonly string[]) => Promise<readonly AttemptFacts[]>;

/** Attempt that its worker holds. */
export interface HeldAttempt extends UnitAttempt {
  readonly experiment: string;
  readonly taskId?: string | undefined;
  readonly fleetId?: string | undefined;
}

/** Looks attempts up as they are stored now. */
export class Attempts {
  readonly #read: ReadAttempts;

  constructor(read: ReadAttempts) {
    this.#read = read;
  }

  /** The attempt of the caller; undefined if its worker no longer holds it. @throws DomainError FORBIDDEN */
  async ofCaller({ attempt }: Principal): Promise<HeldAttempt | undefined> {
    if (!attempt)
      throw new DomainError('FORBIDDEN', 'Units are leased and reported by the token of an attempt only');
    const { jobId, fence } = attempt;
    const [job] = await this.#read([jobId]);
    if (!job || !holds(job, fence)) return undefined;
    const { experiment, taskId, fleet, attempts } = job;
    return { jobId, fence, site: attempts.at(-1)?.site, experiment, taskId, fleetId: fleet?.id };
  }

  /** Returns the jobs among these that no worker holds. */
  async ended(jobIds: readonly string[]): Promise<readonly string[]> {
    const jobs = await this.#read(jobIds);
    const held = new Set(jobs.filter(({ state }) => isHeld(state)).map(({ _id }) => _id));
    return jobIds.filter((id) => !held.has(id));
  }

  /** True for each attempt that its worker still holds, in the same order. */
  async stillHeld(attempts: readonly UnitAttempt[]): Promise<readonly boolean[]> {
    const jobs = await this.#read([...new Set(attempts.map(({ jobId }) => jobId))]);
    const byId = new Map(jobs.map((job) => [job._id, job]));
    return attempts.map(({ jobId, fence }) => {
      const job = byId.get(jobId);
      return job !== undefined && holds(job, fence);
    });
  }
}

function holds({ state, fence: current }: AttemptFacts, fence: number): boolean {
  return isHeld(state) && current === fence;
}
