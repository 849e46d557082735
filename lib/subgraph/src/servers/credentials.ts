import { randomUUID } from 'node:crypto';
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';

/**
 * Verifies a bearer token; rejects with UNAUTHENTICATED, TOKEN_EXPIRED or, while keys are not available,
 * SERVICE_UNAVAILABLE.
 */
export interface TokenVerifier {
  verify(token: string): Promise<Principal>;
}

/** The token of `Bearer <token>`, from a header or from a WebSocket's connection parameters. */
export function bearerToken(authorization: unknown): string {
  const found = typeof authorization === 'string' ? /^Bearer +(\S+) *$/i.exec(authorization)?.[1] : undefined;
  if (found) return found;
  throw new DomainError(
    'UNAUTHENTICATED',
    'A bearer token is missing: send it as "authorization: Bearer <token>"',
    {
      field: 'authorization',
      expected: 'Bearer <token>',
    },
  );
}

/** The caller's request id if it is valid for logs and headers, or a new one. */
export function requestIdOf(given: unknown): string {
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}
