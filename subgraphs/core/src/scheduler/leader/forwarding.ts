/** Forwards a call of `acquireJobs` to the leader, on behalf of the caller. */
import { DomainError } from '@rhizome/errors';
import { callLeader, type LeaderCaller, leaderUnavailable } from './leader-call.js';

/** A call to forward. */
export interface ForwardedCall extends LeaderCaller {
  /** The original input of `acquireJobs`. */
  readonly input: Readonly<Record<string, unknown>>;
}

/** Answer of the leader. */
export interface ForwardedAnswer {
  readonly assignments: readonly {
    readonly job: { readonly id: string };
    readonly fence: number;
    readonly attempt: number;
    readonly attemptId: string;
    readonly deviceIds: readonly string[];
    readonly continueSeconds: number;
  }[];
  readonly userErrors: readonly {
    readonly message: string;
    readonly path: readonly string[];
    readonly code: string;
  }[];
}

const query = `mutation ForwardedAcquireJobs($input: AcquireJobsInput!) {
  acquireJobs(input: $input) {
    assignments { job { id } fence attempt attemptId deviceIds continueSeconds }
    userErrors { message path code }
  }
}`;

/** Longer than the longest wait of a call. */
const timeoutMs = 75_000;

/**
 * Calls the leader.
 * @throws DomainError LEADER_UNAVAILABLE when it does not answer or no longer leads; otherwise the leader's
 *   own error
 */
export async function forwardAcquire(
  url: string,
  { input, ...caller }: ForwardedCall,
): Promise<ForwardedAnswer> {
  const operation = { query, variables: { input }, timeoutMs };
  const { data, errors } = await callLeader<{ readonly acquireJobs: ForwardedAnswer }>(
    url,
    operation,
    caller,
  );
  if (data?.acquireJobs) return data.acquireJobs;
  const [error] = errors ?? [];
  const code = error?.extensions?.code;
  // The caller's own token was accepted by the gateway: a refused one is the call token, which has expired.
  if (code === 'FORBIDDEN') throw new DomainError(code, error?.message ?? code);
  throw leaderUnavailable(`it answered ${code ?? 'nothing usable'}`);
}
