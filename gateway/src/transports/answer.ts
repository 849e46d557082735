import type { SubgraphError, SubgraphResult } from '@rhizome/federation';

/**
 * Reads a service's response as a GraphQL response; undefined if it is not one. Normalises its errors, so
 * that a service with malformed errors does not spoil the data of others.
 */
export function readSubgraphResult(answer: unknown): SubgraphResult | undefined {
  if (!isObject(answer) || !('data' in answer || 'errors' in answer)) return undefined;
  const { data, errors } = answer;
  if (errors === undefined || errors === null) return { data: data as SubgraphResult['data'] };
  // Some servers answer a refused request with an object in place of GraphQL's list of errors.
  if (!Array.isArray(errors)) return undefined;
  return { data: data as SubgraphResult['data'], errors: readSubgraphErrors(errors) };
}

/** Reads a list of errors. */
export function readSubgraphErrors(errors: readonly unknown[]): SubgraphError[] {
  return errors.map((given) => {
    const { message, path, extensions } = isObject(given) ? given : {};
    return {
      message: typeof message === 'string' ? message : 'An error without a message',
      path: isPath(path) ? path : undefined,
      extensions: isObject(extensions) ? extensions : undefined,
    };
  });
}

function isPath(path: unknown): path is (string | number)[] {
  return (
    Array.isArray(path) &&
    path.every((step) => typeof step === 'string' || (Number.isInteger(step) && (step as number) >= 0))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
