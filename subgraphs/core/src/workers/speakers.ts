/** Who may speak for the workers of a queue. */
import { assertCan, can, type CoreAction, type Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { QueueFacts } from '../broker/broker.types.js';
import { experimentOf } from '../broker/ready-windows.js';

/** Queues by name, as far as is asked here. */
export interface SpeakersOptions {
  readonly queueByName: (name: string) => Promise<Pick<QueueFacts, 'experiments'> | undefined>;
}

/** See the head of this file. */
export class Speakers {
  readonly #options: SpeakersOptions;

  constructor(options: SpeakersOptions) {
    this.#options = options;
  }

  /**
   * A pilot speaks for workers of its own queue alone, and must hold the action in an experiment that the queue admits. Others must hold it
   * in all of them: everywhere, where the queue admits every experiment. A pilot that holds it everywhere costs no look at the queue.
   * @throws DomainError FORBIDDEN
   */
  async assert(principal: Principal, action: CoreAction, queue: string): Promise<void> {
    if (principal.kind === 'PILOT') {
      if (principal.queue !== queue) throw refused(principal, action, queue);
      if (can(principal, action, '*')) return;
    }
    const { experiments = [] } = (await this.#options.queueByName(queue)) ?? {};
    if (principal.kind === 'PILOT') assertPilot(principal, action, queue, experiments);
    else if (experiments.length === 0) assertCan(principal, action, '*');
    else for (const experiment of experiments) assertCan(principal, action, experiment);
  }
}

/** Whether somebody who speaks for a worker may do so about a job, which is charged to this share. */
export function maySpeakOf(principal: Principal, action: CoreAction, share: string): boolean {
  return can(principal, action, experimentOf(share));
}

function assertPilot(
  principal: Principal,
  action: CoreAction,
  queue: string,
  experiments: readonly string[],
): void {
  const isGranted =
    experiments.length === 0
      ? can(principal, action)
      : experiments.some((name) => can(principal, action, name));
  if (!isGranted) throw refused(principal, action, queue);
}

function refused({ kind, subject }: Principal, action: CoreAction, queue: string): DomainError {
  return new DomainError(
    'FORBIDDEN',
    `${kind} "${subject}" may not ${action} for workers of queue "${queue}"`,
    { action, field: 'queue', value: queue },
  );
}
