import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ApolloServer, HeaderMap, type HTTPGraphQLResponse } from '@apollo/server';
import { can, describePrincipal, type Principal } from '@rhizome/authz';
import { DomainError, formatGraphQLError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { countLoadsHeader, forwardedHeader } from '../context/context.js';
import type { SubgraphContext } from '../context/types.js';
import { bearerToken, requestIdOf, type TokenVerifier } from './credentials.js';
import type { FastPath } from './fast-path.js';
import type { ExecutableSubgraph } from '../execution/in-process.js';
import type { SubgraphResult, SubgraphSchema } from '../types.js';
import type { BodyAllowance, JsonBodies } from '../json/json-body.js';

/** Dependencies of the handler of `/graphql`. */
export interface HttpHandlerOptions {
  readonly subgraph: SubgraphSchema;
  readonly apollo: ApolloServer<SubgraphContext>;
  readonly fastPath: FastPath;
  readonly executable: ExecutableSubgraph;
  readonly verifier: TokenVerifier;
  readonly log: Logger;
  /** Reads bodies. */
  readonly bodies: JsonBodies;
  /** Maximum size of a body in bytes. */
  readonly maxBodyBytes: number;
}

/**
 * Answers one request for `/graphql`: verifies the token, runs the operation, and aborts it when the client
 * disconnects.
 */
export async function answerGraphQL(
  options: HttpHandlerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const requestId = requestIdOf(request.headers['x-request-id']);
  response.setHeader('x-request-id', requestId);
  try {
    const principal = await options.verifier.verify(bearerToken(request.headers.authorization));
    const body =
      request.method === 'POST'
        ? await options.bodies.read(request, allowanceOf(principal, options.maxBodyBytes))
        : undefined;
    const signal = abortedWith(response);
    const isForwarded = request.headers[forwardedHeader] !== undefined;
    const countsLoads = request.headers[countLoadsHeader] !== undefined;
    const plain = countsLoads ? undefined : options.fastPath.find(request.headers, body);
    if (plain) {
      const result = await options.executable.execute({
        ...plain,
        principal,
        requestId,
        signal,
        isForwarded,
      });
      return sendResult(response, result, plain.contentType);
    }
    const search = new URL(request.url ?? '/', 'http://localhost');
    options.fastPath.assertBounded(textOf(body) ?? search.searchParams.get('query') ?? '');
    const init = { principal, requestId, log: options.log, signal, isForwarded };
    const context = options.subgraph.createContext(init);
    const answer = await options.apollo.executeHTTPGraphQLRequest({
      httpGraphQLRequest: {
        method: request.method ?? 'GET',
        headers: headerMap(request),
        search: search.search,
        body,
      },
      context: async () => context,
    });
    await send(response, countsLoads ? withLoads(answer, context) : answer);
  } catch (error) {
    refuse(response, error, requestId);
  }
}

/** The text of the operation in a body, if there is one. */
function textOf(body: unknown): string | undefined {
  const query = (body as { query?: unknown } | null | undefined)?.query;
  return typeof query === 'string' ? query : undefined;
}

function sendResult(response: ServerResponse, { data, errors }: SubgraphResult, contentType: string): void {
  if (response.destroyed) return;
  const text = JSON.stringify({ errors, data });
  // Without data nothing ran: the request was invalid.
  response.writeHead(data === undefined ? 400 : 200, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** The answer with the number of calls of each loader added. */
function withLoads(answer: HTTPGraphQLResponse, { loaders }: SubgraphContext): HTTPGraphQLResponse {
  if (answer.body.kind !== 'complete') return answer;
  const body = JSON.parse(answer.body.string) as { extensions?: object };
  const extensions = { ...body.extensions, loads: loaders.calls };
  return { ...answer, body: { kind: 'complete', string: JSON.stringify({ ...body, extensions }) } };
}

/** Answers with one error of the catalogue and its status. */
export function refuse(response: ServerResponse, error: unknown, requestId: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const status = error instanceof DomainError ? error.http : 500;
  const body = JSON.stringify({ errors: [formatGraphQLError(error, { requestId })] });
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    // The rest of an unread body is not worth reading.
    ...(status === 413 || status === 503 || status === 504 ? { connection: 'close' } : {}),
  });
  response.end(body);
}

function headerMap(request: IncomingMessage): HeaderMap {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return headers;
}

/** Bytes of a body of callers that may not submit jobs or tasks: references of a large page of entities. */
const readerBodyBytes = 16 * 1024 * 1024;

function allowanceOf(principal: Principal, maxBodyBytes: number): BodyAllowance {
  const maySubmit = can(principal, 'job:submit') || can(principal, 'task:submit');
  const maxBytes = maySubmit ? maxBodyBytes : Math.min(maxBodyBytes, readerBodyBytes);
  return { maxBytes, subject: describePrincipal(principal) };
}

/** Aborted when the connection closes before the answer is sent. */
function abortedWith(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

async function send(response: ServerResponse, { status, headers, body }: HTTPGraphQLResponse): Promise<void> {
  if (response.destroyed) return;
  for (const [name, value] of headers) response.setHeader(name, value);
  response.statusCode = status ?? 200;
  if (body.kind === 'complete') {
    response.setHeader('content-length', Buffer.byteLength(body.string));
    response.end(body.string);
    return;
  }
  for await (const chunk of body.asyncIterator) response.write(chunk);
  response.end();
}
