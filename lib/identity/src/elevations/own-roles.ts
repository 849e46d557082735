/** Roles of an elevation end with it: its holder cannot use them to keep them. */
import { describePrincipal, owns, type Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';

/**
 * @param concerned the principal whose lasting roles would change
 * @throws DomainError FORBIDDEN for a principal with elevated roles that would change its own ones, or those
 *   of its linked identities
 */
export function assertNotOwnRoles(by: Principal, concerned: string): void {
  if (!by.elevation || !owns(by, concerned)) return;
  const why = 'the roles of an elevation end with it';
  throw new DomainError('FORBIDDEN', `${describePrincipal(by)} may not change its own roles: ${why}`);
}
