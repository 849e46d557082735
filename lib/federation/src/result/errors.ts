import { isDomainError, lookUp, plainJson } from '@rhizome/errors';
import type { GraphQLFormattedError } from 'graphql';
import type { SubgraphError } from '../transport/transport.js';
import type { ResponsePath } from './path.js';
import { clientPath } from './response-key.js';
import type { EngineLog } from '../engine/types.js';

/** An error on its way to the client. */
export interface EngineError {
  readonly message: string;
  /**
   * In the client's terms; undefined while only the object is known at which it occurred, or for the whole
   * request.
   */
  readonly path?: ResponsePath | undefined;
  readonly code: string;
  /** Subgraph that failed. */
  readonly subgraph?: string | undefined;
  /** Locations in the client's document, for errors in the document. */
  readonly locations?: GraphQLFormattedError['locations'];
  /** Additional extensions. */
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
  /** Failed fetch that left the path without a value: all its paths are reported in one error. */
  readonly fetch?: FailedFetch | undefined;
}

/** One fetch that failed as a whole, in one run. */
export interface FailedFetch {
  /** Paths that it left without a value, collected while the answer is written. */
  paths: number;
}

/**
 * A fetch that returned nothing; the fields it leaves without a value are found when the answer is written.
 */
export interface Failure {
  readonly error: EngineError;
  /** Keys that the fetch would have added to each of its objects. */
  readonly fields: ReadonlySet<string>;
  readonly fetch: FailedFetch;
  /**
   * Whether its paths are reported in one error or in one each. `if left`: in one each if their object is
   * present, since the error itself has another path, whose null may be the only visible one.
   */
  readonly reported: 'once' | 'each' | 'if left';
  /**
   * True if the subgraph itself reported it: clients then see it even if no field lacks a value because of
   * it.
   */
  readonly isOwn?: boolean | undefined;
}

/** Context for formatting an error. */
export interface ErrorContext {
  readonly requestId: string;
  readonly log: EngineLog;
  readonly uncodedMessages: boolean;
}

/** Extensions that describe internals of a subgraph or that the engine sets itself. */
const internalFacts = new Set([
  'code',
  'stacktrace',
  'exception',
  'originalError',
  'debugMessage',
  'serviceName',
  'subgraph',
  'requestId',
  'retry',
  'http',
  'trace',
]);

/** Codes with which a subgraph blames the gateway's operation: never the client's fault. */
const ourFaults = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
]);

/** Formats an error that a subgraph returned, without a path. */
export function fromSubgraph(error: SubgraphError, subgraph: string, context: ErrorContext): EngineError {
  const given = error.extensions ?? {};
  const code = typeof given['code'] === 'string' ? given['code'] : undefined;
  const facts = Object.fromEntries(Object.entries(given).filter(([key]) => !internalFacts.has(key)));
  if (code !== undefined && code !== 'INTERNAL_SERVER_ERROR' && !ourFaults.has(code)) {
    return { message: String(error.message), code, subgraph, facts };
  }
  context.log.warn(
    { subgraph, requestId: context.requestId, code, message: error.message },
    'subgraph error masked',
  );
  const shown = code === 'INTERNAL_SERVER_ERROR' ? code : 'DOWNSTREAM_SERVICE_ERROR';
  if (context.uncodedMessages) return { message: String(error.message), code: shown, subgraph, facts };
  return { message: maskedMessage(subgraph, context.requestId), code: shown, subgraph };
}

function maskedMessage(subgraph: string, requestId: string): string {
  return `The service "${subgraph}" failed; quote request ${requestId} when you report it`;
}

/** Formats an error that a transport threw. */
export function fromTransport(error: unknown, subgraph: string, context: ErrorContext): EngineError {
  if (isDomainError(error)) {
    context.log.warn({ subgraph, requestId: context.requestId, err: error }, 'subgraph call failed');
    const facts = plainJson(error.details) as Record<string, unknown>;
    return { message: error.message, code: error.code, subgraph, facts };
  }
  context.log.error({ subgraph, requestId: context.requestId, err: error }, 'transport failed');
  return { message: maskedMessage(subgraph, context.requestId), code: 'DOWNSTREAM_SERVICE_ERROR', subgraph };
}

/** Error for a subgraph's answer that does not match the request. */
export function badAnswer(subgraph: string, what: string, context: ErrorContext): EngineError {
  context.log.warn({ subgraph, requestId: context.requestId, what }, 'subgraph answer rejected');
  return {
    message: `The service "${subgraph}" ${what}`,
    code: 'DOWNSTREAM_SERVICE_ERROR',
    subgraph,
  };
}

/** The `errors` of an answer as JSON text, brackets included. */
export function errorsText(errors: readonly EngineError[], requestId: string): string {
  return `[${errors.map((error) => JSON.stringify(formatted(error, requestId))).join(',')}]`;
}

function formatted(error: EngineError, requestId: string): GraphQLFormattedError {
  return {
    message: error.message,
    ...(error.locations ? { locations: error.locations } : {}),
    ...(error.path ? { path: clientPath(error.path) } : {}),
    extensions: {
      ...error.facts,
      code: error.code,
      retry: lookUp(error.code)?.retry ?? 'never',
      ...(error.subgraph === undefined ? {} : { subgraph: error.subgraph }),
      requestId,
    },
  };
}
