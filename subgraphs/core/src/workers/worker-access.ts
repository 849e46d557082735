/** Authorization of calls for the workers of a queue. */
import { can, type CoreAction, describePrincipal, type Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { experimentOf } from '../scheduler/cache/ready-windows.js';
import type { QueueFacts } from '../queues/queue-facts.types.js';

/** Lookups of queues by name: in memory, and in the store. */
export interface WorkerAccessOptions {
  readonly queues: {
    byNames(names: readonly string[]): Promise<readonly (Pick<QueueFacts, 'experiments'> | undefined)[]>;
    freshByNames(names: readonly string[]): Promise<readonly (Pick<QueueFacts, 'experiments'> | undefined)[]>;
  };
}

/** Fields of a worker that access to it depends on. */
interface ActedFor {
  readonly _id: string;
  readonly queue: string;
}

/** Checks that a principal may act for the workers of a queue. */
export class WorkerAccess {
  readonly #options: WorkerAccessOptions;

  constructor(options: WorkerAccessOptions) {
    this.#options = options;
  }

  /**
   * Returns the worker if the principal may act for it. A worker that it may neither act for nor know of is
   * undefined, as one that does not exist, so that the answer is the same: pilots know of the workers of
   * their queue, holders of a worker's credential of that worker alone, others of what they may read.
   * @throws DomainError FORBIDDEN for a worker that it may know of
   */
  async workerFor<T extends ActedFor>(
    principal: Principal,
    action: CoreAction,
    worker: T | undefined,
  ): Promise<T | undefined> {
    if (!worker || !(await this.#mayKnowOf(principal, worker))) return undefined;
    await this.assert(principal, action, worker.queue);
    return worker;
  }

  async #mayKnowOf(principal: Principal, { _id, queue }: ActedFor): Promise<boolean> {
    if (principal.worker !== undefined && principal.worker !== _id) return false;
    if (principal.kind === 'PILOT') return principal.queue === queue;
    if (can(principal, 'worker:read', '*')) return true;
    const [known] = await this.#options.queues.freshByNames([queue]);
    return known !== undefined && maySee(principal, known);
  }

  /**
   * Rejects a principal that may not act for the workers of a queue. A pilot may only act for the workers
   * of its own queue, and needs the permission in one experiment that the queue admits. Other principals
   * need it in all of them, or everywhere if the queue admits every experiment. A pilot with the permission
   * everywhere needs no lookup of the queue. Before a refusal the queue is read from the store, because
   * another process may just have opened the queue to the experiment.
   * @throws DomainError FORBIDDEN
   */
  async assert(principal: Principal, action: CoreAction, queue: string): Promise<void> {
    if (principal.kind === 'PILOT') {
      if (principal.queue !== queue) throw refused(principal, action, queue);
      if (can(principal, action, '*')) return;
    }
    const { queues } = this.#options;
    const [known] = await queues.byNames([queue]);
    if (mayAct(principal, action, known?.experiments ?? [])) return;
    const [now] = await queues.freshByNames([queue]);
    // Without the experiments of the queue, which the caller may not know.
    if (!mayAct(principal, action, now?.experiments ?? [])) throw refused(principal, action, queue);
  }
}

/**
 * Checks that a principal may see the workers of a queue. Everyone may for a queue that admits every
 * experiment; others need to read workers in an admitted experiment.
 */
export function maySee(principal: Principal, { experiments }: Pick<QueueFacts, 'experiments'>): boolean {
  if (experiments.length === 0) return can(principal, 'worker:read');
  return experiments.some((experiment) => can(principal, 'worker:read', experiment));
}

/** Checks that a principal that acts for a worker may do so for a job of this share. */
export function mayActFor(principal: Principal, action: CoreAction, share: string): boolean {
  return can(principal, action, experimentOf(share));
}

/** A pilot needs the permission in one of the experiments, others in all. */
function mayAct(principal: Principal, action: CoreAction, experiments: readonly string[]): boolean {
  const may = (experiment: string): boolean => can(principal, action, experiment);
  if (principal.kind === 'PILOT')
    return experiments.length === 0 ? can(principal, action) : experiments.some(may);
  return experiments.length === 0 ? may('*') : experiments.every(may);
}

function refused(principal: Principal, action: CoreAction, queue: string): DomainError {
  return new DomainError(
    'FORBIDDEN',
    `${describePrincipal(principal)} may not ${action} for workers of queue "${queue}"`,
    { action, field: 'queue', value: queue },
  );
}
