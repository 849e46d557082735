/** Calls of the process that leads, in the name of whoever called this one. */
import { DomainError, isDomainError } from '@rhizome/errors';
import { forwardedHeader } from '@rhizome/subgraph';

/** Who calls. */
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

/** What the leader answered. */
export interface LeaderAnswer<T> {
  readonly data?: Partial<T> | null;
  readonly errors?: readonly {
    readonly message?: string;
    readonly extensions?: { readonly code?: string };
  }[];
}

/**
 * Has the leader execute the operation.
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
        // Who receives it does not hand it on once more.
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

/** What to throw where the leader did not do what was asked. */
export function leaderUnavailable(reason: string, cause?: unknown): DomainError {
  return new DomainError(
    'LEADER_UNAVAILABLE',
    `The leader of the broker did not take the call: ${reason}`,
    {},
    cause === undefined ? undefined : { cause },
  );
}
