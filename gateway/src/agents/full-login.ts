/** Tokens with which a person may give rights to agents. */
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { Identity } from '@rhizome/identity';

/** Identity of a gateway, if it has one. */
export type Logins = () => Pick<Identity, 'webSessions'> | undefined;

/** True unless a token was passed on, or has less than a login gives. Sessions of browsers are logins. */
export async function isFullLogin(by: Principal, logins: Logins): Promise<boolean> {
  return by.limited !== true || ((await logins()?.webSessions.isOfSession(by)) ?? false);
}

/** @throws DomainError FORBIDDEN unless {@link isFullLogin} */
export async function assertFullLogin(by: Principal, logins: Logins): Promise<void> {
  if (await isFullLogin(by, logins)) return;
  throw new DomainError('FORBIDDEN', 'Your token was passed on or is limited; must be that of a login');
}
