import { z } from 'zod';
import { grantsClaim, maxGroups, maxIdentities, name, numericDate } from './claim-forms.js';
import { elevationClaim, readElevation } from './elevation.js';
import { grantFault, type ResolvedConstraints, timeFault } from './issuer-constraints.js';
import {
  createPrincipal,
  createSharedPrincipal,
  never,
  type Principal,
  type PrincipalKind,
  principalKinds,
} from './principal.js';
import { normalType, type TokenKind, tokenKindOf, tokenKinds } from './token-kinds.js';

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** SHA-256, in base64url. */
const thumbprint = z.string().regex(/^[\w-]{43}$/);

/** The claims that Rhizome reads; others are left alone. */
const claims = z.object({
  iss: z.string().min(1),
  sub: name,
  exp: numericDate,
  iat: numericDate,
  jti: name,
  /** Software to which an issuer has delegated the token (RFC 8693). */
  act: z.unknown().optional(),
  queue: name.optional(),
  wid: name.optional(),
  /** Key or client certificate of the holder. */
  cnf: z.union([z.object({ jkt: thumbprint }), z.object({ 'x5t#S256': thumbprint })]).optional(),
  attempt: z.object({ jobId: name, attempt: count, fence: count }).optional(),
  rhizome: z.object({
    kind: z.enum(principalKinds),
    grants: grantsClaim,
    actions: z.array(z.string().min(1).max(100)).max(200).optional(),
    actsFor: name.optional(),
    /** Of agents: the grants of the human, which limit the agent's. */
    boundedBy: grantsClaim.optional(),
    elevation: elevationClaim.optional(),
    limited: z.boolean().optional(),
    /** Of call tokens only. */
    call: z
      .object({
        /** The call is for an authorisation scope, not for a person. */
        shared: z.boolean().optional(),
        service: name.optional(),
        /** The gateway, if it makes the call for itself. */
        gateway: name.optional(),
        groups: z.array(name).max(maxGroups).optional(),
        linked: z.array(name).max(maxIdentities).optional(),
        /** The caller's own token. */
        origin: z
          .object({ iss: z.string().min(1), jti: name, iat: numericDate, kind: z.enum(tokenKinds) })
          .partial()
          .optional(),
      })
      .optional(),
  }),
});

type Claims = z.output<typeof claims>;

/** A token whose signature is verified. */
export interface VerifiedToken {
  readonly payload: unknown;
  readonly header: { readonly typ?: unknown };
  readonly token: string;
}

/** Rules that a token must follow. */
export interface TokenRules {
  readonly constraints: ResolvedConstraints;
  /** Kinds that the verifier accepts. */
  readonly kinds: ReadonlySet<TokenKind>;
  /** Aliases of other issuers: no plain subject may look like one of theirs. */
  readonly aliases: ReadonlySet<string>;
  readonly nowSeconds: number;
}

/**
 * A principal from verified claims.
 *
 * @returns the principal, or what is wrong with the claims, in words
 */
export function principalFromClaims(verified: VerifiedToken, rules: TokenRules): Principal | string {
  const parsed = claims.safeParse(verified.payload);
  if (!parsed.success) {
    return parsed.error.issues
      .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
      .join('; ');
  }
  const kind = kindOf(verified.header.typ, parsed.data.rhizome.kind, rules);
  if ('fault' in kind) return kind.fault;
  const fault =
    subjectFault(parsed.data, kind.found, rules) ??
    kindFault(parsed.data, kind.found) ??
    grantFault(rules.constraints, parsed.data.rhizome.grants) ??
    timeFault(rules.constraints, { ...parsed.data, kind: kind.found }, rules.nowSeconds);
  return fault ?? principalOf(parsed.data, kind.found, rules.constraints, verified.token);
}

function kindOf(
  typ: unknown,
  principalKind: PrincipalKind,
  { constraints, kinds }: TokenRules,
): { readonly found: TokenKind } | { readonly fault: string } {
  const named = normalType(typ);
  const type = constraints.untyped && (named === undefined || named === 'jwt') ? 'at+jwt' : named;
  const found = type === undefined ? undefined : tokenKindOf(type, principalKind);
  const shown = JSON.stringify(typ ?? null);
  if (!found) return { fault: `its type is ${shown}; expected "at+jwt"` };
  if (!constraints.kinds.has(found))
    return { fault: `issuer "${constraints.issuer}" may not issue ${found} tokens` };
  if (!kinds.has(found))
    return { fault: `it is a ${found} token (type ${shown}), which is not accepted here` };
  return { found };
}

/** Software that has exchanged a token of its own, such as a CI job: the service of no experiment. */
const ownService = /^svc_[0-9A-Z]{26}$/;

/** Prefixes of subjects that are no people. */
const reservedPrefixes: ReadonlySet<string> = new Set(['pilot', 'worker', 'experiment']);

function subjectFault({ sub, rhizome }: Claims, kind: TokenKind, rules: TokenRules): string | undefined {
  const prefix = /^([^:]*):./.exec(sub)?.[1];
  // The gateway writes the subjects of call tokens from principals that it verified.
  if (kind === 'CALL') return undefined;
  if (rhizome.kind === 'PILOT') {
    if (kind === 'WORKER')
      return prefix === 'worker' ? undefined : 'sub: the subject of a worker is worker:<id>';
    return prefix === 'pilot' ? undefined : 'sub: the subject of a pilot is pilot:<queue>';
  }
  if (rhizome.kind === 'SERVICE')
    return prefix === 'experiment' || ownService.test(sub)
      ? undefined
      : 'sub: the subject of a service is experiment:<name> or svc_<id>';
  const names = [sub, rhizome.actsFor ?? ''].map((one) => /^([^:]*):/.exec(one)?.[1]);
  const reserved = names.find((one) => one !== undefined && reservedPrefixes.has(one));
  if (reserved !== undefined)
    return `sub: a subject that starts with "${reserved}:" is not a ${rhizome.kind}`;
  // The token of an attempt belongs to the owner of the job, whose subject may have an alias.
  if (kind === 'ATTEMPT' && rules.constraints.alias === undefined) return undefined;
  const taken = names.find((one) => one !== undefined && rules.aliases.has(one));
  return taken === undefined || rules.constraints.alias !== undefined
    ? undefined
    : `sub: subjects that start with "${taken}:" belong to another issuer`;
}

function kindFault(found: Claims, kind: TokenKind): string | undefined {
  const { wid, queue, attempt, rhizome } = found;
  // The gateway writes call tokens from principals that it verified; that of a scope names nobody.
  if (kind === 'CALL') return undefined;
  if (rhizome.kind === 'AGENT' && rhizome.actsFor === undefined)
    return 'rhizome.actsFor: an agent acts for a human, name them';
  if (rhizome.kind !== 'AGENT' && rhizome.actsFor !== undefined)
    return 'rhizome.actsFor: only an agent acts for somebody';
  if (rhizome.kind !== 'AGENT' && rhizome.boundedBy !== undefined)
    return "rhizome.boundedBy: only an agent's rights are limited by those of a human";
  if (rhizome.kind !== 'HUMAN' && rhizome.elevation !== undefined)
    return 'rhizome.elevation: only a person takes further roles';
  if (rhizome.call) return 'rhizome.call: only a call token has it';
  if (queue !== undefined && kind !== 'WORKER') return 'queue: only the token of a worker names one';
  if (kind === 'WORKER' && rhizome.kind !== 'PILOT') return 'rhizome.kind: the token of a worker is a PILOT';
  if (kind === 'WORKER' && (wid === undefined || queue === undefined))
    return 'wid, queue: the token of a worker names both';
  if (kind !== 'WORKER' && wid !== undefined) return 'wid: only the token of a worker names one';
  if (kind === 'ATTEMPT' && attempt === undefined) return 'attempt: the token of an attempt names it';
  if (kind === 'ATTEMPT' && (rhizome.kind === 'PILOT' || rhizome.kind === 'AGENT'))
    return 'rhizome.kind: the token of an attempt belongs to the owner of the job';
  if (kind !== 'ATTEMPT' && attempt !== undefined) return 'attempt: only the token of an attempt names one';
  return undefined;
}

function principalOf(
  found: Claims,
  tokenKind: TokenKind,
  { alias }: ResolvedConstraints,
  token: string,
): Principal {
  if (tokenKind === 'CALL') return principalOfCall(found, token);
  const { sub, iss, exp, iat, jti, act, queue, wid, cnf, attempt, rhizome } = found;
  const isPerson = rhizome.kind === 'HUMAN' || rhizome.kind === 'AGENT';
  const qualified = (subject: string): string => (alias && isPerson ? `${alias}:${subject}` : subject);
  return createPrincipal({
    kind: rhizome.kind,
    subject: qualified(sub),
    grants: rhizome.grants,
    boundedBy: rhizome.boundedBy,
    actions: rhizome.actions,
    actsFor: rhizome.actsFor === undefined ? undefined : qualified(rhizome.actsFor),
    expiresAt: dateOf(exp),
    issuedAt: dateOf(iat),
    issuer: iss,
    tokenId: jti,
    tokenKind,
    elevation: rhizome.elevation && readElevation(rhizome.elevation),
    // A token that its issuer has delegated to software (RFC 8693) is not in the hands of the person.
    limited: act === undefined ? rhizome.limited : true,
    ...holderOf(cnf),
    queue,
    worker: wid,
    attempt,
    token,
  });
}

/**
 * The caller of a call token. The call token is short, and checked when a call or a stream starts; the
 * gateway ends streams when the caller's own token ends.
 */
function principalOfCall({ sub, queue, wid, cnf, attempt, rhizome }: Claims, token: string): Principal {
  const { kind, grants, boundedBy, actions, actsFor, elevation, call = {} } = rhizome;
  const { service, gateway, groups, linked, origin = {} } = call;
  const common = { kind, grants, boundedBy, actions, expiresAt: never, queue, service, token };
  if (call.shared) return createSharedPrincipal({ ...common, worker: wid, attempt });
  return createPrincipal({
    ...common,
    subject: sub,
    actsFor,
    gateway,
    groups,
    linked,
    issuer: origin.iss,
    tokenId: origin.jti,
    issuedAt: origin.iat === undefined ? undefined : dateOf(origin.iat),
    tokenKind: origin.kind,
    elevation: elevation && readElevation(elevation),
    ...holderOf(cnf),
    worker: wid,
    attempt,
  });
}

function holderOf(cnf: Claims['cnf']): Pick<Principal, 'keyThumbprint' | 'certificateThumbprint'> {
  if (cnf === undefined) return {};
  return 'jkt' in cnf ? { keyThumbprint: cnf.jkt } : { certificateThumbprint: cnf['x5t#S256'] };
}

function dateOf(seconds: number): Date {
  return new Date(seconds * 1000);
}
