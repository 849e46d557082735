import type { Role } from '@rhizome/authz';
import type { InputErrors } from '@rhizome/errors';

/** Collects the errors of roles that are given to a principal: each once, and not that of workers. */
export function checkRoles(
  field: string,
  roles: readonly Role[],
  errors: Pick<InputErrors, 'distinct' | 'add'>,
): void {
  errors.distinct([field], roles);
  if (roles.includes('PILOT')) errors.add([field], 'PILOT', 'another role; workers enrol instead');
}
