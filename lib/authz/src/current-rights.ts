import type { Role } from './actions.js';
import type { ElevationReference } from './elevation.js';
import { createPrincipal, type Grant, type Principal } from './principal.js';
import type { Revocable, RevocationList } from './revocations.js';

/** Rights of a person or a service as a directory has read them. */
export interface PersonRights {
  /** Undefined for a subject that the directory does not know: the rights of its token count. */
  readonly grants: readonly Grant[] | undefined;
  /** Roles that the holder may take for a short time; a token has those that its elevation names. */
  readonly ready?: readonly Grant[] | undefined;
  /** Ids of its groups that have not ended. */
  readonly groups?: readonly string[] | undefined;
  /** Subjects of the other identities of the same person. */
  readonly linked?: readonly string[] | undefined;
  /** False as soon as the rights may have changed; they must be read again then. */
  readonly isCurrent: boolean;
}

/** Rights of people and services as they are now, which a token does not know. */
export interface PeopleDirectory {
  /**
   * @param issuedAt time at which a token was issued that may state rights which were given just before:
   *   rights that were read earlier are read again
   */
  rightsOf(subject: string, issuedAt?: Date): Promise<PersonRights>;
}

/** A principal about which {@link CurrentRights} are asked. */
export type RightsHolder = Pick<Revocable, 'subject' | 'actsFor' | 'issuer' | 'tokenId' | 'issuedAt'>;

/** State of a principal since its token was issued. */
export interface RightsNow extends Pick<PersonRights, 'ready' | 'groups' | 'linked'> {
  /** True if the token was revoked. */
  readonly isRevoked: boolean;
  /** Its grants, or those of the human that it acts for; undefined where only the token knows them. */
  readonly grants: readonly Grant[] | undefined;
}

/** Source of the rights that a principal has now, for work that continues without its token. */
export interface CurrentRights {
  /**
   * @param checkedAt time at which a gateway checked the token: just after it, the rights of the token count,
   *   so that short work costs no further question
   * @throws DomainError SERVICE_UNAVAILABLE if they cannot be learned; the work must wait then
   */
  of(holder: RightsHolder, checkedAt?: Date): Promise<RightsNow>;
}

/** Without a source, the rights of the token count. */
export const rightsOfToken: CurrentRights = {
  of: async () => ({ isRevoked: false, grants: undefined }),
};

/** The rights that a directory and a deny list in this process know. */
export function currentRights(
  people: PeopleDirectory | undefined,
  revocations?: Pick<RevocationList, 'isRevoked'>,
): CurrentRights {
  return {
    of: async (holder) => {
      if (revocations?.isRevoked(holder)) return { isRevoked: true, grants: [] };
      const rights = await people?.rightsOf(holder.actsFor ?? holder.subject);
      const { grants, ready = [], groups = [], linked = [] } = rights ?? { grants: undefined };
      return {
        ...{ isRevoked: false, grants },
        ...(ready.length > 0 && { ready }),
        ...(groups.length > 0 && { groups }),
        ...(linked.length > 0 && { linked }),
      };
    },
  };
}

/**
 * The principal with the rights of its token that it still has, for work that continues without it. Undefined
 * if it was revoked.
 * @throws DomainError SERVICE_UNAVAILABLE
 */
export async function withCurrentRights(
  principal: Principal,
  rights: CurrentRights,
  now: Date,
  checkedAt?: Date,
): Promise<Principal | undefined> {
  const found = await rights.of(principal, checkedAt);
  return found.isRevoked ? undefined : limitedTo(principal, found, now);
}

/**
 * The principal with its rights limited to grants that were given to it, or to its human, later. It is
 * unchanged if they contain all of its roles, so that callers whose rights did not shrink share scopes. Roles
 * of its elevation count until the elevation ends, while they are still ready for it. Its groups and linked
 * identities are those of now; an agent has none, and the token of an attempt has no linked identities.
 */
export function limitedTo(
  principal: Principal,
  rights: Pick<PersonRights, 'grants' | 'ready' | 'groups' | 'linked'>,
  now: Date,
): Principal {
  const limited = withLimits(principal, rights, now);
  if (rights.grants === undefined || principal.kind === 'AGENT') return limited;
  const groups = unlessEmpty(rights.groups);
  const linked = principal.attempt ? undefined : unlessEmpty(rights.linked);
  if (!groups && !linked && !limited.groups && !limited.linked) return limited;
  return createPrincipal({ ...limited, token: limited.token, groups, linked });
}

const unlessEmpty = (found: readonly string[] = []): readonly string[] | undefined =>
  found.length === 0 ? undefined : found;

function withLimits(
  principal: Principal,
  { grants, ready }: Pick<PersonRights, 'grants' | 'ready'>,
  now: Date,
): Principal {
  const { elevation } = principal;
  const isElevated = elevation !== undefined && now < elevation.until;
  if (grants === undefined)
    return !elevation || isElevated ? principal : withoutElevation(principal, elevation);
  const limit = isElevated ? [...grants, ...taken(elevation, ready ?? [])] : grants;
  if (principal.kind !== 'AGENT' && covers(limit, principal.grants)) return principal;
  return createPrincipal({ ...principal, token: principal.token, boundedBy: limit });
}

/** The roles of an elevation that are ready. */
function taken({ experiment, roles }: ElevationReference, ready: readonly Grant[]): readonly Grant[] {
  const left = roles.filter((role) => covers(ready, [{ experiment, roles: [role] }]));
  return left.length === 0 ? [] : [{ experiment, roles: left }];
}

/** Without a directory, nobody knows which of the roles the holder has by itself, too. */
function withoutElevation(principal: Principal, { experiment, roles }: ElevationReference): Principal {
  const grants = principal.grants.map((one) =>
    one.experiment === experiment
      ? { experiment, roles: one.roles.filter((role) => !roles.includes(role)) }
      : one,
  );
  return createPrincipal({ ...principal, token: principal.token, grants });
}

/** True if the first grants contain all roles of the second ones. */
export function covers(now: readonly Grant[], stated: readonly Grant[]): boolean {
  const has = (experiment: string, role: Role): boolean =>
    now.some((one) => (one.experiment === '*' || one.experiment === experiment) && one.roles.includes(role));
  return stated.every(({ experiment, roles }) => roles.every((role) => has(experiment, role)));
}
