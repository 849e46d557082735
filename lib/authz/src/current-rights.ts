import { createPrincipal, type Grant, type Principal } from './principal.js';
import type { RevocationList } from './revocations.js';

/** Rights of people as they are now, which a token does not know. */
export interface PeopleDirectory {
  /** Grants of a person; empty for one without rights, undefined for one that the directory does not know. */
  grantsOf(subject: string): Promise<readonly Grant[] | undefined>;
}

/** Sources of what changed since a token was issued. Without them its own rights count. */
export interface CurrentRights {
  readonly people?: PeopleDirectory | undefined;
  readonly revocations?: RevocationList | undefined;
}

/**
 * The principal with the rights of its token that it still has, for work that continues without it. Undefined
 * if it was revoked.
 */
export async function withCurrentRights(
  principal: Principal,
  { people, revocations }: CurrentRights,
): Promise<Principal | undefined> {
  if (revocations?.isRevoked(principal)) return undefined;
  const grants = await people?.grantsOf(principal.subject);
  return grants === undefined ? principal : createPrincipal({ ...principal, boundedBy: grants });
}

/** An agent with the rights that its human has now, where the directory knows the human. */
export async function withHumanOf(principal: Principal, people?: PeopleDirectory): Promise<Principal> {
  if (principal.kind !== 'AGENT' || principal.actsFor === undefined) return principal;
  const grants = await people?.grantsOf(principal.actsFor);
  if (grants === undefined) return principal;
  return createPrincipal({ ...principal, token: principal.token, boundedBy: grants });
}
