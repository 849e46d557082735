/** Payloads that call with the token of their attempt, and units that they have completed. */
import { createPrincipal, type Principal } from '@rhizome/authz';
import { mutationText } from '../../e2e/system/api.js';
import { mutate, type System } from '../../experiments/test-system.js';
import type { HeldJob } from './workers.js';

/** Caller with the token of the attempt of a job, as the gateway issues it to the payload. */
export function payloadOf({ jobId, fence }: HeldJob, experiment: string): Principal {
  return createPrincipal({
    ...{ kind: 'HUMAN', subject: 'owner@example' },
    grants: [{ experiment, roles: ['READER'] }],
    actions: ['job:read'],
    attempt: { jobId, attempt: 1, fence },
    expiresAt: new Date('2099-01-01T00:00:00Z'),
  });
}

/** Publishes a unit to a new pool of the experiment, and completes it as the payload of a job. */
export async function completeUnit(system: System, experiment: string, held: HeldJob): Promise<void> {
  const payload = payloadOf(held, experiment);
  const change = async (field: string, input: object): Promise<void> => {
    const text = mutationText(field, 'userErrors { code message }');
    const { data, errors } = await system.askSubgraph('core', text, { input }, payload);
    if (errors.length > 0 || data[field].userErrors.length > 0)
      throw new Error(`${field}: ${JSON.stringify({ data, errors })}`);
  };
  const { pool } = await mutate(system, 'createWorkPool', { experiment, name: 'completed' }, 'pool { id }');
  const units = [{ key: 'one', payload: 'x' }];
  const input = { poolId: String(pool.id), units };
  const { unitIds } = await mutate(system, 'publishWorkUnits', input, 'unitIds');
  await change('leaseWorkUnits', { pool: input.poolId });
  await change('completeWorkUnits', { units: [{ id: String(unitIds[0]), fence: 1 }] });
}
