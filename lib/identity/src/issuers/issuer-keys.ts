/** Keys of outside issuers, and the check of signatures by them. */
import { maxTokenLength, signatureAlgorithms } from '@rhizome/authz';
import { DomainError, isDomainError } from '@rhizome/errors';
import {
  compactVerify,
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTVerifyGetKey,
} from 'jose';
import { LRUCache } from 'lru-cache';
import type { Claims } from './claims.js';
import type { IssuerSettingsRecord } from './issuer.document.js';

const fetchTimeoutMs = 5000;
/** Age at which keys are fetched again; an issuer that is down longer than that is not trusted. */
const keysMaxAgeMs = 3_600_000;

/** Claims that nobody has verified. */
export interface UnverifiedToken {
  readonly issuer: string;
}

/** The `iss` of a token. @throws DomainError UNAUTHENTICATED if it is no JWT */
export function peek(token: string): UnverifiedToken {
  if (token.length > maxTokenLength) throw refused(`it is longer than ${maxTokenLength} characters`);
  try {
    const { iss } = decodeJwt(token);
    if (typeof iss === 'string') return { issuer: iss };
  } catch {
    throw refused('it is not a JWT');
  }
  throw refused('it has no issuer');
}

/** Fetches and keeps the keys of issuers, by the address of their records. */
export class IssuerKeys {
  readonly #sources = new LRUCache<string, Promise<JWTVerifyGetKey>>({ max: 200 });

  /**
   * The claims of a token of the issuer.
   * @throws DomainError UNAUTHENTICATED for another signature, SERVICE_UNAVAILABLE while the keys cannot be
   *   fetched
   */
  async claims(token: string, issuer: IssuerSettingsRecord): Promise<Claims> {
    refuseOwnKinds(token);
    const key = await this.#source(issuer);
    try {
      const { payload } = await compactVerify(token, key, { algorithms: signatureAlgorithms });
      const claims = JSON.parse(new TextDecoder().decode(payload)) as Claims;
      if (claims['iss'] === issuer.issuer) return claims;
      throw refused('its issuer is another one');
    } catch (error) {
      if (isDomainError(error)) throw error;
      if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError))
        throw unreachable(issuer.issuer, error);
      throw refused(error.message, error);
    }
  }

  #source(issuer: IssuerSettingsRecord): Promise<JWTVerifyGetKey> {
    const key = `${issuer.issuer} ${issuer.jwksUri ?? ''}`;
    const known = this.#sources.get(key);
    if (known) return known;
    const source = addressOf(issuer).then((uri) =>
      createRemoteJWKSet(new URL(uri), { timeoutDuration: fetchTimeoutMs, cacheMaxAge: keysMaxAgeMs }),
    );
    this.#sources.set(key, source);
    source.catch(() => this.#sources.delete(key));
    return source;
  }
}

/** Rhizome's own kinds never come from outside. */
function refuseOwnKinds(token: string): void {
  try {
    const { typ } = decodeProtectedHeader(token);
    if (typeof typ !== 'string' || !typ.startsWith('rhizome-')) return;
  } catch {
    throw refused('it is not a JWT');
  }
  throw refused('its type is reserved for tokens of Rhizome');
}

/** Where the issuer publishes its keys, by its record or its metadata. */
async function addressOf({ issuer, jwksUri }: IssuerSettingsRecord): Promise<string> {
  if (jwksUri !== null) return jwksUri;
  for (const address of metadataAddresses(issuer)) {
    const metadata = await readJson(issuer, address);
    if (metadata === undefined) continue;
    const { issuer: named, jwks_uri: uri } = metadata;
    if (named !== issuer) throw unreachable(issuer, `its metadata names the issuer ${JSON.stringify(named)}`);
    if (typeof uri === 'string' && URL.canParse(uri) && new URL(uri).protocol === new URL(issuer).protocol)
      return uri;
  }
  throw unreachable(issuer, 'its metadata names no jwks_uri');
}

/** OpenID Connect Discovery appends its path; RFC 8414 inserts it before the path of the issuer. */
function metadataAddresses(issuer: string): readonly string[] {
  const url = new URL(issuer);
  const path = url.pathname.replace(/\/$/, '');
  return [
    `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
    `${url.origin}/.well-known/oauth-authorization-server${path}`,
  ];
}

async function readJson(issuer: string, address: string): Promise<Record<string, unknown> | undefined> {
  try {
    const signal = AbortSignal.timeout(fetchTimeoutMs);
    const response = await fetch(address, {
      redirect: 'error',
      signal,
      headers: { accept: 'application/json' },
    });
    const text = await response.text();
    if (!response.ok) return undefined;
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw unreachable(issuer, error);
  }
}

function refused(why: string, cause?: unknown): DomainError {
  return new DomainError('UNAUTHENTICATED', `The token is not accepted: ${why}`, {}, { cause });
}

function unreachable(issuer: string, cause: unknown): DomainError {
  const text = `The keys of issuer "${issuer}" cannot be fetched`;
  return new DomainError('SERVICE_UNAVAILABLE', text, { issuer }, { cause });
}
