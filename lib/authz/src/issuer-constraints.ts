/** Constraints of issuers: kinds, roles, experiments, audiences and lifetimes of their tokens. */
import { type Role, roles } from './actions.js';
import type { Grant } from './principal.js';
import { maxLifetimes, type TokenKind } from './token-kinds.js';

/** Constraints of an issuer's record. */
export interface IssuerConstraints {
  /**
   * Prefix of its subjects (`<alias>:<sub>`), as `sub` is unique within one issuer only. The deployment's own
   * issuer has none: its subjects are stored as they are.
   */
  readonly alias?: string | undefined;
  /** Token kinds it may issue; default: all but CALL, or USER for an issuer with an alias. */
  readonly kinds?: readonly TokenKind[] | undefined;
  /** Roles it may grant; default: all, or READER and USER for an issuer with an alias. */
  readonly roles?: readonly Role[] | undefined;
  /** Experiments it may grant in, or `*`; default: `*`, or none for an issuer with an alias. */
  readonly experiments?: '*' | readonly string[] | undefined;
  /** Accepted values of `aud`; default: those of the verifier. */
  readonly audiences?: readonly string[] | undefined;
  /** Largest `exp − iat`; default: the bound of the token kind. */
  readonly maxLifetimeSeconds?: number | undefined;
  /** Seconds that `iat` and `nbf` may lie in the future; default and maximum 60. */
  readonly toleranceSeconds?: number | undefined;
  /** Accepts access tokens without `typ: at+jwt`, as older issuers write them; default false. */
  readonly untyped?: boolean | undefined;
}

/** Constraints with their defaults applied. */
export interface ResolvedConstraints {
  readonly issuer: string;
  readonly alias: string | undefined;
  readonly kinds: ReadonlySet<TokenKind>;
  readonly roles: ReadonlySet<Role>;
  readonly experiments: '*' | ReadonlySet<string>;
  readonly audiences: readonly string[];
  readonly maxLifetimeSeconds: number | undefined;
  readonly toleranceSeconds: number;
  readonly untyped: boolean;
}

/** Largest clock difference between an issuer and a verifier, in seconds. */
export const maxToleranceSeconds = 60;

const ownKinds: readonly TokenKind[] = ['USER', 'SERVICE', 'AGENT', 'QUEUE', 'WORKER', 'ATTEMPT'];

/** Applies the defaults. An issuer with an alias is foreign: by default it may assert little. */
export function resolveConstraints(
  issuer: string,
  given: IssuerConstraints,
  audiences: readonly string[],
): ResolvedConstraints {
  const isForeign = given.alias !== undefined;
  const experiments = given.experiments ?? (isForeign ? [] : '*');
  return {
    issuer,
    alias: given.alias,
    kinds: new Set(given.kinds ?? (isForeign ? ['USER'] : ownKinds)),
    roles: new Set(given.roles ?? (isForeign ? ['READER', 'USER'] : roles)),
    experiments: experiments === '*' ? '*' : new Set(experiments),
    audiences: given.audiences ?? audiences,
    maxLifetimeSeconds: given.maxLifetimeSeconds,
    toleranceSeconds: given.toleranceSeconds ?? maxToleranceSeconds,
    untyped: given.untyped ?? false,
  };
}

/** Grants of a token that its issuer may not give, in words; undefined if it may give all. */
export function grantFault(
  { issuer, roles: allowed, experiments }: ResolvedConstraints,
  grants: readonly Grant[],
): string | undefined {
  for (const [index, { experiment, roles: given }] of grants.entries()) {
    const field = `rhizome.grants.${index}`;
    if (experiments !== '*' && !experiments.has(experiment))
      return `${field}.experiment: issuer "${issuer}" may not grant in "${experiment}"`;
    const role = given.find((one) => !allowed.has(one));
    if (role) return `${field}.roles: issuer "${issuer}" may not grant ${role}`;
  }
  return undefined;
}

/** The error of a token's times, in words; undefined if right. A past `exp` is checked elsewhere. */
export function timeFault(
  { maxLifetimeSeconds, toleranceSeconds }: ResolvedConstraints,
  { iat, exp, kind }: { readonly iat: number; readonly exp: number; readonly kind: TokenKind },
  nowSeconds: number,
): string | undefined {
  if (iat > nowSeconds + toleranceSeconds) return 'iat: the token was issued in the future';
  if (exp <= iat) return 'exp: the token ends before it was issued';
  const most = maxLifetimeSeconds ?? maxLifetimes[kind];
  if (exp - iat > most) return `exp: the token is valid for ${exp - iat} s; at most ${most} s are accepted`;
  return undefined;
}
