/** Hands a call of `acquireJobs` on to the process that leads, in the name of the caller. */
import { DomainError, isDomainError } from '@rhizome/errors';
import { forwardedHeader } from '@rhizome/subgraph';

/** A call to hand on. */
export interface ForwardedCall {
  /** The input of `acquireJobs` as it came. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly token: string | undefined;
  readonly requestId: string;
  readonly signal?: AbortSignal | undefined;
}

/** What the leader answered. */
export interface ForwardedAnswer {
  readonly assignments: readonly {
    readonly job: { readonly id: string };
    readonly fence: number;
    readonly attempt: number;
    readonly attemptId: string;
    readonly deviceIds: readonly string[];
  }[];
  readonly userErrors: readonly {
    readonly message: string;
    readonly path: readonly string[];
    readonly code: string;
  }[];
}

const query = `mutation ForwardedAcquireJobs($input: AcquireJobsInput!) {
  acquireJobs(input: $input) {
    assignments { job { id } fence attempt attemptId deviceIds }
    userErrors { message path code }
  }
}`;

/** Longer than the longest wait of a call. */
const timeoutMs = 75_000;

/**
 * Calls the leader.
 * @throws DomainError LEADER_UNAVAILABLE when it does not answer, or leads no more; the leader's own error otherwise
 */
export async function forwardAcquire(url: string, call: ForwardedCall): Promise<ForwardedAnswer> {
  const { data, errors } = await post(url, call);
  if (data?.acquireJobs) return data.acquireJobs;
  const [error] = errors ?? [];
  const code = error?.extensions?.code;
  if (code === 'FORBIDDEN' || code === 'UNAUTHENTICATED' || code === 'TOKEN_EXPIRED')
    throw new DomainError(code, error?.message ?? code);
  throw unavailable(`it answered ${code ?? 'nothing usable'}`);
}

interface Answer {
  readonly data?: { readonly acquireJobs?: ForwardedAnswer } | null;
  readonly errors?: readonly {
    readonly message?: string;
    readonly extensions?: { readonly code?: string };
  }[];
}

async function post(url: string, { input, token, requestId, signal }: ForwardedCall): Promise<Answer> {
  if (token === undefined) throw unavailable('the caller has no token to call it with');
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
      body: JSON.stringify({ query, variables: { input } }),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    return (await response.json()) as Answer;
  } catch (error) {
    if (isDomainError(error)) throw error;
    throw unavailable('it cannot be reached', error);
  }
}

function unavailable(reason: string, cause?: unknown): DomainError {
  return new DomainError(
    'LEADER_UNAVAILABLE',
    `The leader of the broker did not take the call: ${reason}`,
    {},
    cause === undefined ? undefined : { cause },
  );
}
