/** Roles that robots can have: none with which a key that lasts for a year could give rights to others. */
import type { Grant, Role } from '@rhizome/authz';
import type { InputErrors } from '@rhizome/errors';
import { mergedGrants } from '../issuers/assess.js';
import type { HeldRoles } from '../principals/principal.document.js';

/** All of them. */
export const robotRoles = ['OPERATOR', 'PRODUCTION', 'USER', 'READER', 'SERVICE'] as const satisfies Role[];

/** True for one of {@link robotRoles}. */
function isRobotRole(role: Role): boolean {
  return (robotRoles as readonly Role[]).includes(role);
}

/** Collects the errors of roles that are given to a robot. */
export function checkRolesOfRobot(roles: readonly Role[], errors: Pick<InputErrors, 'add'>): void {
  const refused = roles.find((role) => !isRobotRole(role));
  if (refused !== undefined) errors.add(['roles'], refused, `one of ${robotRoles.join(', ')} for a robot`);
}

/** Rights of a robot by its memberships and groups. */
export function grantsOfRobot(held: readonly HeldRoles[]): readonly Grant[] {
  return mergedGrants(
    held.map(({ experiment, roles }) => ({ experiment, roles: roles.filter(isRobotRole) })),
  );
}
