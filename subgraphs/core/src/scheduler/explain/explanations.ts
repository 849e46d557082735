/**
 * Why jobs wait, as the process that leads knows it: where a job stands in its share, and how long others of its class have waited, is known
 * there. Who does not lead asks it, in the name of the caller and for a whole page of jobs at once; while it cannot be asked, what is known
 * here is told, without place and wait.
 */
import type { Logger } from '@rhizome/log';
import type { RequestedRequirements, SchedulerService } from '../dispatch/scheduler.service.js';
import type { Leadership } from '../leader/leadership.js';
import { callLeader, type LeaderAnswer, type LeaderCaller } from '../leader/leader-call.js';
import type { PendingFacts, WaitingJob } from './pending.types.js';

/** Who asks, and whether another process of core does in his name. */
export interface ExplanationCaller extends LeaderCaller {
  readonly isForwarded: boolean;
}

/** What {@link Explanations} is made of. */
export interface ExplanationsOptions {
  readonly scheduler: Pick<SchedulerService, 'pending' | 'explain' | 'isLeading'>;
  readonly leadership: Pick<Leadership, 'leaderUrl'>;
  /** Where this process takes calls; nowhere where it is alone. */
  readonly ownUrl?: (() => string | undefined) | undefined;
  readonly log: Logger;
}

/** Jobs asked for in one call. */
const perCall = 100;
/** An explanation is a courtesy: who waits for a leader that hangs gets a lesser one soon. */
const timeoutMs = 3000;

const fields = `{
  summary
  constraints {
    constraint queuesThatPass workersThatPass devicesThatPass queuesTogether workersTogether devicesTogether workersThatFailFirst reasons
  }
  mostFailed queuesConsidered workersConsidered devicesConsidered workersThatFit workersFreeNow position isPositionEstimated
  isShareBorrowing
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

/** See the head of this file. */
export class Explanations {
  readonly #options: ExplanationsOptions;

  constructor(options: ExplanationsOptions) {
    this.#options = options;
  }

  /** Why the jobs wait, in their order; null for one that was sent. */
  async pending(
    jobs: readonly WaitingJob[],
    caller: ExplanationCaller,
  ): Promise<readonly (PendingFacts | null)[]> {
    const parts = Array.from({ length: Math.ceil(jobs.length / perCall) }, (_, part) =>
      jobs.slice(part * perCall, (part + 1) * perCall),
    );
    return (await Promise.all(parts.map((part) => this.#pendingOf(part, caller)))).flat();
  }

  /** What a job with these requirements would wait for. @param input what the caller asked, as it came */
  async explain(
    asked: RequestedRequirements,
    input: object,
    caller: ExplanationCaller,
  ): Promise<PendingFacts> {
    const query = { query: ofRequirements, variables: { input } };
    const data = await this.#ask<RequirementsAnswer>(query, caller);
    return data?.explainRequirements?.pending ?? this.#options.scheduler.explain(asked);
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

  /** Asks the leader, where that is another process and can be asked. */
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
      log.warn({ code: errors[0]?.extensions?.code }, 'the leader did not explain why jobs wait');
      return undefined;
    } catch (err) {
      log.warn({ err }, 'the leader could not be asked why jobs wait');
      return undefined;
    }
  }
}
