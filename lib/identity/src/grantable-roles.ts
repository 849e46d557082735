/** Checks of roles that are given to principals. */
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

/** Collects the errors of the end of roles, and of the reason for them. */
export function checkEnd(
  { expiresAt, reason }: { readonly expiresAt: Date | null; readonly reason: string | null },
  now: Date,
  errors: Pick<InputErrors, 'add' | 'text'>,
): void {
  if (expiresAt !== null && expiresAt <= now) errors.add(['expiresAt'], expiresAt, 'in the future');
  if (reason !== null) errors.text(['reason'], reason, 1, 1000);
}
