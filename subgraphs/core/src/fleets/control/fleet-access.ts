/** Access of callers to fleets. */
import { can, type CoreAction, owns, type Principal } from '@rhizome/authz';
import type { InputErrors } from '@rhizome/errors';
import type { FleetDocument } from '../model/fleet.document.js';

/** Codes of fleets that may not be changed. */
export type FleetAccessCode = 'FLEET_NOT_FOUND' | 'FORBIDDEN';

/** True if the principal may see the fleet. Payloads, which act by the token of an attempt, see none. */
export function maySeeFleet(
  principal: Principal,
  { experiment }: Pick<FleetDocument, 'experiment'>,
): boolean {
  return principal.attempt === undefined && can(principal, 'pool:read', experiment);
}

/**
 * The fleet if the principal may change it: its owner, and those who manage the jobs of others, if they have
 * the action. Otherwise adds an error.
 */
export function changeableFleet(
  errors: Pick<InputErrors<FleetAccessCode>, 'report'>,
  principal: Principal,
  action: CoreAction,
  id: string,
  fleet: FleetDocument | null,
): FleetDocument | undefined {
  if (!fleet || !maySeeFleet(principal, fleet)) {
    const text = `Fleet ${JSON.stringify(id.slice(0, 100))} not found, or you may not see it.`;
    errors.report('FLEET_NOT_FOUND', ['fleetId'], text);
    return undefined;
  }
  const { experiment, owner, name } = fleet;
  const isPermitted = can(principal, action, experiment);
  if (isPermitted && (owns(principal, owner) || can(principal, 'job:manageAny', experiment))) return fleet;
  const why = isPermitted ? `it belongs to ${owner}` : `you may not ${action} in ${experiment}`;
  errors.report('FORBIDDEN', ['fleetId'], `You may not change fleet "${name}": ${why}`);
  return undefined;
}
