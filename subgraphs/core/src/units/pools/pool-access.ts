/** Pure rules for what a principal may do with a pool. */
import { assertCan, can, owns, type Principal } from '@rhizome/authz';
import type { InputErrors } from '@rhizome/errors';
import type { PoolDocument } from './pool.document.js';

/** Code of an unknown pool. */
export type PoolCode = 'POOL_NOT_FOUND';

/** True if the principal may see the pool. Payloads, which act by the token of an attempt, see none. */
export function maySeePool(principal: Principal, { experiment }: Pick<PoolDocument, 'experiment'>): boolean {
  return principal.attempt === undefined && can(principal, 'pool:read', experiment);
}

/**
 * Returns the pool if the principal may act on it: its owner, and those who manage the jobs of others, if
 * they have the action. Adds an error if the principal does not see it.
 * @throws DomainError FORBIDDEN
 */
export function manageable(
  errors: Pick<InputErrors<PoolCode>, 'report'>,
  principal: Principal,
  action: 'pool:publish' | 'pool:close',
  pool: PoolDocument | null,
  id: string,
): PoolDocument | undefined {
  if (!pool || !maySeePool(principal, pool)) {
    reportUnknown(errors, id);
    return undefined;
  }
  assertCan(principal, action, pool.experiment);
  if (!owns(principal, pool.owner)) assertCan(principal, 'job:manageAny', pool.experiment);
  return pool;
}

/** Adds the error for a pool that does not exist, or that the caller may not use. */
export function reportUnknown(
  errors: Pick<InputErrors<PoolCode>, 'report'>,
  id: string,
  field = 'poolId',
): void {
  errors.report('POOL_NOT_FOUND', [field], `Pool ${JSON.stringify(id)} not found, or you may not use it.`);
}

/** Reason for which jobs of this task, or without one, may not work on the pool; undefined if they may. */
export function taskFault(
  { name, taskId: wanted }: Pick<PoolDocument, 'name' | 'taskId'>,
  taskId: string | undefined,
): string | undefined {
  if (wanted === undefined || taskId === wanted) return undefined;
  const own = taskId === undefined ? 'has no task' : `is a job of task "${taskId}"`;
  return `Pool "${name}" belongs to task "${wanted}", but the caller ${own}; only jobs of the task may use it.`;
}
