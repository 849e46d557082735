/** Leaves out candidates of hosts that are not healthy, or limits them to one job. Pure. */
import { hostKeyOf, queueHostOf } from '../cache/host-standing.types.js';
import type { CandidateRequest } from '../placement/matcher.types.js';
import type { HostTests } from './host-tests.js';

type Candidate<T> = readonly [T, CandidateRequest];

/** Candidates of a pass. */
export interface CandidatesOfHosts<T> {
  readonly candidates: Candidate<T>[];
  /** Candidates whose hosts get no job now. */
  readonly withheld: readonly T[];
  /** Time until the first of their exclusions ends, in milliseconds; Infinity without an end. */
  readonly nextMs: number;
}

/**
 * Candidates of healthy hosts, and one for each host that may be tested: the one with the most free cores. It
 * gets one job, which is a canary job if the canary jobs of its queue test it.
 */
export function candidatesOfHosts<T>(
  all: readonly Candidate<T>[],
  tests: Pick<HostTests, 'isTested' | 'canaryOnlyUntil'>,
  atMs: number,
): CandidatesOfHosts<T> {
  const candidates: Candidate<T>[] = [];
  const withheld: T[] = [];
  const tested = new Map<string, Candidate<T>>();
  let nextMs = Infinity;
  for (const candidate of all) {
    const [pending, request] = candidate;
    const standing = request.worker.standing(atMs);
    if (!standing) {
      candidates.push(candidate);
      continue;
    }
    const host = queueHostOf(request.worker);
    if (standing.state === 'EXCLUDED') nextMs = Math.min(nextMs, endOf(standing.until) - atMs);
    const known = tested.get(hostKeyOf(host));
    const isBetter = !known || known[1].request.free.cores < request.request.free.cores;
    const mayTest = standing.state !== 'EXCLUDED' && !tests.isTested(host) && request.limit > 0;
    if (!mayTest || !isBetter) {
      withheld.push(pending);
      continue;
    }
    if (known) withheld.push(known[0]);
    const isCanaryOnly = standing.state === 'HALF_OPEN' && tests.canaryOnlyUntil(host) !== undefined;
    const test = { ...request, limit: 1, isTest: true, ...(isCanaryOnly && { isCanaryOnly }) } as const;
    tested.set(hostKeyOf(host), [pending, test]);
  }
  candidates.push(...tested.values());
  return { candidates, withheld, nextMs };
}

function endOf(until: Date | null): number {
  return until?.getTime() ?? Infinity;
}
