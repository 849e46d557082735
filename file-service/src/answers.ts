/** Answers of the file service. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { StorageError, type StorageErrorKind } from '@rhizome/storage';

/** Headers of all answers: a browser shows no file as a page of this origin. */
const safeHeaders: OutgoingHttpHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "sandbox; default-src 'none'",
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
  'cache-control': 'private, no-store',
};

/** A request that is refused with a status of its own. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: OutgoingHttpHeaders = {},
  ) {
    super(message);
  }
}

const statuses: Readonly<Record<StorageErrorKind, number>> = {
  GONE: 404,
  DENIED: 403,
  SLOW: 503,
  CORRUPT: 422,
  FULL: 507,
  TOO_LARGE: 413,
  EXISTS: 412,
  INVALID: 400,
};

/** Status and explanation of an error. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof StorageError) return new Refusal(statuses[error.kind], error.message);
  return new Refusal(500, 'Internal error; see the log of the file service');
}

/** Writes the head of an answer. */
export function writeHead(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  response.writeHead(status, { ...safeHeaders, ...headers });
}

export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {},
): void {
  const length = Buffer.byteLength(text);
  writeHead(response, status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': length,
    ...headers,
  });
  response.end(text);
}

export function sendJson(response: ServerResponse, status: number, value: object): void {
  sendText(response, status, JSON.stringify(value), { 'content-type': 'application/json; charset=utf-8' });
}

/** Time for a client to stop sending after it was refused, in milliseconds. */
const lingerMs = 5000;

/**
 * Answers with an error. What the client still sends is read for a moment: it would not see the answer if the
 * connection were closed at once.
 */
export function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  sendText(response, refusal.status, `${refusal.message}\n`, refusal.headers);
  if (request.complete) return;
  const timer = setTimeout(() => request.destroy(), lingerMs).unref();
  request.once('close', () => clearTimeout(timer));
  request.resume();
}
