import { lookUp, type Retry } from '@rhizome/errors';

/** Reason why a stream or request failed, as in the error catalogue. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** True if a retry may succeed. */
  readonly retry: Retry;
}

interface GraphqlError {
  readonly message: string;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

const forbidden = new Set([4401, 4403]);

/**
 * A failure from whatever a socket's library throws: errors of the API, the close of the socket, or a fault
 * of the connection.
 */
export function failureOf(thrown: unknown): Failure {
  if (Array.isArray(thrown) && thrown.length > 0) return ofGraphql(thrown[0] as GraphqlError);
  const { code, reason, message } = (thrown ?? {}) as { code?: unknown; reason?: unknown; message?: unknown };
  if (typeof code === 'number') return ofClose(code, typeof reason === 'string' ? reason : '');
  const text = typeof message === 'string' && message !== '' ? message : 'the connection failed';
  return { code: 'SERVICE_UNAVAILABLE', message: text, retry: 'later' };
}

/** An error of the API. */
export function ofGraphql({ message, extensions = {} }: GraphqlError): Failure {
  const code = typeof extensions['code'] === 'string' ? extensions['code'] : 'INTERNAL_SERVER_ERROR';
  const given = extensions['retry'];
  const retry =
    given === 'never' || given === 'later' || given === 'now' ? given : (lookUp(code)?.retry ?? 'never');
  return { code, message, retry };
}

/** Servers close with a code of the catalogue as the reason where they have one. */
function ofClose(close: number, reason: string): Failure {
  const entry = lookUp(reason);
  if (entry) return { code: reason, message: `the gateway closed the stream: ${reason}`, retry: entry.retry };
  if (forbidden.has(close))
    return { code: 'UNAUTHENTICATED', message: 'the gateway does not take the token', retry: 'never' };
  return { code: 'SERVICE_UNAVAILABLE', message: `the gateway closed the stream (${close})`, retry: 'later' };
}

/** Codes after which only another token helps. */
export const tokenCodes: ReadonlySet<string> = new Set(['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_REVOKED']);
