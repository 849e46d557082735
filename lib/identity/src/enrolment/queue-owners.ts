/** Experiments that own a queue, and with it the enrolments of its workers. */
import { assertCan, can, experimentsFor, type Principal } from '@rhizome/authz';

/** Source of the experiments of queues: core. @throws DomainError SERVICE_UNAVAILABLE from each method */
export interface QueueOwners {
  /** Experiments of a queue; `*` for one that admits all experiments, and for one that does not exist. */
  experimentsOf(queue: string): Promise<readonly string[]>;
  /** Names of the queues that admit some of the experiments and no other. */
  queuesOf(experiments: readonly string[]): Promise<readonly string[]>;
}

/** True if the caller may enrol workers for all experiments of the queue. */
export async function mayEnrolIn(queue: string, by: Principal, owners: QueueOwners): Promise<boolean> {
  if (can(by, 'worker:enrol', '*')) return true;
  const experiments = await owners.experimentsOf(queue);
  return experiments.length > 0 && experiments.every((name) => can(by, 'worker:enrol', name));
}

/** Queues whose enrolments the caller sees; `*` for all. */
export async function queuesToEnrolIn(by: Principal, owners: QueueOwners): Promise<'*' | readonly string[]> {
  const experiments = experimentsFor(by, 'worker:enrol');
  if (experiments === '*') return '*';
  return experiments.length === 0 ? [] : owners.queuesOf(experiments);
}

/**
 * Rejects workers for experiments in which the caller may not enrol any.
 * @throws DomainError FORBIDDEN
 */
export function assertMayEnrolFor(experiments: readonly string[], by: Principal): void {
  if (can(by, 'worker:enrol', '*')) return;
  if (experiments.length === 0) assertCan(by, 'worker:enrol', '*');
  for (const experiment of experiments) assertCan(by, 'worker:enrol', experiment);
}
