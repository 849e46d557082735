import type { GraphQLFormattedError } from 'graphql';
import { GraphQLError } from 'graphql/error/GraphQLError.js';
import type { ErrorCode } from './catalogue.js';
import { isDomainError, type DomainError } from './domain-error.js';
import { lookUp } from './registry.js';
import { plainJson } from './format-value.js';
import { translateError } from './translators.js';

/** Context of `toGraphQLError`. */
export interface ToGraphQLErrorOptions {
  /** Id of the request; it stands in every error so that a log line can be found. */
  readonly requestId?: string | undefined;
  /**
   * Code of graphql-js' own errors without a path: BAD_USER_INPUT (variables) unless the caller knows better.
   */
  readonly requestErrorCode?: ErrorCode;
}

/**
 * Shapes any error for a client: extensions `code`, `retry`, `requestId` and the details of a DomainError.
 * Errors about the request itself and errors with a known code keep their text; everything else becomes
 * INTERNAL_SERVER_ERROR with a masked message (the original stays in `originalError`, which is not
 * serialised).
 */
export function toGraphQLError(error: unknown, options: ToGraphQLErrorOptions = {}): GraphQLError {
  const located = error instanceof GraphQLError ? error : undefined;
  const { message, extensions } = shape(error, options);
  return new GraphQLError(message, {
    nodes: located?.nodes,
    source: located?.source,
    positions: located?.positions,
    path: located?.path,
    originalError: error instanceof Error ? error : undefined,
    extensions,
  });
}

/**
 * As {@link toGraphQLError}, in the form of a response. An error that is not located in a document costs a
 * fraction of it: a GraphQLError writes out the stack of its original, and refusals are most frequent under
 * load.
 */
export function formatGraphQLError(
  error: unknown,
  options: ToGraphQLErrorOptions = {},
): GraphQLFormattedError {
  return error instanceof GraphQLError ? toGraphQLError(error, options).toJSON() : shape(error, options);
}

/**
 * A message without the suggestions of graphql-js ("Did you mean …?"), by which a client without
 * introspection could rebuild the schema.
 */
export function withoutSuggestions(message: string): string {
  return message.replace(/\s*Did you mean [^?]*\?/g, '');
}

/** True when the error is a fault of the service that a log should have in full: masked for the client. */
export function isInternalError(error: unknown): boolean {
  return describe(error, {}).code === 'INTERNAL_SERVER_ERROR';
}

function findDomainError(error: unknown): DomainError | undefined {
  let current = error;
  for (let depth = 0; depth < 8; depth++) {
    if (isDomainError(current)) return current;
    if (!(current instanceof GraphQLError)) return translateError(current);
    current = current.originalError;
  }
  return undefined;
}

/** A scalar does not know the field whose value it refuses: graphql-js does, and says so around it. */
function messageOf(error: unknown, domain: DomainError): string {
  const isAboutVariable =
    error instanceof GraphQLError && !error.path && error.message.startsWith('Variable "$');
  return isAboutVariable ? error.message : domain.message;
}

function knownCode(error: GraphQLError): string | undefined {
  const code = error.extensions['code'];
  if (typeof code !== 'string' || code === 'INTERNAL_SERVER_ERROR') return undefined;
  return lookUp(code) ? code : undefined;
}

/** graphql-js gives every error of execution a path; one without is about the document or its variables. */
function requestCode(
  error: GraphQLError,
  { requestErrorCode }: ToGraphQLErrorOptions,
): ErrorCode | undefined {
  if (error.path || error.extensions['code'] !== undefined) return undefined;
  if (error.message.startsWith('Syntax Error')) return 'GRAPHQL_PARSE_FAILED';
  return requestErrorCode ?? 'BAD_USER_INPUT';
}

function maskedMessage(requestId: string | undefined): string {
  return requestId ? `Internal error; quote request ${requestId} when you report it` : 'Internal error';
}

/** An error as a client may see it. */
interface Described {
  readonly message: string;
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;
}

function describe(error: unknown, options: ToGraphQLErrorOptions): Described {
  const domain = findDomainError(error);
  if (domain) return { message: messageOf(error, domain), code: domain.code, details: domain.details };
  if (error instanceof GraphQLError) {
    const code = knownCode(error) ?? requestCode(error, options);
    if (code) return { message: error.message, code, details: error.extensions };
  }
  return { message: maskedMessage(options.requestId), code: 'INTERNAL_SERVER_ERROR', details: {} };
}

function shape(
  error: unknown,
  options: ToGraphQLErrorOptions,
): { readonly message: string; readonly extensions: Record<string, unknown> } {
  const { message, code, details } = describe(error, options);
  const { requestId } = options;
  const facts = plainJson(details) as Record<string, unknown>;
  delete facts['stacktrace'];
  return {
    message,
    extensions: {
      ...facts,
      code,
      retry: lookUp(code)?.retry ?? 'never',
      ...(requestId ? { requestId } : {}),
    },
  };
}
