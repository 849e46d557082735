/** Proof of possession (DPoP, RFC 9449): the holder of a token signs each request with the key it names. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '@rhizome/clock';
import { digestOfText } from '@rhizome/digest';
import { DomainError, isDomainError } from '@rhizome/errors';
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, EmbeddedJWK, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { maxProofLength } from '../claimed-holders.js';
import { nonceField } from '../holders.js';

/** A request whose sender proves that it holds a key. */
export interface ProvenRequest {
  readonly method: string;
  /** Addresses of the endpoint, of which the proof must name one. */
  readonly urls: readonly string[];
  /** The access token that is sent with the proof; undefined where there is none yet. */
  readonly token?: string | undefined;
}

/** A key whose holder has signed a request. */
export interface ProvenKey {
  readonly thumbprint: string;
  /**
   * Marks the proof as used; a second call does nothing. Call it before the request changes anything, and not
   * for a key without rights: strangers must not write to the store.
   * @throws DomainError UNAUTHENTICATED for a proof that was used before, SERVICE_UNAVAILABLE
   */
  use(): Promise<void>;
}

/** Checks proofs. */
export interface ProofVerifier {
  /** Value of this process for the claim `nonce`: a proof with it is accepted by this process only. */
  readonly nonce: string;
  /**
   * The key with which a proof was signed for this request. The proof does not count as used yet.
   * @throws DomainError UNAUTHENTICATED for a proof that is malformed, old or for another request
   */
  check(proof: string, request: ProvenRequest): Promise<ProvenKey>;
  /**
   * The thumbprint of the key with which a proof was signed for this request; the proof is used then.
   * @throws DomainError UNAUTHENTICATED for a proof that is malformed, old, for another request, or was used
   */
  verify(proof: string, request: ProvenRequest): Promise<string>;
}

/** Difference between the time of a proof and of its check that is accepted, in seconds. */
const windowSeconds = 60;
/** Time for which a used proof is remembered, in milliseconds. */
const rememberedMs = 2 * windowSeconds * 1000;
/** Proofs that a process remembers: 60 s of 5,000 requests a second. */
const defaultCapacity = 300_000;
/** Time between two searches for proofs that have ended in a memory that is full, in milliseconds. */
const purgeEveryMs = 5000;

/** Memory of used proofs that all processes share. */
export interface UsedProofs {
  /** Marks a proof as used. False if it was used before. */
  use(id: string, expiresAt: Date): Promise<boolean>;
}

/**
 * A verifier that accepts each proof once, in all processes together. A proof that names the nonce of a
 * process is valid there only, so that its own memory suffices; any other costs a write to the store.
 * @param capacity proofs that the process remembers; further ones are remembered by the store
 */
export function createProofVerifier(
  clock: Clock,
  shared: UsedProofs,
  capacity = defaultCapacity,
): ProofVerifier {
  return new JwtProofs(clock, shared, capacity);
}

class JwtProofs implements ProofVerifier {
  readonly nonce = randomUUID();
  readonly #clock: Clock;
  readonly #shared: UsedProofs;
  /** Used proofs, by key and `jti`, until no check would accept them again. */
  readonly #used: LRUCache<string, true>;
  readonly #capacity: number;
  /** Time of the last used proof that did not fit into the memory. */
  #leftOutAt = -Infinity;
  #purgedAt = -Infinity;

  constructor(clock: Clock, shared: UsedProofs, capacity: number) {
    this.#clock = clock;
    this.#shared = shared;
    this.#capacity = capacity;
    this.#used = new LRUCache({
      max: capacity,
      ttl: rememberedMs,
      ttlResolution: 0,
      perf: { now: () => clock.monotonicMs() + 1 },
    });
  }

  async verify(proof: string, request: ProvenRequest): Promise<string> {
    const key = await this.check(proof, request);
    await key.use();
    return key.thumbprint;
  }

  async check(proof: string, { method, urls, token }: ProvenRequest): Promise<ProvenKey> {
    if (proof.length > maxProofLength) throw refused(`it is longer than ${maxProofLength} characters`);
    try {
      const { jwk } = decodeProtectedHeader(proof);
      if (!jwk || 'd' in jwk) throw refused('its header must have the public key');
      // Before the signature: anybody can make proofs with a wrong nonce.
      const { nonce } = decodeJwt(proof);
      if (nonce !== undefined && nonce !== this.nonce) throw refusedNonce();
      const { payload } = await jwtVerify(proof, EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: ['ES256', 'EdDSA'],
        currentDate: this.#clock.now(),
        requiredClaims: ['jti', 'htm', 'htu', 'iat'],
        clockTolerance: windowSeconds,
      });
      const thumbprint = await calculateJwkThumbprint(jwk);
      const { htm, htu, jti, iat, ath } = payload;
      if (htm !== method) throw refused(`it is for the method ${JSON.stringify(htm)}`);
      if (!isOneOf(htu, urls))
        throw refused(`it is for the address ${JSON.stringify(htu)}; expected ${urls.join(' or ')}`);
      const age = Math.abs(this.#clock.now().getTime() / 1000 - Number(iat));
      if (!(age <= windowSeconds)) throw refused(`its time differs by ${Math.round(age)} s`);
      if (token !== undefined && ath !== digestOfText(token)) throw refused('it is for another token');
      if (typeof jti !== 'string' || jti.length === 0 || jti.length > 128)
        throw refused('its jti is not valid');
      let using: Promise<void> | undefined;
      const use = (): Promise<void> => (using ??= this.#useOnce(`${thumbprint} ${jti}`, nonce !== undefined));
      return { thumbprint, use };
    } catch (error) {
      throw isDomainError(error)
        ? error
        : refused(error instanceof Error ? error.message : String(error), error);
    }
  }

  async #useOnce(key: string, isForThisProcess: boolean): Promise<void> {
    const now = this.#clock.monotonicMs();
    const hasSpace = this.#hasSpace(now);
    if (isForThisProcess && !hasSpace) this.#leftOutAt = now;
    const isComplete = now >= this.#leftOutAt + rememberedMs;
    const isUsed =
      this.#used.has(key) || (!(isForThisProcess && isComplete) && !(await this.#useShared(key)));
    if (isUsed) throw refused('it was used before');
    if (isForThisProcess && hasSpace) this.#used.set(key, true);
  }

  /** No used proof is forgotten for another one: those that do not fit are remembered by the store. */
  #hasSpace(now: number): boolean {
    if (this.#used.size < this.#capacity) return true;
    if (now < this.#purgedAt + purgeEveryMs) return false;
    this.#purgedAt = now;
    return this.#used.purgeStale();
  }

  async #useShared(key: string): Promise<boolean> {
    const expiresAt = new Date(this.#clock.now().getTime() + rememberedMs);
    try {
      return await this.#shared.use(key, expiresAt);
    } catch (cause) {
      const text = 'The proof of possession cannot be checked now; try again';
      throw new DomainError('SERVICE_UNAVAILABLE', text, {}, { cause });
    }
  }
}

/** Compares addresses without query and fragment. */
function isOneOf(htu: unknown, urls: readonly string[]): boolean {
  if (typeof htu !== 'string' || !URL.canParse(htu)) return false;
  const named = normal(htu);
  return urls.some((url) => normal(url) === named);
}

function normal(text: string): string {
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}

function refusedNonce(): DomainError {
  const text = 'The proof of possession is for another gateway; send one without this nonce';
  return new DomainError('UNAUTHENTICATED', text, { field: nonceField });
}

function refused(why: string, cause?: unknown): DomainError {
  return new DomainError(
    'UNAUTHENTICATED',
    `The proof of possession is not accepted: ${why}`,
    { field: 'dpop' },
    { cause },
  );
}
