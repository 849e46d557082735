/** Answers of the endpoints of tokens. */
import type { ServerResponse } from 'node:http';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { IssuedToken } from '@rhizome/identity';
import type { Logger } from '@rhizome/log';
import { sendJson } from './send-json.js';

/** An answer of an endpoint. */
export interface Answer {
  readonly status: number;
  readonly body: object | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Time for which verifiers may keep the keys and the metadata, in seconds. */
const publicForSeconds = 300;

/** Codes of requests that could not be read. */
const requestCodes: ReadonlySet<string> = new Set(['BAD_REQUEST', 'REQUEST_TOO_LARGE', 'REQUEST_TIMEOUT']);

/** An error in the form of RFC 6749, section 5.2. */
export function failureAnswer(error: unknown, log: Logger): Answer {
  if (!isDomainError(error)) {
    log.error({ err: error }, 'token endpoint failed');
    return { status: 500, body: { error: 'server_error', error_description: 'Internal error' } };
  }
  const { message, code, details } = error;
  const status = statusOf(error);
  const body = { error: nameOf(code, status, details.field), error_description: message, code };
  return { status, body, headers: retryHeaders(error) };
}

/** Refusals have 400 in RFC 6749, and a body that does not arrive is the fault of the client. */
function statusOf({ http, code, details }: DomainError): number {
  if (code === 'REQUEST_TIMEOUT' && details.field === 'body') return 408;
  return http === 401 || http === 403 ? 400 : http;
}

/** The header `Retry-After` of an error after which the client should wait. */
export function retryHeaders({ details }: DomainError): Record<string, string> {
  const { retryAfterSeconds } = details as { readonly retryAfterSeconds?: number };
  return retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
}

function nameOf(code: string, status: number, field: unknown): string {
  if (status >= 500 || status === 429) return 'temporarily_unavailable';
  if (field === 'client_assertion') return 'invalid_client';
  if (field === 'audience' || field === 'resource') return 'invalid_target';
  if (field === 'scope' || code === 'FORBIDDEN') return 'invalid_scope';
  return requestCodes.has(code) ? 'invalid_request' : 'invalid_grant';
}

/** A token in the form of RFC 6749, section 5.1. */
export function issuedAnswer(issued: IssuedToken, more: object = {}): Answer {
  const { accessToken, expiresInSeconds, scope, refreshToken } = issued;
  const body = {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: expiresInSeconds,
    scope,
    ...more,
    ...(refreshToken !== null && { refresh_token: refreshToken }),
  };
  return { status: 200, body, headers: { pragma: 'no-cache' } };
}

/** A document that everybody may read and keep. */
export function published(body: object): Answer {
  return { status: 200, body, headers: { 'cache-control': `public, max-age=${publicForSeconds}` } };
}

/** The error of a form with a wrong value. */
export function invalid(field: string, value: string, expected: readonly string[]): DomainError {
  const text = `${field}: ${JSON.stringify(value.slice(0, 200))} is not valid; must be ${expected.join(' or ')}`;
  return new DomainError('BAD_REQUEST', text, { field, value: value.slice(0, 200) });
}

/** Sends an answer. */
export function send(response: ServerResponse, { status, body, headers }: Answer): void {
  sendJson(response, status, body === null ? '' : JSON.stringify(body), headers);
}
