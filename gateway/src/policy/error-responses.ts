import { formatGraphQLError, isInternalError, lookUp } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { GraphQLFormattedError } from 'graphql';
import type { ExecutionText } from '@rhizome/federation';

/**
 * A response that consists of this error. Internal errors are logged in full, since the response masks them.
 */
export function refusal(error: unknown, requestId: string, log: Pick<Logger, 'error'>): ExecutionText {
  if (isInternalError(error)) log.error({ err: error, requestId }, 'request failed');
  const formatted = formatGraphQLError(error, { requestId });
  return {
    text: JSON.stringify({ errors: [formatted] }),
    outcome: 'rejected',
    kind: undefined,
    codes: [String(formatted.extensions?.['code'])],
  };
}

/** The errors in a serialised response. */
export function errorsOf({ text }: Pick<ExecutionText, 'text'>): readonly GraphQLFormattedError[] {
  return (JSON.parse(text) as { errors?: readonly GraphQLFormattedError[] }).errors ?? [];
}

/** Adds a field to the extensions of each error in a response that does not have it yet. */
export function withFact<T extends Pick<ExecutionText, 'text'>>(answer: T, name: string, value: unknown): T {
  const body = JSON.parse(answer.text) as { errors?: readonly GraphQLFormattedError[] };
  const errors = body.errors?.map((error) => ({
    ...error,
    extensions: { ...error.extensions, [name]: error.extensions?.[name] ?? value },
  }));
  return { ...answer, text: JSON.stringify({ ...body, errors }) };
}

/** Codes by which an engine reports that an operation does not fit its schema or bounds. */
const unfit = new Set([
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'OPERATION_TOO_COMPLEX',
  'BAD_USER_INPUT',
]);

/** The refusal of a stream that was open before: the new graph made its document invalid. */
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
 * HTTP status of a response. Authentication and server errors have the status of their code whatever the
 * media type; errors of the request are 400 under `application/graphql-response+json` and 200 under
 * `application/json`, as the specification GraphQL over HTTP requires.
 */
export function statusOf(answer: ExecutionText, legacy: boolean): number {
  if (answer.outcome === 'executed') return 200;
  const http = lookUp(answer.codes[0] ?? '')?.http ?? 400;
  if (http === 401 || http === 403 || http >= 500) return http;
  return legacy ? 200 : 400;
}
