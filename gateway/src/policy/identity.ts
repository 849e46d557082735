import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Principal, Verifier } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';

/** Authenticates callers of all handlers. */
export interface Identity {
  /** False if authentication is disabled. */
  readonly required: boolean;
  /**
   * The principal in a request's headers; undefined if authentication is disabled.
   * @throws DomainError UNAUTHENTICATED, TOKEN_EXPIRED, or SERVICE_UNAVAILABLE while keys cannot be had
   */
  ofHeaders(headers: IncomingHttpHeaders): Promise<Principal | undefined>;
  /**
   * The principal of a WebSocket: from its `connection_init` payload, else from the headers it was opened
   * with.
   */
  ofSocket(
    payload: Readonly<Record<string, unknown>> | undefined,
    headers: IncomingHttpHeaders,
  ): Promise<Principal | undefined>;
}

/** Authenticates by bearer tokens; without a verifier, authentication is disabled. */
export function createIdentity(verifier: Verifier | undefined): Identity {
  const verify = (authorization: unknown): Promise<Principal | undefined> => {
    // Not an async function, which would wrap each request's promise in another one.
    if (!verifier) return nobody;
    const token = bearerToken(authorization);
    return token instanceof DomainError ? Promise.reject(token) : verifier.verify(token);
  };
  return {
    required: verifier !== undefined,
    ofHeaders: (headers) => verify(headers.authorization),
    ofSocket: (payload, headers) =>
      verify(payload?.['authorization'] ?? payload?.['Authorization'] ?? headers.authorization),
  };
}

const nobody = Promise.resolve(undefined);

function bearerToken(authorization: unknown): string | DomainError {
  const found = typeof authorization === 'string' ? /^Bearer +(\S+) *$/i.exec(authorization)?.[1] : undefined;
  if (found) return found;
  return new DomainError(
    'UNAUTHENTICATED',
    'A bearer token is missing: send it as "authorization: Bearer <token>"',
    { field: 'authorization', expected: 'Bearer <token>' },
  );
}

/** The caller's request id if it is safe in logs and headers, otherwise a new one. */
export function requestIdOf(given: unknown): string {
  if (typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given)) return given;
  // Node.js builds it from 20 pieces, and a stored text keeps them all (500 bytes) for the life of a stream.
  return Buffer.from(randomUUID(), 'latin1').toString('latin1');
}
