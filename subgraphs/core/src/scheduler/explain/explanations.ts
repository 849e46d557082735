/**
 * Explains why jobs wait. Only the leader knows positions in shares and recent waiting times, so other
 * processes ask it on behalf of the caller, for a whole page of jobs at once. If the leader is unavailable,
 * the answer is what this process knows, without position and wait.
 */
import type { Logger } from '@rhizome/log';
import type { SchedulerService } from '../dispatch/scheduler.service.js';
import type { Leadership } from '../leader/leadership.js';
import { callLeader, type LeaderAnswer, type LeaderCaller } from '../leader/leader-call.js';
import type { RequestedRequirements } from './job-explainer.js';
import type { PendingFacts, WaitingJob } from './pending.types.js';

/** The caller, and whether the call was forwarded by another process of core. */
export interface ExplanationCaller extends LeaderCaller {
  readonly isForwarded: boolean;
}

export interface ExplanationsOptions {
  readonly scheduler: Pick<SchedulerService, 'pending' | 'explain' | 'isLeading'>;
  readonly leadership: Pick<Leadership, 'leaderUrl'>;
  /** Address of this process for calls; undefined if it is alone. */
  readonly ownUrl?: (() => string | undefined) | undefined;
  readonly log: Logger;
}

/** Maximum number of jobs in one call. */
const perCall = 100;
/**
 * Timeout of the leader, in milliseconds: an explanation is optional, so a caller soon gets a less detailed
 * one.
 */
const timeoutMs = 3000;

const fields = `{
  kind summary
  constraints {
    constraint queuesThatPass workersThatPass devicesThatPass queuesTogether workersTogether devicesTogether workersThatFailFirst reasons
  }
  mostFailed queuesConsidered workersConsidered devicesConsidered workersThatFit workersFreeNow position isPositionEstimated
  isShareBorrowing
  preferences { expression weight share workersThatMeet isEstimated }
  relaxations { constraint change queuesGained workersGained devicesGained }
  wait { kind seconds lowSeconds highSeconds basedOnGrants reason }
}`;
const ofJobs = `query ForwardedPending($jobs: [_Any!]!) {
  _entities(representations: $jobs) { ... on Job { id pending ${fields} } }
}`;
const ofRequirements = `query ForwardedExplanation($input: ExplainRequirementsInput!) {
  explainRequirements(input: $input) { pending ${fields} }
}`;

interface JobsAnswer {
  readonly _entities: readonly ({ readonly id: string; readonly pending: PendingFacts | null } | null)[];
}

interface RequirementsAnswer {
  readonly explainRequirements: { readonly pending: PendingFacts | null };
}

/** Explanations from the leader or, without it, from this process. */
export class Explanations {
  readonly #options: ExplanationsOptions;

  constructor(options: ExplanationsOptions) {
    this.#options = options;
  }

  /** Explains why the jobs wait, in their order; null for a granted job. */
  async pending(
    jobs: readonly WaitingJob[],
    caller: ExplanationCaller,
  ): Promise<readonly (PendingFacts | null)[]> {
    const parts = Array.from({ length: Math.ceil(jobs.length / perCall) }, (_, part) =>
      jobs.slice(part * perCall, (part + 1) * perCall),
    );
    return (await Promise.all(parts.map((part) => this.#pendingOf(part, caller)))).flat();
  }

  /** Explains why a job with these requirements would wait. @param input the original input of the caller */
  async explain(
    requested: RequestedRequirements,
    input: object,
    caller: ExplanationCaller,
  ): Promise<PendingFacts> {
    const query = { query: ofRequirements, variables: { input } };
    const data = await this.#ask<RequirementsAnswer>(query, caller);
    return data?.explainRequirements?.pending ?? this.#options.scheduler.explain(requested);
  }

  async #pendingOf(
    jobs: readonly WaitingJob[],
    caller: ExplanationCaller,
  ): Promise<readonly (PendingFacts | null)[]> {
    const representations = jobs.map(({ _id }) => ({ __typename: 'Job', id: _id }));
    const data = await this.#ask<JobsAnswer>({ query: ofJobs, variables: { jobs: representations } }, caller);
    const grantsWritten = new Map((data?._entities ?? []).map((job) => [job?.id, job?.pending]));
    return Promise.all(
      jobs.map(async (job) => {
        const answer = grantsWritten.get(job._id);
        return answer === undefined ? this.#options.scheduler.pending(job) : answer;
      }),
    );
  }

  /** Calls the leader if it is another process and available. */
  async #ask<T>(
    operation: { readonly query: string; readonly variables: Readonly<Record<string, unknown>> },
    { isForwarded, ...caller }: ExplanationCaller,
  ): Promise<LeaderAnswer<T>['data']> {
    const { scheduler, leadership, ownUrl, log } = this.#options;
    const url = leadership.leaderUrl();
    if (scheduler.isLeading || isForwarded || url === undefined || url === ownUrl?.()) return undefined;
    try {
      const { data, errors } = await callLeader<T>(url, { ...operation, timeoutMs }, caller);
      if (!errors || errors.length === 0) return data;
      log.warn({ code: errors[0]?.extensions?.code }, 'leader did not explain why jobs wait');
      return undefined;
    } catch (err) {
      log.warn({ err }, 'leader could not be reached for an explanation');
      return undefined;
    }
  }
}
