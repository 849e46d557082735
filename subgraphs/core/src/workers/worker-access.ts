/** Authorization of calls for the workers of a queue. */
import { assertCan, can, type CoreAction, type Principal } from '@rhizome/authz';
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

/** Checks that a principal may act for the workers of a queue. */
export class WorkerAccess {
  readonly #options: WorkerAccessOptions;

  constructor(options: WorkerAccessOptions) {
    this.#options = options;
  }

  /**
   * Rejects a principal that may not act for the workers of a queue. A pilot may only act for the workers of
   * its own queue, and needs the
   * permission in one experiment that the queue admits. Other principals need it in all of them, or
   * everywhere if the queue admits every experiment. A pilot with the permission everywhere needs no lookup
   * of the queue. Before a refusal the queue is read from the store, because another process may just have
   * opened the queue to the experiment.
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
    const experiments = now?.experiments ?? [];
    if (mayAct(principal, action, experiments)) return;
    if (principal.kind === 'PILOT') throw refused(principal, action, queue);
    if (experiments.length === 0) assertCan(principal, action, '*');
    for (const experiment of experiments) assertCan(principal, action, experiment);
  }
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

function refused({ kind, subject }: Principal, action: CoreAction, queue: string): DomainError {
  return new DomainError(
    'FORBIDDEN',
    `${kind} "${subject}" may not ${action} for workers of queue "${queue}"`,
    { action, field: 'queue', value: queue },
  );
}
