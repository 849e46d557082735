/** Retries jobs that failed because of a host that was excluded, in the name of core. */
import { createPrincipal, never } from '@rhizome/authz';
import type { BulkService } from '../jobs/bulk/bulk.service.js';
import type { HostRetry } from '../workers/hosts/host.document.js';
import { judge } from '../workers/hosts/host-state.js';

/**
 * Retries the jobs with the dependents that were closed because of them. A repetition finds the operation by
 * its key.
 */
export async function retryFailedByHost(
  bulk: Pick<BulkService, 'change'>,
  { id, jobs }: HostRetry,
): Promise<void> {
  for (const [experiment, ids] of byExperiment(jobs)) {
    const grants = [{ experiment, roles: ['PRODUCTION'] as const }];
    const principal = createPrincipal({ kind: 'SERVICE', subject: judge, grants, expiresAt: never });
    const result = await bulk.change(principal, 'RETRY', {
      selection: { ids },
      parameters: { includeDependents: true, unlessRetried: true },
      idempotencyKey: `${id}:${experiment}`,
    });
    if ('userErrors' in result) throw new Error(result.userErrors.map(({ message }) => message).join('; '));
  }
}

function byExperiment(jobs: HostRetry['jobs']): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { id, experiment } of jobs) found.set(experiment, [...(found.get(experiment) ?? []), id]);
  return found;
}
