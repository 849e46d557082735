import type { CurrentRights } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { bulkProjection, principalOf, refusalFor, requestFor } from './bulk-rules.js';
import type { BulkJob, BulkOutcome, BulkRefusal } from './bulk.types.js';
import type { JobsRepository } from '../model/jobs.repository.js';
import type { JobAccess } from '../ports.js';
import type { JobCopies } from './job-copies.js';
import type { TransitionRequest, TransitionWriter } from '../transitions/transition.types.js';

/** Dependencies of {@link BulkChanges}. */
export interface BulkChangesOptions {
  readonly jobs: JobsRepository;
  readonly writer: TransitionWriter;
  readonly copies: JobCopies;
  /** Source of the rights that the caller has now. */
  readonly rights: CurrentRights;
  readonly access: JobAccess;
  readonly clock: Clock;
}

/**
 * Number of retries for a job whose state changes concurrently. Fewer steps lie between two attempts of a
 * job.
 */
const maxRounds = 12;

/** Applies a change to a page of jobs. */
export class BulkChanges {
  readonly #options: BulkChangesOptions;

  constructor(options: BulkChangesOptions) {
    this.#options = options;
  }

  /**
   * Changes each permitted job and reports why the others were refused. Safe to repeat for a resumed
   * operation.
   */
  async apply(bulk: BulkJob, ids: readonly string[]): Promise<BulkOutcome> {
    return bulk.kind === 'RETRY' ? this.#options.copies.make(bulk, ids) : this.#transit(bulk, ids);
  }

  /**
   * Retries a job whose state changes between the read and the write, until the change succeeds or is no
   * longer possible.
   */
  async #transit(bulk: BulkJob, ids: readonly string[]): Promise<BulkOutcome> {
    const { jobs, writer, rights, access, clock } = this.#options;
    const principal = await principalOf(bulk, rights, clock.now());
    const changed = new Set<string>();
    const refused = new Map<string, BulkRefusal>();
    let open = [...new Set(ids)];
    for (let round = 0; open.length > 0; round += 1) {
      const found = new Map((await jobs.find(open, bulkProjection)).map((job) => [job._id, job]));
      const requests: TransitionRequest[] = [];
      for (const id of open) {
        const job = found.get(id);
        const refusal = refusalFor(principal, bulk.kind, id, job, access);
        const next = refusal ?? (job ? requestFor(bulk, job, clock.now()) : undefined);
        if (next === 'done') changed.add(id);
        else if (next && 'code' in next) refused.set(id, next);
        else if (next) requests.push(next);
      }
      const outcomes = await writer.apply(requests);
      for (const { applied, jobId } of outcomes) if (applied) changed.add(jobId);
      open = outcomes.flatMap(({ applied, jobId }) => (applied ? [] : [jobId]));
      if (round + 1 < maxRounds) continue;
      for (const jobId of open) refused.set(jobId, busy(jobId));
      break;
    }
    const order = [...new Set(ids)];
    return {
      changed: order.filter((id) => changed.has(id)),
      refused: order.flatMap((id) => refused.get(id) ?? []),
    };
  }
}

function busy(jobId: string): BulkRefusal {
  return {
    jobId,
    code: 'JOB_STATE_CONFLICT',
    message: `The state of job "${jobId}" changes too quickly; try again`,
  };
}
