/** Calls of the leader on behalf of a caller of this process. */
import { DomainError, isDomainError } from '@rhizome/errors';
import { forwardedHeader } from '@rhizome/subgraph';

/** The original caller. */
export interface LeaderCaller {
  readonly token: string | undefined;
  readonly requestId: string;
  readonly signal?: AbortSignal | undefined;
}

/** An operation for the leader. */
export interface LeaderOperation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly timeoutMs: number;
}

/** Answer of the leader. */
export interface LeaderAnswer<T> {
  readonly data?: Partial<T> | null;
  readonly errors?: readonly {
    readonly message?: string;
    readonly extensions?: { readonly code?: string };
  }[];
}

/**
 * Executes the operation at the leader.
 * @throws DomainError LEADER_UNAVAILABLE when it does not answer
 */
export async function callLeader<T>(
  url: string,
  { query, variables, timeoutMs }: LeaderOperation,
  { token, requestId, signal }: LeaderCaller,
): Promise<LeaderAnswer<T>> {
  if (token === undefined) throw leaderUnavailable('the caller has no token to call it with');
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        authorization: `Bearer ${token}`,
        'x-request-id': requestId,
        // The receiver does not forward the call again.
        [forwardedHeader]: '1',
      },
      body: JSON.stringify({ query, variables }),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    return (await response.json()) as LeaderAnswer<T>;
  } catch (error) {
    if (isDomainError(error)) throw error;
    throw leaderUnavailable('it cannot be reached', error);
  }
}

/** Error for a call that the leader did not execute. */
export function leaderUnavailable(reason: string, cause?: unknown): DomainError {
  return new DomainError(
    'LEADER_UNAVAILABLE',
    `The leader of the broker did not take the call: ${reason}`,
    {},
    cause === undefined ? undefined : { cause },
  );
}
