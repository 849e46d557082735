/** Tokens with which a person may give rights to agents. */
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { Identity } from '@rhizome/identity';

/** Identity of a gateway, if it has one. */
export type Logins = () => Pick<Identity, 'webSessions'> | undefined;

/** @throws DomainError FORBIDDEN for a token that was passed on, or that has less than a login gives */
export async function assertFullLogin(by: Principal, logins: Logins): Promise<void> {
  if (by.limited !== true || (await logins()?.webSessions.ofPrincipal(by))) return;
  throw new DomainError('FORBIDDEN', 'Your token was passed on or is limited; must be that of a login');
}
