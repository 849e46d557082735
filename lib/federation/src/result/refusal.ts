import type { GraphQLFormattedError } from 'graphql';
import { type EngineError, errorsText } from './errors.js';
import type { ExecutionText, OperationInfo } from '../engine/types.js';

/** Reason why an operation does not run: the same for all callers. */
export interface Refusal {
  readonly kind: OperationInfo['kind'] | undefined;
  readonly errors: readonly EngineError[];
}

/** Rejection with errors that graphql-js found. */
export function refusal(
  code: string,
  errors: readonly GraphQLFormattedError[],
  kind?: OperationInfo['kind'],
): Refusal {
  return {
    kind,
    errors: errors.map(({ message, locations, extensions }) => ({
      message,
      locations,
      code: typeof extensions?.['code'] === 'string' ? extensions['code'] : code,
      ...(extensions ? { facts: extensions } : {}),
    })),
  };
}

/** The answer that rejects an operation. */
export function refusalText({ kind, errors }: Refusal, requestId: string): ExecutionText {
  return {
    text: `{"errors":${errorsText(errors, requestId)}}`,
    outcome: 'rejected',
    kind,
    codes: errors.map(({ code }) => code),
  };
}
