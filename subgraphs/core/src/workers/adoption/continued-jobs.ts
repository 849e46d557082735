/**
 * Jobs that a pilot continues as another worker, after it started again or was lost. The earlier workers end,
 * and those of their jobs that the pilot does not continue go to other workers at once.
 */
import type { Principal } from '@rhizome/authz';
import type { Logger } from '@rhizome/log';
import type { AdoptableJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { WorkerCommand } from '../commands/worker-command.types.js';
import type { LeasesRepository } from '../leases/leases.repository.js';
import type { WorkerRegistry } from '../worker-registry.js';
import type { HeldJob, WorkerDocument } from '../worker.types.js';
import type { WorkersRepository } from '../workers.repository.js';
import type { Adoptions } from './adoptions.js';
import { isSamePilot } from './same-pilot.js';

/** Dependencies of {@link ContinuedJobs}. */
export interface ContinuedJobsOptions {
  readonly workers: WorkersRepository;
  readonly leases: LeasesRepository;
  readonly registry: WorkerRegistry;
  readonly adoptions: Adoptions;
  readonly jobs: { adoptable(ids: readonly string[]): Promise<ReadonlyMap<string, AdoptableJob>> };
  readonly log: Logger;
}

const startedAgain = 'its pilot started again on the same host';

/** Takes over the jobs of earlier workers of a pilot. */
export class ContinuedJobs {
  readonly #options: ContinuedJobsOptions;

  constructor(options: ContinuedJobsOptions) {
    this.#options = options;
  }

  /**
   * Gives a new worker the jobs whose payloads its pilot still runs, and ends the earlier workers.
   * @param replaced workers that had the name of the new one
   */
  async take(
    principal: Principal,
    worker: WorkerDocument,
    held: readonly HeldJob[],
    replaced: readonly WorkerDocument[],
  ): Promise<readonly WorkerCommand[]> {
    const earlier = await this.#earlierWorkers(principal, worker, held);
    const ids = new Set(earlier.map(({ _id }) => _id));
    const holder = {
      workerId: worker._id,
      queueId: worker.queueId,
      queue: worker.queue,
      actor: principal.subject,
      mayAdopt: true,
      continues: (workerId: string) => ids.has(workerId),
    };
    const commands = await this.#options.adoptions.answer(holder, held);
    // The earlier workers end last: until then their other jobs are not requeued.
    for (const one of [...earlier, ...replaced.filter(({ _id }) => !ids.has(_id))]) await this.end(one);
    return commands;
  }

  async #earlierWorkers(
    principal: Principal,
    worker: WorkerDocument,
    held: readonly HeldJob[],
  ): Promise<readonly WorkerDocument[]> {
    const jobs = await this.#options.jobs.adoptable(held.map(({ id }) => id));
    const ids = new Set(
      [...jobs.values()].flatMap(({ attempts }) => attempts.map(({ workerId }) => workerId)),
    );
    ids.delete(worker._id);
    const found = await this.#options.workers.findMany([...ids]);
    return found.filter((one) => isSamePilot(principal, worker, one));
  }

  /** Ends an earlier worker: its jobs go to other workers at once. */
  async end({ _id, state, queue, name }: WorkerDocument): Promise<void> {
    if (state === 'ENDED' || state === 'LOST') return;
    const { workers, leases, registry, log } = this.#options;
    const [lease] = await leases.findMany([_id]);
    await leases.lose([_id], startedAgain, { hasRestarted: true });
    const lost = await workers.end(_id, 'LOST', startedAgain, lease);
    if (!lost) return;
    registry.set(lost);
    log.info({ workerId: _id, queue, name, reason: startedAgain }, 'worker replaced');
  }
}
