import { hash } from 'node:crypto';
import { DomainError, isDomainError } from '@rhizome/errors';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTVerifyResult } from 'jose';
import { principalFromClaims } from './claims.js';
import { limitedTo, type PeopleDirectory, type PersonRights } from './current-rights.js';
import { type Clock, systemClock } from '@rhizome/clock';
import { LRUCache } from 'lru-cache';
import { keySource, type KeySource, type TrustedIssuer } from './keys.js';
import { resolveConstraints, type ResolvedConstraints } from './issuer-constraints.js';
import type { Principal } from './principal.js';
import type { RevocationList } from './revocations.js';
import { accessTokenKinds, type TokenKind } from './token-kinds.js';

/** Accepted issuers, token kinds, and the audience that tokens must name. */
export interface VerifierOptions {
  readonly issuers: readonly TrustedIssuer[];
  /** Accepted kinds of tokens; default: access tokens. */
  readonly kinds?: readonly TokenKind[];
  /** The `aud` that a token must carry, or several of which it must carry one; default `rhizome`. */
  readonly audience?: string | readonly string[];
  /** Deny list; a token on it is refused, also one that was verified before. */
  readonly revocations?: RevocationList | undefined;
  /** Knows the rights that callers, and the humans of agents, have now; without it the tokens' count. */
  readonly people?: PeopleDirectory | undefined;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Maximum number of verified tokens in memory; default 10,000. */
  readonly cacheSize?: number;
  /** Maximum size of verified tokens in memory, in bytes; default 32 MiB. */
  readonly cacheBytes?: number;
}

/** Turns bearer tokens into principals. */
export interface Verifier {
  /**
   * @throws DomainError TOKEN_EXPIRED, TOKEN_REVOKED, UNAUTHENTICATED for any other error of the token, or
   *   SERVICE_UNAVAILABLE while the keys of the issuer cannot be fetched
   * @param beforeCheck called before the work of a signature; a token that is in memory needs none
   */
  verify(token: string, beforeCheck?: () => Promise<void>): Promise<Principal>;
  /** The deny list, whose changes end open streams. */
  readonly revocations?: RevocationList | undefined;
}

interface Remembered {
  /** The principal with the rights that its token states. */
  readonly stated: Principal;
  /** The principal with those of them that it has now. */
  principal: Principal;
  /** Rights by the directory; undefined without a directory. */
  rights: PersonRights | undefined;
  /** End of the token, which is not that of the principal for call tokens. */
  readonly endsAt: Date;
  readonly source: KeySource;
  readonly version: unknown;
}

/** One issuer, ready for use. */
interface Issuer {
  readonly source: KeySource;
  readonly constraints: ResolvedConstraints;
}

/** Signatures by a public key only: a shared secret would let every verifier mint. */
export const signatureAlgorithms = [
  'ES256',
  'ES384',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
];
/** Largest accepted token, in characters. */
export const maxTokenLength = 16 * 1024;

/** A verifier with a bounded memory: a token is checked once, until it ends or its issuer's keys change. */
export function createVerifier(options: VerifierOptions): Verifier {
  return new JwtVerifier(options);
}

/** Time for which a refused token is refused again without a check, in milliseconds. */
const refusedForMs = 1000;
const refusedKept = 10_000;
/** Codes of refusals that another check repeats. */
const lastingRefusals: ReadonlySet<string> = new Set(['UNAUTHENTICATED', 'TOKEN_EXPIRED']);

class JwtVerifier implements Verifier {
  readonly revocations: RevocationList | undefined;
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #aliases: ReadonlySet<string>;
  readonly #kinds: ReadonlySet<TokenKind>;
  readonly #people: PeopleDirectory | undefined;
  readonly #clock: Clock;
  readonly #cache: LRUCache<string, Remembered>;
  readonly #refused: LRUCache<string, DomainError>;

  constructor(options: VerifierOptions) {
    const { issuers, audience = 'rhizome', clock = systemClock, kinds = accessTokenKinds } = options;
    const audiences = typeof audience === 'string' ? [audience] : audience;
    this.#issuers = issuersByName(issuers, audiences);
    this.#aliases = new Set(issuers.flatMap(({ alias }) => alias ?? []));
    this.#kinds = new Set(kinds);
    this.#people = options.people;
    this.#clock = clock;
    this.revocations = options.revocations;
    this.#cache = new LRUCache({
      max: options.cacheSize ?? 10_000,
      maxSize: options.cacheBytes ?? 32 * 1024 * 1024,
      sizeCalculation: ({ principal }) => sizeOf(principal),
    });
    // An own timer: the library's follows the system, not the given clock.
    this.#refused = new LRUCache({
      max: refusedKept,
      ttl: refusedForMs,
      ttlResolution: 0,
      perf: { now: () => clock.monotonicMs() + 1 },
    });
  }

  async verify(token: string, beforeCheck?: () => Promise<void>): Promise<Principal> {
    if (token.length > maxTokenLength) throw refused(`it is longer than ${maxTokenLength} characters`);
    const digest = hash('sha256', token, 'base64');
    const known = this.#cache.get(digest);
    if (known) {
      if (known.endsAt <= this.#clock.now()) {
        this.#cache.delete(digest);
        throw expired(known.endsAt);
      }
      if (known.source.version() === known.version) {
        const isCurrent = known.rights?.isCurrent ?? true;
        return this.#unlessRevoked(isCurrent ? known.principal : await this.#readAgain(known));
      }
      this.#cache.delete(digest);
    }
    const earlier = this.#refused.get(digest);
    if (earlier) throw earlier;
    try {
      return this.#unlessRevoked(await this.#check(token, digest, beforeCheck));
    } catch (error) {
      if (isDomainError(error) && lastingRefusals.has(error.code)) this.#refused.set(digest, error);
      throw error;
    }
  }

  /** The principal with its rights of now, after the directory has said that they may have changed. */
  async #readAgain(known: Remembered): Promise<Principal> {
    const { principal, rights } = await this.#limited(known.stated);
    Object.assign(known, { principal, rights });
    return principal;
  }

  async #limited(stated: Principal): Promise<Pick<Remembered, 'principal' | 'rights'>> {
    if (!this.#people || stated.kind === 'PILOT') return { principal: stated, rights: undefined };
    const rights = await this.#people.rightsOf(stated.actsFor ?? stated.subject, stated.issuedAt);
    return { principal: limitedTo(stated, rights, this.#clock.now()), rights };
  }

  #unlessRevoked(principal: Principal): Principal {
    if (this.revocations?.isRevoked(principal)) throw revoked();
    return principal;
  }

  async #check(token: string, digest: string, beforeCheck?: () => Promise<void>): Promise<Principal> {
    const { source, constraints } = this.#issuerOf(token);
    await beforeCheck?.();
    let version: unknown;
    let verified: JWTVerifyResult;
    do {
      version = source.version();
      verified = await this.#verified(token, source, constraints);
      // Keys that changed meanwhile, or came only now, decide.
    } while (source.version() !== version);
    const found = principalFromClaims(
      { payload: verified.payload, header: verified.protectedHeader, token },
      {
        constraints,
        kinds: this.#kinds,
        aliases: this.#aliases,
        nowSeconds: this.#clock.now().getTime() / 1000,
      },
    );
    if (typeof found === 'string') throw refused(found);
    const endsAt = new Date(Number(verified.payload.exp) * 1000);
    const limited = await this.#limited(found);
    this.#cache.set(digest, { stated: found, ...limited, endsAt, source, version });
    return limited.principal;
  }

  #issuerOf(token: string): Issuer {
    let issuer: unknown;
    try {
      if ('crit' in decodeProtectedHeader(token)) throw refused('its header has "crit"');
      issuer = decodeJwt(token).iss;
    } catch (error) {
      throw isDomainError(error) ? error : refused('it is not a JWT');
    }
    const found = typeof issuer === 'string' ? this.#issuers.get(issuer) : undefined;
    if (!found) throw refused(`its issuer ${JSON.stringify(issuer ?? null)} is not trusted here`);
    return found;
  }

  async #verified(
    token: string,
    source: KeySource,
    { audiences, toleranceSeconds }: ResolvedConstraints,
  ): Promise<JWTVerifyResult> {
    const now = this.#clock.now();
    try {
      const verified = await jwtVerify(token, source.key, {
        audience: [...audiences],
        algorithms: signatureAlgorithms,
        currentDate: now,
        // For `nbf` and `iat`: a token ends when it says so.
        clockTolerance: toleranceSeconds,
        requiredClaims: ['iss', 'sub', 'exp', 'iat', 'jti'],
      });
      const endsAt = Number(verified.payload.exp) * 1000;
      if (endsAt <= now.getTime()) throw expired(new Date(endsAt));
      return verified;
    } catch (error) {
      throw verificationFault(error, audiences);
    }
  }
}

/** @throws DomainError CONFIG_INVALID for two issuers whose subjects could be equal */
function issuersByName(
  issuers: readonly TrustedIssuer[],
  audiences: readonly string[],
): ReadonlyMap<string, Issuer> {
  const names = issuers.map(({ alias }) => alias ?? '');
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    const what = twice === '' ? 'more than one issuer has no alias' : `the alias "${twice}" is used twice`;
    throw new DomainError('CONFIG_INVALID', `issuers: ${what}; equal subjects of two issuers must differ`, {
      field: 'issuers',
      value: twice,
      expected: 'an alias of its own for each issuer but one',
    });
  }
  return new Map(
    issuers.map((issuer) => [
      issuer.issuer,
      { source: keySource(issuer), constraints: resolveConstraints(issuer.issuer, issuer, audiences) },
    ]),
  );
}

/** About the bytes that a principal keeps: its token, and what was parsed from it. */
function sizeOf({ token = '', grants, boundedBy = [] }: Principal): number {
  return 1024 + 2 * token.length + 200 * (grants.length + boundedBy.length);
}

function verificationFault(error: unknown, audiences: readonly string[]): unknown {
  if (isDomainError(error)) return error;
  if (error instanceof errors.JWTExpired) return expired(new Date(Number(error.payload.exp) * 1000));
  if (error instanceof errors.JWTClaimValidationFailed) return refused(claimFault(error, audiences), error);
  if (error instanceof errors.JOSEError) return refused(error.message, error);
  return error;
}

/** Describes an invalid claim: its value and the expectation. */
function claimFault(
  { claim, reason, payload, message }: errors.JWTClaimValidationFailed,
  audiences: readonly string[],
): string {
  if (reason === 'missing') return `it has no claim ${JSON.stringify(claim)}`;
  if (claim !== 'aud') return message;
  const expected = audiences.map((one) => JSON.stringify(one)).join(' or ');
  return `its audience is ${JSON.stringify(payload.aud)}; expected ${expected}`;
}

function refused(why: string, cause?: unknown): DomainError {
  return new DomainError('UNAUTHENTICATED', `The bearer token is not accepted: ${why}`, {}, { cause });
}

function revoked(): DomainError {
  return new DomainError('TOKEN_REVOKED', 'The bearer token was revoked; log in again');
}

function expired(at: Date): DomainError {
  return new DomainError('TOKEN_EXPIRED', `The bearer token ended at ${at.toISOString()}; get a new one`, {
    expiredAt: at.toISOString(),
  });
}
