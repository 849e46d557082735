/** Who may speak for the workers of a queue. */
import { assertCan, can, type CoreAction, type Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { experimentOf } from '../scheduler/cache/ready-windows.js';
import type { QueueFacts } from '../queues/queue-facts.types.js';

/** Queues by name, as far as is asked here: as memory has them, and as the store has them now. */
export interface WorkerAccessOptions {
  readonly queues: {
    byNames(names: readonly string[]): Promise<readonly (Pick<QueueFacts, 'experiments'> | undefined)[]>;
    freshByNames(names: readonly string[]): Promise<readonly (Pick<QueueFacts, 'experiments'> | undefined)[]>;
  };
}

/** See the head of this file. */
export class WorkerAccess {
  readonly #options: WorkerAccessOptions;

  constructor(options: WorkerAccessOptions) {
    this.#options = options;
  }

  /**
   * A pilot speaks for workers of its own queue alone, and must hold the action in an experiment that the queue admits. Others must hold it
   * in all of them: everywhere, where the queue admits every experiment. A pilot that holds it everywhere costs no look at the queue. Nobody
   * is refused by memory alone: another process may just have opened the queue to their experiment.
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

/** Whether somebody who speaks for a worker may do so about a job, which is charged to this share. */
export function mayActFor(principal: Principal, action: CoreAction, share: string): boolean {
  return can(principal, action, experimentOf(share));
}

/** Pilots in one of the experiments, others in all. */
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
