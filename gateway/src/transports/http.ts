import { DomainError, formatValue } from '@rhizome/errors';
import { type Dispatcher, errors as undiciErrors, Pool } from 'undici';
import {
  type CallEnd,
  endOf,
  type SubgraphOperation,
  type SubgraphRequest,
  type SubgraphResult,
  type Transport,
} from '@rhizome/federation';
import { readSubgraphResult } from './answer.js';
import { tokenOf, type TokenFor } from './call-token.js';
import { decodeBody, tooMuch } from './decoding.js';
import type { EndpointPolicy } from './endpoint-policy.js';

/** HTTP settings of one subgraph. */
export interface HttpTransportOptions {
  readonly subgraph: string;
  readonly url: string;
  /** Maximum size of a response in bytes. Default 64 MiB. */
  readonly maxAnswerBytes?: number | undefined;
  /** Maximum number of open sockets, those of calls that wait for work aside. Default 128. */
  readonly connections?: number | undefined;
  /** Milliseconds to open a socket. Default 5,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Transport of its subscriptions; without it there are none. */
  readonly subscriptions?: Pick<Transport, 'subscribe' | 'close'> | undefined;
  /** Gives the call token for a principal; without it calls carry none. */
  readonly tokenFor?: TokenFor | undefined;
  /** Addresses that may be called; default: all. */
  readonly endpoints?: EndpointPolicy | undefined;
}

const defaultMaxAnswerBytes = 64 * 2 ** 20;
const defaultConnections = 128;
const defaultConnectTimeoutMs = 5_000;
/** Shorter than the usual idle timeout of servers, so that no request meets a closing socket. */
const keepAliveTimeoutMs = 4_000;
/** An engine's own time limit ends a call; these apply only without one. */
const answerTimeoutMs = 600_000;

/**
 * Calls a subgraph by POST over persistent sockets; subscriptions use their own transport. Each call carries
 * a token for this subgraph; the caller's own token never leaves the gateway.
 */
export function createHttpTransport(options: HttpTransportOptions): Transport {
  const { subgraph, subscriptions } = options;
  const url = addressOf(options);
  const { endpoints } = options;
  const maxAnswerBytes = options.maxAnswerBytes ?? defaultMaxAnswerBytes;
  const { connections = defaultConnections } = options;
  const pool = poolOf(url, maxAnswerBytes, { ...options, connections });
  // As many as are admitted: a call that waits for a socket of another one could wait for a minute.
  const waitingPool = poolOf(url, maxAnswerBytes, { ...options, connections: null });
  const path = url.pathname + url.search;
  const bodies = new WeakMap<SubgraphOperation, string>();
  const bodyOf = ({ operation, variablesText }: SubgraphRequest): string => {
    let start = bodies.get(operation);
    if (start === undefined) {
      start = openingOf(operation);
      bodies.set(operation, start);
    }
    return variablesText === undefined ? `${start}}` : `${start},"variables":${variablesText}}`;
  };
  return {
    wire: 'text',
    execute: async (request) => {
      const body = bodyOf(request);
      const end = endOf(request);
      const token = tokenOf(request, options.tokenFor);
      const headers = headersOf(request, typeof token === 'object' ? await token : token);
      endpoints?.assertAddress(url.href);
      const calls = request.waitMs ? waitingPool : pool;
      const post = (): Promise<Answer> => dispatch(calls, { path, method: 'POST', headers, body }, end);
      try {
        const answer = await post().catch((error: unknown) => retry(error, request, end, post));
        return readAnswer(
          subgraph,
          answer.encoding ? await decoded(subgraph, answer, maxAnswerBytes) : answer,
        );
      } catch (error) {
        throw toDomainError(error, subgraph, end);
      }
    },
    subscribe: (request) => {
      if (subscriptions) return subscriptions.subscribe(request);
      throw new DomainError(
        'DOWNSTREAM_SERVICE_ERROR',
        `The service "${subgraph}" supports no subscriptions`,
      );
    },
    close: async () => {
      await subscriptions?.close();
      await Promise.all([pool.close(), waitingPool.close()]);
    },
  };
}

function addressOf({ subgraph, url: value }: HttpTransportOptions): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  const expected = 'an address with http: or https:';
  const text = `subgraphs.${subgraph}.url: ${formatValue(value)} is not valid; must be ${expected}`;
  throw new DomainError('CONFIG_INVALID', text, { field: `subgraphs.${subgraph}.url`, value, expected });
}

function poolOf(
  url: URL,
  maxResponseSize: number,
  options: Pick<HttpTransportOptions, 'connectTimeoutMs' | 'endpoints'> & {
    readonly connections: number | null;
  },
): Pool {
  return new Pool(url.origin, {
    connections: options.connections,
    ...(options.endpoints ? { connect: { lookup: options.endpoints.lookup } } : {}),
    connectTimeout: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout: answerTimeoutMs,
    bodyTimeout: answerTimeoutMs,
    maxResponseSize,
  });
}

function openingOf({ documentText, operationName }: SubgraphOperation): string {
  const name = operationName === undefined ? '' : `,"operationName":${JSON.stringify(operationName)}`;
  return `{"query":${JSON.stringify(documentText)}${name}`;
}

/** The headers of a call: the client's forwarded headers, and those that the gateway sets. */
function headersOf(
  { requestId, headers }: SubgraphRequest,
  token: string | undefined,
): Record<string, string> {
  return {
    ...headers,
    'content-type': 'application/json',
    accept: 'application/graphql-response+json, application/json',
    'x-request-id': requestId,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
}

interface Answer {
  readonly status: number;
  /** The content encoding of the body; undefined if there is none. */
  readonly encoding: string | undefined;
  readonly body: Buffer;
}

/** Sends one request; rejects with the signal's reason on abort. */
function dispatch(pool: Pool, options: Dispatcher.DispatchOptions, end: CallEnd): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let status = 0;
    let encoding: string | undefined;
    const chunks: Buffer[] = [];
    const settle = end.onCancel(() => {
      controller?.abort(abortError(end));
      reject(abortError(end));
    });
    pool.dispatch(options, {
      onRequestStart: (started) => {
        controller = started;
        if (end.isCancelled) started.abort(abortError(end));
      },
      onResponseStart: (_controller, code, headers) => {
        status = code;
        encoding = encodingOf(headers['content-encoding']);
      },
      onResponseData: (_controller, chunk) => {
        chunks.push(chunk);
      },
      onResponseEnd: () => {
        settle();
        const [first] = chunks;
        resolve({
          status,
          encoding,
          body: first && chunks.length === 1 ? first : Buffer.concat(chunks),
        });
      },
      onResponseError: (_controller, error) => {
        settle();
        reject(error);
      },
    });
  });
}

function encodingOf(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.join(', ') : header;
  return text === undefined || text === '' || text === 'identity' ? undefined : text;
}

function abortError({ reason }: CallEnd): Error {
  return reason instanceof Error ? reason : new Error('Request aborted', { cause: reason });
}

/**
 * A persistent socket may close at the moment of its use; a query can be sent again, a mutation may have been
 * received.
 */
function retry(
  error: unknown,
  { operation }: SubgraphRequest,
  end: CallEnd,
  post: () => Promise<Answer>,
): Promise<Answer> {
  const closed =
    error instanceof undiciErrors.SocketError || (error as NodeJS.ErrnoException).code === 'ECONNRESET';
  if (operation.kind !== 'query' || !closed || end.isCancelled) throw error;
  return post();
}

async function decoded(subgraph: string, answer: Answer, maxBytes: number): Promise<Answer> {
  const { body, encoding = 'identity' } = answer;
  return { ...answer, body: await decodeBody(subgraph, body, encoding, maxBytes) };
}

function readAnswer(subgraph: string, { status, body }: Answer): SubgraphResult {
  // It is about the gateway's token: the client's own was accepted, and another one would change nothing.
  if (status === 401) {
    const text = `The service "${subgraph}" did not accept the token of the gateway`;
    throw new DomainError('DOWNSTREAM_SERVICE_ERROR', text, { status });
  }
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString('utf8'));
  } catch {
    answer = undefined;
  }
  const result = readSubgraphResult(answer);
  if (result) return result;
  throw new DomainError(
    'DOWNSTREAM_SERVICE_ERROR',
    `The service "${subgraph}" returned no GraphQL response (HTTP status ${status})`,
    { status },
  );
}

function toDomainError(error: unknown, subgraph: string, end: CallEnd): unknown {
  if (error instanceof DomainError || end.isCancelled) return error;
  if (error instanceof undiciErrors.ResponseExceededMaxSizeError) return tooMuch(subgraph, error);
  return new DomainError(
    'DOWNSTREAM_SERVICE_ERROR',
    `The service "${subgraph}" could not be reached`,
    {},
    { cause: error },
  );
}
