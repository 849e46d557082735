import { DomainError } from '@rhizome/errors';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';
import type { IssuerConstraints } from './issuer-constraints.js';
import { assertSecureTransport } from './secure-transport.js';

/** An issuer whose tokens are accepted, what it may assert, and where its public keys are. */
export interface TrustedIssuer extends IssuerConstraints {
  /** The `iss` of its tokens, exactly. */
  readonly issuer: string;
  /** Address of its JWKS; fetched when first needed, and again when a key is unknown or the copy is old. */
  readonly jwksUri?: string;
  /** Or the keys themselves; a function is asked each time, so that keys can change. */
  readonly jwks?: JSONWebKeySet | (() => JSONWebKeySet);
  /** Permits plain `http:` for the JWKS of a host that is not loopback; default false. */
  readonly insecureTransport?: boolean | undefined;
}

/** The keys of one issuer. */
export interface KeySource {
  readonly key: JWTVerifyGetKey;
  /** Something that is another thing as soon as the keys are others. */
  version(): unknown;
}

const fetchTimeoutMs = 5000;
/** Age at which an issuer's keys are fetched again, so that a withdrawn key is noticed. */
const freshForMs = 10 * 60_000;
/** Interval of attempts while the keys cannot be fetched; the last copy stays in use for a day. */
const retryAfterMs = 30_000;
/** Smallest interval between two requests for keys because a token names an unknown one. */
const unknownKeyMs = 5000;
/** Age at which keys that cannot be fetched again are no longer used: one of them may be withdrawn. */
const usableForMs = 24 * 3_600_000;

/** @throws DomainError CONFIG_INVALID unless the issuer has exactly one, secure source of keys */
export function keySource(issuer: TrustedIssuer): KeySource {
  const { jwks, jwksUri } = issuer;
  if ((jwks === undefined) === (jwksUri === undefined)) {
    throw new DomainError('CONFIG_INVALID', `Issuer "${issuer.issuer}" needs either jwksUri or jwks`, {
      field: 'issuers',
      value: issuer.issuer,
      expected: 'one of jwksUri and jwks',
    });
  }
  if (jwksUri !== undefined)
    assertSecureTransport(jwksUri, { field: 'issuers.jwksUri', insecureTransport: issuer.insecureTransport });
  return jwksUri === undefined
    ? localKeys(jwks as NonNullable<typeof jwks>)
    : remoteKeys(issuer.issuer, jwksUri);
}

function localKeys(jwks: JSONWebKeySet | (() => JSONWebKeySet)): KeySource {
  if (typeof jwks !== 'function') {
    const getKey = createLocalJWKSet(jwks);
    return { key: getKey, version: () => jwks };
  }
  const current = jwks;
  let text = '';
  let getKey: JWTVerifyGetKey | undefined;
  const refresh = (): JWTVerifyGetKey => {
    const set = current();
    const now = JSON.stringify(set);
    if (!getKey || now !== text) {
      text = now;
      getKey = createLocalJWKSet(set);
    }
    return getKey;
  };
  return {
    key: (header, token) => refresh()(header, token),
    version: () => {
      refresh();
      return text;
    },
  };
}

function remoteKeys(issuer: string, uri: string): KeySource {
  const watch = new KeyWatch();
  const remote = createRemoteJWKSet(new URL(uri), {
    timeoutDuration: fetchTimeoutMs,
    // The age is bounded here: an issuer that is down for a while must not lock everybody out.
    cacheMaxAge: Infinity,
    // A gateway that was restarted without a key file has another key, which must be known soon.
    cooldownDuration: unknownKeyMs,
    [customFetch]: (url, options) => watch.fetch(url, options),
  });
  return {
    key: async (header, token) => {
      try {
        if (watch.isStale()) await remote.reload();
        return await remote(header, token);
      } catch (error) {
        throw isKeyFault(error) ? error : unreachable(issuer, uri, error);
      }
    },
    version: () => {
      if (watch.isDue()) void remote.reload().catch(() => undefined);
      return watch.isStale() ? stale : watch.text;
    },
  };
}

/** Version of keys that are too old: equal to that of no copy. */
const stale = Symbol('stale keys');

/** Sees what an issuer's address answers, and when it is time to ask again. */
class KeyWatch {
  /** The keys as they came last. */
  text = '';
  #askAgainAt = Infinity;
  #usableUntil = Infinity;

  /** Returns true if the last copy is older than keys may be. */
  isStale(): boolean {
    return performance.now() >= this.#usableUntil;
  }

  isDue(): boolean {
    if (performance.now() < this.#askAgainAt) return false;
    this.#askAgainAt = performance.now() + retryAfterMs;
    return true;
  }

  async fetch(url: string, options: RequestInit): Promise<Response> {
    const response = await fetch(url, options);
    const body = await response.text();
    if (response.ok) {
      this.text = body;
      this.#askAgainAt = performance.now() + freshForMs;
      this.#usableUntil = performance.now() + usableForMs;
    }
    return new Response(body, { status: response.status, headers: response.headers });
  }
}

function isKeyFault(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
}

function unreachable(issuer: string, uri: string, cause: unknown): DomainError {
  const message = `The keys of issuer "${issuer}" cannot be fetched from ${uri}`;
  return new DomainError('SERVICE_UNAVAILABLE', message, { issuer }, { cause });
}
