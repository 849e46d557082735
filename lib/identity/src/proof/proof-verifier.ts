/** Proof of possession (DPoP, RFC 9449): the holder of a token signs each request with the key it names. */
import type { Clock } from '@rhizome/clock';
import { digestOfText } from '@rhizome/digest';
import { DomainError, isDomainError } from '@rhizome/errors';
import { calculateJwkThumbprint, decodeProtectedHeader, EmbeddedJWK, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';

/** A request whose sender proves that it holds a key. */
export interface ProvenRequest {
  readonly method: string;
  /** Addresses of the endpoint, of which the proof must name one. */
  readonly urls: readonly string[];
  /** The access token that is sent with the proof; undefined where there is none yet. */
  readonly token?: string | undefined;
}

/** Checks proofs. */
export interface ProofVerifier {
  /**
   * The thumbprint of the key with which a proof was signed for this request.
   * @throws DomainError UNAUTHENTICATED for a proof that is malformed, old, for another request, or was used
   */
  verify(proof: string, request: ProvenRequest): Promise<string>;
}

const maxProofLength = 4096;
/** Difference between the time of a proof and of its check that is accepted, in seconds. */
const windowSeconds = 60;
/** Proofs that are remembered: 60 s of 5,000 requests a second. */
const remembered = 300_000;

/** A verifier with the memory of one process. */
export function createProofVerifier(clock: Clock): ProofVerifier {
  return new JwtProofs(clock);
}

class JwtProofs implements ProofVerifier {
  readonly #clock: Clock;
  /** Used proofs, by key and `jti`, until no check would accept them again. */
  readonly #used: LRUCache<string, true>;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#used = new LRUCache({
      max: remembered,
      ttl: 2 * windowSeconds * 1000,
      ttlResolution: 0,
      perf: { now: () => clock.monotonicMs() + 1 },
    });
  }

  async verify(proof: string, { method, urls, token }: ProvenRequest): Promise<string> {
    if (proof.length > maxProofLength) throw refused(`it is longer than ${maxProofLength} characters`);
    try {
      const { jwk } = decodeProtectedHeader(proof);
      if (!jwk || 'd' in jwk) throw refused('its header must have the public key');
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
      this.#remember(thumbprint, jti);
      return thumbprint;
    } catch (error) {
      throw isDomainError(error)
        ? error
        : refused(error instanceof Error ? error.message : String(error), error);
    }
  }

  #remember(thumbprint: string, jti: unknown): void {
    if (typeof jti !== 'string' || jti.length === 0 || jti.length > 128)
      throw refused('its jti is not valid');
    const key = `${thumbprint} ${jti}`;
    if (this.#used.has(key)) throw refused('it was used before');
    this.#used.set(key, true);
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

function refused(why: string, cause?: unknown): DomainError {
  return new DomainError(
    'UNAUTHENTICATED',
    `The proof of possession is not accepted: ${why}`,
    { field: 'dpop' },
    { cause },
  );
}
