import { DomainError } from '@rhizome/errors';
import type { Role } from './actions.js';
import type { ElevationReference } from './elevation.js';
import type { PrincipalKind } from './principal-kinds.js';
import type { TokenKind } from './token-kinds.js';

export { type PrincipalKind, principalKinds } from './principal-kinds.js';

/** Roles of a principal in one experiment, or in all of them by `*`. */
export interface Grant {
  readonly experiment: string;
  readonly roles: readonly Role[];
}

/** The attempt that a token of kind ATTEMPT belongs to; such a token ends with the fence. */
export interface AttemptReference {
  readonly jobId: string;
  readonly attempt: number;
  readonly fence: number;
}

/** `expiresAt` of a principal without an end: the latest time that a date can be. */
export const never = new Date(8.64e15);

/** Facts of the token that a principal was read from; absent where there was no token. */
interface TokenFacts {
  /** The `iss` claim. */
  readonly issuer?: string | undefined;
  /** The `jti` claim. */
  readonly tokenId?: string | undefined;
  /** The `iat` claim. */
  readonly issuedAt?: Date | undefined;
  readonly tokenKind?: TokenKind | undefined;
  /** Roles among the grants that the holder took for a short time, with a reason. */
  readonly elevation?: ElevationReference | undefined;
  /**
   * True for a token that its holder passes on, or that has less than a login gives: fewer rights or a
   * shorter lifetime. No further roles can be taken with it.
   */
  readonly limited?: boolean | undefined;
  /** Thumbprint of the key that the holder must prove to have (`cnf.jkt`). */
  readonly keyThumbprint?: string | undefined;
  /** Thumbprint of the client certificate that the holder must present (`cnf.x5t#S256`). */
  readonly certificateThumbprint?: string | undefined;
}

/** Facts of the holder, of which queue and service follow from the subject unless they are given. */
interface HolderFacts {
  /** The queue a pilot works for, from its token or its subject. */
  readonly queue?: string | undefined;
  /** The experiment a service belongs to, from its subject. */
  readonly service?: string | undefined;
  /** The worker whose credential this is; no other worker may be reported for. */
  readonly worker?: string | undefined;
  readonly attempt?: AttemptReference | undefined;
  /** The gateway that makes the call for itself and for no caller; see {@link gatewayPrincipal}. */
  readonly gateway?: string | undefined;
  /** Ids of the groups of a person or a service now, as a directory has read them. */
  readonly groups?: readonly string[] | undefined;
  /** Subjects of the other identities of the same person now, whose jobs it owns, too; see {@link owns}. */
  readonly linked?: readonly string[] | undefined;
}

/** A verified identity. Made by a verifier, or by {@link createPrincipal} where there is no token. */
export interface Principal extends TokenFacts, HolderFacts {
  readonly kind: PrincipalKind;
  /**
   * A person, `pilot:<queue>`, `worker:<id>` or `experiment:<name>`: the token's `sub`, prefixed with the
   * alias of its issuer where that has one, so that equal subjects of two issuers differ.
   */
  readonly subject: string;
  /** The human an agent acts for. */
  readonly actsFor?: string | undefined;
  readonly grants: readonly Grant[];
  /**
   * Limit of the rights: grants of another principal, or of another time, that must allow an action as well.
   * For an agent they are those of its human, and an agent without them has no rights.
   */
  readonly boundedBy?: readonly Grant[] | undefined;
  /** Upper limit of the actions; all actions of the grants without one. */
  readonly actions?: readonly string[] | undefined;
  /** From here on the principal is nobody; long streams end with TOKEN_EXPIRED. */
  readonly expiresAt: Date;
  /**
   * True for the principal of a shared read or stream, which stands for everybody with these rights: it
   * has no subject, and reading it throws.
   */
  readonly shared?: boolean | undefined;
  /** The bearer token as it came: not enumerable, so that no log or copy carries it. */
  readonly token?: string | undefined;
}

/** Input of {@link createPrincipal}; `queue` and `service` follow from the subject if they are not given. */
export interface PrincipalInit extends TokenFacts, HolderFacts {
  readonly kind: PrincipalKind;
  readonly subject: string;
  readonly grants: readonly Grant[];
  readonly boundedBy?: readonly Grant[] | undefined;
  readonly actions?: readonly string[] | undefined;
  readonly expiresAt: Date;
  readonly actsFor?: string | undefined;
  readonly token?: string | undefined;
}

/**
 * Makes a frozen principal; the queue of a pilot and the experiment of a service are read from the subject.
 */
export function createPrincipal(init: PrincipalInit): Principal {
  const { kind, subject, expiresAt, token } = init;
  const principal: Principal = {
    kind,
    subject,
    grants: init.grants.map(({ experiment, roles }) => Object.freeze({ experiment, roles: [...roles] })),
    expiresAt,
    ...derived(kind, subject),
    ...optional(init),
  };
  if (token !== undefined) Object.defineProperty(principal, 'token', { value: token, enumerable: false });
  return Object.freeze(principal);
}

/**
 * The principal by which a gateway calls a subgraph for itself. It has no roles. No token from outside can
 * stand for it: only call tokens name a gateway.
 *
 * @param gateway id of the process
 */
export function gatewayPrincipal(gateway: string): Principal {
  return createPrincipal({ kind: 'SERVICE', subject: 'gateway', gateway, grants: [], expiresAt: never });
}

/**
 * Makes the principal of an authorisation scope: it has the rights of the given one, and is nobody. What
 * depends on a person cannot be read for it.
 */
export function createSharedPrincipal(init: Omit<PrincipalInit, 'subject' | 'actsFor'>): Principal {
  const { kind, grants, boundedBy, actions, expiresAt, queue, service, worker, attempt, token } = init;
  const bounds = { ...(boundedBy && { boundedBy }), ...(actions && { actions }) };
  const holder = {
    ...(queue && { queue }),
    ...(service && { service }),
    ...(worker && { worker }),
    ...(attempt && { attempt }),
  };
  const limits = { ...bounds, ...holder };
  const copy = grants.map((grant) => Object.freeze({ ...grant, roles: [...grant.roles] }));
  const principal = { kind, grants: copy, expiresAt, shared: true, ...limits };
  if (token !== undefined) Object.defineProperty(principal, 'token', { value: token, enumerable: false });
  // Not enumerable, so that copies and logs of the principal do not read it.
  Object.defineProperty(principal, 'subject', { get: throwShared, enumerable: false });
  return Object.freeze(principal) as typeof principal & Pick<Principal, 'subject'>;
}

function throwShared(): never {
  throw new DomainError(
    'INTERNAL_SERVER_ERROR',
    'The subject of a shared read was read; mark the field @perPrincipal if its answer depends on the caller',
  );
}

/**
 * True if something belongs to the principal: its own subject owns it, or one of the identities that are
 * linked to it. A link gives no permission: an action needs that of the principal's own roles.
 */
export function owns(principal: Principal, owner: string | null | undefined): boolean {
  if (owner == null) return false;
  return owner === principal.subject || (principal.linked?.includes(owner) ?? false);
}

/** The principal in messages: its kind and subject, without the subject where a read is shared. */
export function describePrincipal(principal: Principal): string {
  return principal.shared
    ? `A ${principal.kind} with these rights`
    : `${principal.kind} "${principal.subject}"`;
}

const optionalKeys = [
  'actsFor',
  'actions',
  'boundedBy',
  'queue',
  'service',
  'worker',
  'attempt',
  'gateway',
  'groups',
  'linked',
  'issuer',
  'tokenId',
  'issuedAt',
  'tokenKind',
  'elevation',
  'limited',
  'keyThumbprint',
  'certificateThumbprint',
] as const;

/** Absent facts are absent keys, so that equal principals have equal shapes in tests and logs. */
function optional(init: PrincipalInit): Partial<PrincipalInit> {
  const found: Record<string, unknown> = {};
  for (const key of optionalKeys) if (init[key] !== undefined) found[key] = init[key];
  return found;
}

function derived(kind: PrincipalKind, subject: string): Pick<Principal, 'queue' | 'service'> {
  const name = subject.slice(subject.indexOf(':') + 1);
  if (kind === 'PILOT' && subject.startsWith('pilot:')) return { queue: name };
  if (kind === 'SERVICE' && subject.startsWith('experiment:')) return { service: name };
  return {};
}
