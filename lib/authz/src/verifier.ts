import { hash } from 'node:crypto';
import { DomainError, isDomainError } from '@rhizome/errors';
import { decodeJwt, errors, jwtVerify } from 'jose';
import { principalFromClaims } from './claims.js';
import { type Clock, systemClock } from '@rhizome/clock';
import { LRUCache } from 'lru-cache';
import { keySource, type KeySource, type TrustedIssuer } from './keys.js';
import type { Principal } from './principal.js';

/** Accepted issuers and the audience that tokens must name. */
export interface VerifierOptions {
  readonly issuers: readonly TrustedIssuer[];
  /** The `aud` that a token must carry; default `rhizome`. */
  readonly audience?: string;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Verified tokens that are remembered; default 10,000. */
  readonly cacheSize?: number;
}

/** Turns bearer tokens into principals. */
export interface Verifier {
  /**
   * @throws DomainError TOKEN_EXPIRED, UNAUTHENTICATED for all else that is wrong with the token, or
   *   SERVICE_UNAVAILABLE while the issuer's keys cannot be had
   */
  verify(token: string): Promise<Principal>;
}

interface Remembered {
  readonly principal: Principal;
  readonly source: KeySource;
  readonly version: unknown;
}

/** Signatures by a public key only: a shared secret would let every verifier mint. */
const algorithms = ['ES256', 'ES384', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA'];
const maxTokenLength = 16 * 1024;

/** A verifier with a bounded memory: a token is checked once, until it ends or its issuer's keys change. */
export function createVerifier(options: VerifierOptions): Verifier {
  return new JwtVerifier(options);
}

class JwtVerifier implements Verifier {
  readonly #sources: ReadonlyMap<string, KeySource>;
  readonly #audience: string;
  readonly #clock: Clock;
  readonly #cache: LRUCache<string, Remembered>;

  constructor({ issuers, audience = 'rhizome', clock = systemClock, cacheSize = 10_000 }: VerifierOptions) {
    this.#sources = new Map(issuers.map((issuer) => [issuer.issuer, keySource(issuer)]));
    this.#audience = audience;
    this.#clock = clock;
    this.#cache = new LRUCache({ max: cacheSize });
  }

  async verify(token: string): Promise<Principal> {
    if (token.length > maxTokenLength) throw refused(`it is longer than ${maxTokenLength} characters`);
    const digest = hash('sha256', token, 'base64');
    const known = this.#cache.get(digest);
    if (known) {
      if (known.principal.expiresAt <= this.#clock.now()) {
        this.#cache.delete(digest);
        throw expired(known.principal.expiresAt);
      }
      if (known.source.version() === known.version) return known.principal;
      this.#cache.delete(digest);
    }
    return this.#check(token, digest);
  }

  async #check(token: string, digest: string): Promise<Principal> {
    const source = this.#sourceOf(token);
    let version: unknown;
    let payload: unknown;
    do {
      version = source.version();
      payload = await this.#claims(token, source);
      // Keys that changed meanwhile, or came only now, must have the last word.
    } while (source.version() !== version);
    const principal = principalFromClaims(payload, token);
    if (typeof principal === 'string') throw refused(principal);
    this.#cache.set(digest, { principal, source, version });
    return principal;
  }

  #sourceOf(token: string): KeySource {
    let issuer: unknown;
    try {
      issuer = decodeJwt(token).iss;
    } catch {
      throw refused('it is not a JWT');
    }
    const source = typeof issuer === 'string' ? this.#sources.get(issuer) : undefined;
    if (!source) throw refused(`its issuer ${JSON.stringify(issuer ?? null)} is not trusted here`);
    return source;
  }

  async #claims(token: string, source: KeySource): Promise<unknown> {
    try {
      const { payload } = await jwtVerify(token, source.key, {
        audience: this.#audience,
        algorithms,
        currentDate: this.#clock.now(),
        requiredClaims: ['iss', 'sub', 'exp'],
      });
      return payload;
    } catch (error) {
      if (isDomainError(error)) throw error;
      if (error instanceof errors.JWTExpired) throw expired(new Date(Number(error.payload.exp) * 1000));
      if (error instanceof errors.JWTClaimValidationFailed)
        throw refused(claimFault(error, this.#audience), error);
      if (error instanceof errors.JOSEError) throw refused(error.message, error);
      throw error;
    }
  }
}

/** Describes an invalid claim: its value and the expectation. */
function claimFault(
  { claim, reason, payload, message }: errors.JWTClaimValidationFailed,
  audience: string,
): string {
  if (reason === 'missing') return `it has no claim ${JSON.stringify(claim)}`;
  if (claim !== 'aud') return message;
  return `its audience is ${JSON.stringify(payload.aud)}; expected ${JSON.stringify(audience)}`;
}

function refused(why: string, cause?: unknown): DomainError {
  return new DomainError('UNAUTHENTICATED', `The bearer token is not accepted: ${why}`, {}, { cause });
}

function expired(at: Date): DomainError {
  return new DomainError('TOKEN_EXPIRED', `The bearer token ended at ${at.toISOString()}; get a new one`, {
    expiredAt: at.toISOString(),
  });
}
