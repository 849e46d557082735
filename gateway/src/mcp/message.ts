/** Checks of requests before the protocol sees them. */
import type { IncomingMessage } from 'node:http';
import { DomainError, isInternalError } from '@rhizome/errors';
import { originsOf } from '../identity/origins.js';

/** A refusal, with its HTTP status and its code in JSON-RPC. */
export class McpRefusal extends Error {
  readonly status: number;
  readonly rpcCode: number;

  constructor(status: number, rpcCode: number, message: string) {
    super(message);
    this.status = status;
    this.rpcCode = rpcCode;
  }
}

/** Codes of JSON-RPC. */
const invalidRequest = -32600;

/**
 * Refuses requests for another host (DNS rebinding), and those of pages of other sites.
 * @throws McpRefusal 403
 */
export function assertOwnHost(request: IncomingMessage, url: string, origins: readonly string[]): void {
  const { host = '', origin } = request.headers;
  const own = originsOf(url)(request);
  if (!own.some((one) => new URL(one).host === host.toLowerCase()))
    throw new McpRefusal(
      403,
      403,
      `host: ${JSON.stringify(host.slice(0, 200))} is not the host of this endpoint`,
    );
  if (origin !== undefined && !own.includes(origin) && !origins.includes(origin))
    throw new McpRefusal(
      403,
      403,
      `origin: pages of ${JSON.stringify(origin.slice(0, 200))} may not call this endpoint`,
    );
}

/** @throws McpRefusal 415 for a body that is not JSON */
export function assertJsonBody({ headers }: IncomingMessage): void {
  const type = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (type === 'application/json' && (headers['content-encoding'] ?? 'identity') === 'identity') return;
  throw new McpRefusal(415, 415, 'content-type: must be application/json, without content-encoding');
}

/** A message of a client. */
export interface McpMessage {
  readonly method?: unknown;
  readonly params?: unknown;
}

/** @throws McpRefusal 400 for a batch, and for anything but an object */
export function messageOf(body: unknown): McpMessage {
  if (Array.isArray(body))
    throw new McpRefusal(400, invalidRequest, 'Batches are not supported; send each message separately');
  if (typeof body !== 'object' || body === null)
    throw new McpRefusal(400, invalidRequest, 'The body is not a message of JSON-RPC');
  return body;
}

/** Method that opens a stream of notifications. */
export const listenMethod = 'subscriptions/listen';

/**
 * The message with the notifications that the endpoint sends; the protocol itself would acknowledge any
 * address of a resource to any caller.
 */
export function onlyOwnNotifications(message: McpMessage): McpMessage {
  const params = message.params as Readonly<Record<string, unknown>> | undefined;
  const asked = params?.['notifications'] as Readonly<Record<string, unknown>> | undefined;
  const notifications = asked?.['toolsListChanged'] === true ? { toolsListChanged: true } : {};
  return { ...message, params: { ...params, notifications } };
}

/** The refusal of an error of the gateway. */
export function refusalOf(error: unknown): McpRefusal {
  if (error instanceof McpRefusal) return error;
  if (!(error instanceof DomainError) || isInternalError(error))
    return new McpRefusal(500, -32603, 'Internal error');
  const { code, http, message } = error;
  if (code === 'REQUEST_TOO_LARGE') return new McpRefusal(413, 413, message);
  if (code === 'REQUEST_TIMEOUT') return new McpRefusal(408, 408, message);
  if (code === 'BAD_REQUEST') return new McpRefusal(400, -32700, message);
  return new McpRefusal(http, http, `${code}: ${message}`);
}
