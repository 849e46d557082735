import { isInternalError, lookUp, toGraphQLError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { GraphQLFormattedError } from 'graphql';
import type { ExecutionText } from '@rhizome/federation';

/** An error as a client reads it; what a client must not see is masked. */
function formatError(error: unknown, requestId: string): GraphQLFormattedError {
  return toGraphQLError(error, { requestId }).toJSON();
}

/** An answer that is nothing but this error. Faults of our own are logged in full, since the answer masks them. */
export function refusal(error: unknown, requestId: string, log: Pick<Logger, 'error'>): ExecutionText {
  if (isInternalError(error)) log.error({ err: error, requestId }, 'request failed');
  const formatted = formatError(error, requestId);
  return {
    text: JSON.stringify({ errors: [formatted] }),
    outcome: 'rejected',
    kind: undefined,
    codes: [String(formatted.extensions?.['code'])],
  };
}

/** The errors of an answer's text. */
export function errorsOf({ text }: Pick<ExecutionText, 'text'>): readonly GraphQLFormattedError[] {
  return (JSON.parse(text) as { errors?: readonly GraphQLFormattedError[] }).errors ?? [];
}

/** Adds a fact to the extensions of each error of an answer, where it is not there already. */
export function withFact<T extends Pick<ExecutionText, 'text'>>(answer: T, name: string, value: unknown): T {
  const body = JSON.parse(answer.text) as { errors?: readonly GraphQLFormattedError[] };
  const errors = body.errors?.map((error) => ({
    ...error,
    extensions: { ...error.extensions, [name]: error.extensions?.[name] ?? value },
  }));
  return { ...answer, text: JSON.stringify({ ...body, errors }) };
}

/** Codes by which an engine says that an operation does not fit its schema or bounds. */
const unfit = new Set([
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'OPERATION_TOO_COMPLEX',
  'BAD_USER_INPUT',
]);

/** The refusal of a stream that was open before: what is wrong with its document came with a new graph. */
export function withdrawn(answer: ExecutionText): ExecutionText {
  if (answer.outcome !== 'rejected' || !answer.codes.every((code) => unfit.has(code))) return answer;
  const errors = errorsOf(answer).map(({ message, extensions }) => ({
    message: `A new version of the graph no longer has this subscription: ${message}`,
    extensions: {
      ...extensions,
      code: 'SUBSCRIPTION_WITHDRAWN',
      retry: lookUp('SUBSCRIPTION_WITHDRAWN')?.retry,
    },
  }));
  return {
    ...answer,
    text: JSON.stringify({ errors }),
    codes: answer.codes.map(() => 'SUBSCRIPTION_WITHDRAWN'),
  };
}

/**
 * HTTP status of an answer. Refusals of who asks and troubles of ours have the status of their code whatever the
 * media type; faults of the request are 400 under `application/graphql-response+json` and 200 under `application/json`,
 * as GraphQL over HTTP asks for.
 */
export function statusOf(answer: ExecutionText, legacy: boolean): number {
  if (answer.outcome === 'executed') return 200;
  const http = lookUp(answer.codes[0] ?? '')?.http ?? 400;
  if (http === 401 || http === 403 || http >= 500) return http;
  return legacy ? 200 : 400;
}
