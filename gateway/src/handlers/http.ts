import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '@rhizome/authz';
import { DomainError, isDomainError } from '@rhizome/errors';
import { nonceField } from '@rhizome/identity/holders';
import type { Logger } from '@rhizome/log';
import { type JsonBodies, smallBodyBytes } from '@rhizome/subgraph';
import { Cancellation, type ExecutionText, type OperationInfo } from '@rhizome/federation';
import {
  assertLocalCaller,
  assertNotCrossSite,
  bodyAllowanceOf,
  type ClientAddress,
  type RateLimiter,
  type GatewayLimits,
  type PersistedOperations,
  type Identity,
  refusal,
  requestIdOf,
  statusOf,
  type CallerEnd,
} from '../policy/index.js';
import type { AuditRecorder } from '../audit/index.js';
import { clientIdentity } from '../registry/index.js';
import type { ClientStream } from '../streams/index.js';
import { type Accepted, readAccept } from './accept.js';
import { HttpRefusal, type Parameters, readBody, readQueryString } from './http-parameters.js';
import type { Inbox } from './inbox.js';
import type { GatewayMetrics } from './metrics.js';
import type { Operations } from './operations.js';
import { sendAsEvents, sendStream } from './sse.js';

/** Options of {@link HttpHandler}. */
export interface HttpHandlerOptions {
  readonly operations: Operations;
  readonly identity: Identity;
  readonly limits: GatewayLimits;
  /** Reads bodies. */
  readonly bodies: JsonBodies;
  readonly metrics: GatewayMetrics;
  readonly addressOf: ClientAddress;
  readonly persisted: PersistedOperations;
  /** Messages and requests take turns in it. */
  readonly inbox: Inbox;
  /** Counts what callers use; undefined if nothing is limited. */
  readonly rates: RateLimiter | undefined;
  /** Records refusals; undefined if there is no audit log. */
  readonly audit?: AuditRecorder | undefined;
  readonly log: Logger;
  /** Admits requests without a token; {@link Operations} then decides which operations run. */
  readonly admitsAnonymous: boolean;
  readonly isClosing: () => boolean;
}

type Sending =
  | { readonly answer: ExecutionText; readonly stream?: never }
  | { readonly stream: ClientStream; readonly answer?: never };

/** `/graphql` by GET and POST: GraphQL over HTTP, and event streams on request. */
export class HttpHandler {
  readonly #options: HttpHandlerOptions;
  /** Requests that are running, by their ends. */
  readonly #running = new Map<Cancellation, Principal>();

  constructor(options: HttpHandlerOptions) {
    this.#options = options;
  }

  /** Answers one request. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = requestIdOf(request.headers['x-request-id']);
    response.setHeader('x-request-id', requestId);
    const gone = new Cancellation();
    response.once('close', () => {
      if (!response.writableFinished)
        gone.cancel(new DomainError('REQUEST_CANCELLED', 'The client disconnected'));
    });
    const accepted = readAccept(request.headers.accept);
    try {
      await this.#answer(request, response, { requestId, accepted, gone });
    } catch (error) {
      if (!response.headersSent) this.#refuse(request, response, error, { requestId, accepted });
      else response.destroy();
    } finally {
      this.#running.delete(gone);
    }
  }

  /** Ends running requests of some callers: a long poll must not bring them anything. */
  endOf({ concerns, error }: CallerEnd): void {
    for (const [gone, principal] of this.#running) if (concerns(principal)) gone.cancel(error());
  }

  async #answer(request: IncomingMessage, response: ServerResponse, call: Call): Promise<void> {
    const { requestId, accepted, gone } = call;
    const { operations } = this.#options;
    this.#checkRequest(request, accepted);
    const address = this.#options.addressOf(request);
    const principal = await this.#principalOf(request, response);
    if (principal) this.#running.set(gone, principal);
    // Pilots do not wait for requests of others that have arrived in the same turn of the event loop.
    if (principal?.kind !== 'PILOT') await this.#options.inbox.turn(principal?.subject ?? address);
    const bytes = bytesOf(request);
    this.#charge(principal, address, bytes, response);
    const parameters = await this.#read(request, response, principal);
    const client = clientIdentity(request.headers);
    const query = this.#options.persisted.documentOf({ ...parameters, client: client.name });
    let misplaced: HttpRefusal | undefined;
    let limited: DomainError | undefined;
    const sending = await operations.run<Sending>(
      {
        query,
        operationName: parameters.operationName,
        variables: parameters.variables,
        wantsPlan: parameters.wantsPlan || request.headers['x-rhizome-plan'] === 'true',
        withoutTags: parameters.withoutTags,
        principal,
        address,
        bytes,
        requestId,
        cancellation: gone,
        client,
        headers: passedOn(request.headers),
      },
      {
        refused: (answer, error) => {
          limited = limitOf(error);
          return { answer };
        },
        answered: (answer) => ({ answer }),
        streamed: (stream) => ({ stream }),
        admit: (operation) => {
          misplaced = misplacedHere(operation, request.method, accepted);
          return misplaced?.error;
        },
      },
      lastEventId(request.headers),
    );
    if (sending.stream) return sendStream(response, sending.stream, this.#options.limits.keepAliveMs);
    if (!accepted.json) return sendAsEvents(response, sending.answer.text);
    if (limited) retryAfter(response, limited);
    const status =
      misplaced?.status ?? limited?.http ?? statusOf(sending.answer, accepted.json === 'application/json');
    if (status === 405) response.setHeader('allow', 'POST');
    sendText(response, status, accepted.json, sending.answer.text);
  }

  #checkRequest({ method, headers }: IncomingMessage, { json, stream }: Accepted): void {
    if (this.#options.isClosing())
      throw new DomainError('SHUTTING_DOWN', 'The gateway is shutting down; try again');
    if (method !== 'GET' && method !== 'POST') {
      const text = `${method ?? ''} is not supported; use POST, or GET for queries`;
      throw new HttpRefusal(405, new DomainError('BAD_REQUEST', text), { allow: 'GET, POST' });
    }
    if (!json && !stream) {
      const text = 'accept: no requested media type is supported';
      const expected = 'application/graphql-response+json, application/json or text/event-stream';
      throw new HttpRefusal(406, new DomainError('BAD_REQUEST', text, { field: 'accept', expected }));
    }
    if (!this.#options.identity.required) assertLocalCaller(headers);
    if (method === 'GET') assertNotCrossSite(headers);
  }

  #principalOf(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Principal | undefined> | undefined {
    const { identity, admitsAnonymous } = this.#options;
    const isAnonymous = request.headers.authorization === undefined && !identity.hasSession(request);
    if (admitsAnonymous && isAnonymous) return undefined;
    if (identity.nonce !== undefined && request.headers['dpop'] !== undefined)
      response.setHeader('dpop-nonce', identity.nonce);
    return identity.ofRequest(request);
  }

  /** Charges the caller before its body is read. @throws DomainError LIMIT_EXCEEDED */
  #charge(principal: Principal | undefined, address: string, bytes: number, response: ServerResponse): void {
    const { rates } = this.#options;
    if (!rates) return;
    const usage = { operations: 1, bytes };
    const error = principal ? rates.use(principal, usage) : rates.useByAddress(address, usage);
    for (const [name, value] of Object.entries(rates.headers(principal, address) ?? {}))
      response.setHeader(name, value as string);
    if (error) throw error;
  }

  #read(
    request: IncomingMessage,
    response: ServerResponse,
    principal: Principal | undefined,
  ): Parameters | Promise<Parameters> {
    if (request.method === 'GET') return readQueryString(request.url ?? '');
    const { bodies, limits, identity } = this.#options;
    const allowance = bodyAllowanceOf(principal, limits, identity.required);
    // A large body holds its turn until it is answered: the next one of this caller is not read before.
    return readBody(request, bodies, { ...allowance, hold: (end) => whenClosed(response, end) });
  }

  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    error: unknown,
    { requestId, accepted: { json } }: Omit<Call, 'gone'>,
  ): void {
    const refused = error instanceof HttpRefusal ? error : undefined;
    const answer = refusal(refused?.error ?? error, requestId, this.#options.log);
    this.#options.metrics.refused(answer.codes[0] ?? 'UNKNOWN');
    const client = clientIdentity(request.headers);
    const address = this.#options.addressOf(request);
    this.#options.audit?.refused({ principal: undefined, requestId, client, address }, answer.codes);
    const status = refused?.status ?? (isDomainError(error) ? error.http : 500);
    for (const [name, value] of Object.entries(refused?.headers ?? {})) response.setHeader(name, value);
    const limited = limitOf(refused?.error ?? error);
    if (limited) retryAfter(response, limited);
    if (status === 401) response.setHeader('www-authenticate', challengeOf(error));
    sendText(response, status, json ?? 'application/json', answer.text);
  }
}

interface Call {
  readonly requestId: string;
  readonly accepted: Accepted;
  /** Cancelled when the client disconnects. */
  readonly gone: Cancellation;
}

/** The error for an operation that this handler does not support. */
function misplacedHere(
  { kind }: OperationInfo,
  method: string | undefined,
  { stream }: Accepted,
): HttpRefusal | undefined {
  if (kind === 'mutation' && method === 'GET') {
    const text = 'Mutations are not allowed over GET; use POST';
    return new HttpRefusal(405, new DomainError('BAD_REQUEST', text, { field: 'method', expected: 'POST' }));
  }
  if (kind !== 'subscription' || stream) return undefined;
  const text = 'A subscription needs a stream; send "accept: text/event-stream" or use WebSocket';
  return new HttpRefusal(
    406,
    new DomainError('BAD_REQUEST', text, { field: 'accept', expected: 'text/event-stream' }),
  );
}

/** A limit that the caller can wait for. */
function limitOf(error: unknown): DomainError | undefined {
  return isDomainError(error) && error.details['retryAfterSeconds'] !== undefined ? error : undefined;
}

function retryAfter(response: ServerResponse, { details }: DomainError): void {
  response.setHeader('retry-after', String(details['retryAfterSeconds']));
}

/** Bytes of the body; one that does not announce its size counts as a small one. */
function bytesOf({ method, headers }: IncomingMessage): number {
  if (method !== 'POST') return 0;
  const announced = headers['content-length'];
  return announced === undefined ? smallBodyBytes : Number(announced) || 0;
}

function whenClosed(response: ServerResponse, end: () => void): void {
  if (response.closed) end();
  else response.once('close', end);
}

function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}

function lastEventId(headers: IncomingHttpHeaders): string | undefined {
  const given = headers['last-event-id'];
  return typeof given === 'string' && given !== '' ? given : undefined;
}

/** Headers of distributed tracing, which are forwarded to subgraphs. */
export function passedOn({
  traceparent,
  tracestate,
}: IncomingHttpHeaders): Record<string, string> | undefined {
  if (typeof traceparent !== 'string') return undefined;
  return { traceparent, ...(typeof tracestate === 'string' ? { tracestate } : {}) };
}

/** The scheme that the caller should use (RFC 6750, RFC 9449). */
function challengeOf(error: unknown): string {
  const isNonce = isDomainError(error) && error.details.field === nonceField;
  return isNonce ? 'DPoP error="use_dpop_nonce"' : 'Bearer';
}
