/** Ends workers whose end is proven: they report it themselves, or the batch system does for them. */
import type { Principal } from '@rhizome/authz';
import { DomainError, InputErrors } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { forEachConcurrently } from '@rhizome/retry';
import type { LeasesRepository } from './leases/leases.repository.js';
import type { WorkerAccess } from './worker-access.js';
import type { WorkerProblem } from './worker-errors.js';
import type { WorkerRegistry } from './worker-registry.js';
import type { WorkerDocument } from './worker.types.js';
import type { WorkersRepository } from './workers.repository.js';

/** Dependencies of {@link WorkerEnds}. */
export interface WorkerEndsOptions {
  readonly workers: Pick<WorkersRepository, 'end' | 'findMany' | 'findOpenOfBatchJobs'>;
  readonly leases: Pick<LeasesRepository, 'findMany' | 'lose'>;
  readonly registry: Pick<WorkerRegistry, 'set'>;
  readonly access: Pick<WorkerAccess, 'assert'>;
  readonly queues: {
    byNames(names: readonly string[]): Promise<readonly ({ readonly id: string } | undefined)[]>;
  };
  readonly log: Logger;
}

/** Input of `reportEndedBatchJobs`. */
export interface EndedBatchJobs {
  readonly queue: string;
  readonly batchJobIds: readonly string[];
  readonly reason?: string | null | undefined;
}

/** Workers that the report has ended, or its errors. */
export interface EndedWorkers {
  readonly workers: readonly WorkerDocument[];
  readonly userErrors: readonly WorkerProblem<'QUEUE_NOT_FOUND'>[];
}

/** Most batch jobs in one report. */
const maxBatchJobs = 1000;
/** Workers that are ended at once. */
const endingAtOnce = 16;

/** Ends workers. */
export class WorkerEnds {
  readonly #options: WorkerEndsOptions;

  constructor(options: WorkerEndsOptions) {
    this.#options = options;
  }

  /**
   * Ends these workers. The leader requeues their jobs in its next scan, and releases their devices. Their
   * leases say that they have ended, so that the leader completes this if the process ends in between.
   * @returns the workers as they are then
   */
  async end(ids: readonly string[], reason: string | undefined): Promise<readonly WorkerDocument[]> {
    const { workers, leases, registry } = this.#options;
    const found = new Map((await leases.findMany(ids)).map((lease) => [lease._id, lease]));
    await leases.lose(ids, reason ?? 'it ended', { hasEnded: true });
    await forEachConcurrently(ids, endingAtOnce, async (id) => {
      await workers.end(id, 'ENDED', reason, found.get(id));
    });
    const ended = await workers.findMany(ids);
    ended.forEach((worker) => registry.set(worker));
    return ended;
  }

  /**
   * Ends the workers that ran in batch jobs of a queue. Ids of batch jobs without such a worker are ignored:
   * a batch job may end before its pilot registers.
   * @throws DomainError FORBIDDEN
   */
  async endBatchJobs(
    principal: Principal,
    { queue: name, batchJobIds, reason }: EndedBatchJobs,
  ): Promise<EndedWorkers> {
    const { access, queues, workers, log } = this.#options;
    // The credential of a worker is good for that worker alone.
    if (principal.worker !== undefined)
      throw new DomainError('FORBIDDEN', 'Workers may not report the end of batch jobs', { field: 'queue' });
    await access.assert(principal, 'worker:drain', name);
    const errors = new InputErrors<'QUEUE_NOT_FOUND'>();
    errors.distinct(['batchJobIds'], batchJobIds, maxBatchJobs);
    batchJobIds.forEach((id, index) => errors.text(['batchJobIds', index], id, 1, 128));
    if (typeof reason === 'string') errors.text(['reason'], reason, 1, 500);
    const [queue] = await queues.byNames([name]);
    if (!queue) errors.report('QUEUE_NOT_FOUND', ['queue'], `Queue ${JSON.stringify(name)} not found.`);
    if (!queue || !errors.isEmpty) return { workers: [], userErrors: errors.all };
    const open = await workers.findOpenOfBatchJobs(queue.id, batchJobIds);
    if (open.length === 0) return { workers: [], userErrors: [] };
    const why = reason ?? 'its batch job ended';
    log.info({ queue: name, workers: open.length, reason: why }, 'batch jobs of workers ended');
    const ended = await this.end(
      open.map(({ _id }) => _id),
      why,
    );
    return { workers: ended, userErrors: [] };
  }
}
