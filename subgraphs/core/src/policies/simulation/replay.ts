/** Replays the failed attempts of one job under other policies. Pure. */
import type {
  FailureOutcome,
  StoredAvoidance,
  StoredDecision,
  StoredLimit,
} from '../../jobs/model/decision.types.js';
import type { JobDocument, StoredAttempt, StoredRequirements } from '../../jobs/model/job.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import { withChanges, withoutChanges } from '../amounts.js';
import { decideFailure, decideWithoutRules, type LogTail, needsLog } from '../decide-failure.js';
import type { AttemptFacts, Failure, FailureDecision, OfferedAmounts } from '../failure.types.js';
import type { PolicyBook } from '../policy-book.js';

/** A job as it is read for a replay. */
export type ReplayedJob = Pick<
  JobDocument,
  '_id' | 'state' | 'experiment' | 'owner' | 'taskId' | 'labels' | 'requirements' | 'retry' | 'attempts'
>;

/** Policies and facts that the replay of a job depends on. */
export interface ReplayWorld {
  readonly book: PolicyBook;
  /** Attempts that ended before are not counted; they are decided as they were. */
  readonly since: Date;
  /** Name of a queue; undefined if it is unknown. */
  readonly queueName: (queueId: string) => string | undefined;
  /** End of the log of an attempt; undefined if it was not read yet. */
  readonly log: (attempt: number) => LogTail;
}

/** A failed attempt with what happened and what would have happened. */
export interface ReplayedAttempt {
  readonly attempt: StoredAttempt;
  readonly happened: FailureOutcome;
  readonly wouldHappen: FailureOutcome;
  readonly decision: StoredDecision | undefined;
  /** Requirements of the next attempt. */
  readonly nextThen: StoredRequirements;
  readonly nextNow: StoredRequirements;
}

/** Result of a replay. It ends with the first attempt after which nothing is known any more. */
export interface Replay {
  readonly attempts: readonly ReplayedAttempt[];
}

/** Replays a job. @returns the number of an attempt whose log is needed first, or the result */
export function replayJob(job: ReplayedJob, world: ReplayWorld): Replay | { readonly logOf: number } {
  const found: ReplayedAttempt[] = [];
  const before: AttemptFacts[] = [];
  let happened = originalRequirements(job);
  let would = happened;
  let avoid: StoredAvoidance | undefined;
  for (const [index, attempt] of job.attempts.entries()) {
    const { decision: decidedThen, error, uncounted, ...rest } = attempt;
    // When it was decided, its host was not excluded yet.
    const unended = uncounted === undefined || uncounted === 'BAD_HOST' ? rest : { ...rest, uncounted };
    if (attempt.outcome !== 'FAILED' || !error || !attempt.endedAt) {
      before.push(attempt);
      continue;
    }
    const isCounted = attempt.endedAt >= world.since;
    const failure = failureOf(
      { ...job, requirements: would, ...(avoid ? { avoid } : {}) },
      [...before, unended],
      { ...attempt, error },
      world,
    );
    const decided = isCounted ? decide(failure, attempt, attempt.endedAt, world) : undefined;
    if (decided === needsLog) return { logOf: attempt.number };
    const nextThen = withChanges(happened, decidedThen?.changes ?? []);
    const nextNow = decided ? (decided.requirements?.requirements ?? would) : nextThen;
    const decision = decided ? decided.decision : decidedThen;
    before.push({
      ...unended,
      ...(uncounted ? { uncounted } : {}),
      error,
      ...(decision ? { decision } : {}),
    });
    [happened, would] = [nextThen, nextNow];
    avoid = (decided ?? decidedThen)?.avoid ?? avoid;
    if (!decided) continue;
    const replayed = {
      attempt,
      happened: outcomeOf(job, index),
      wouldHappen: outcomeOfDecision(decided),
      decision,
      nextThen,
      nextNow,
    };
    found.push(replayed);
    if (replayed.happened !== replayed.wouldHappen) break;
  }
  return { attempts: found };
}

function decide(
  failure: Failure,
  attempt: StoredAttempt,
  now: Date,
  { book, log }: ReplayWorld,
): FailureDecision | typeof needsLog {
  const policies = book.of(failure.job);
  // Core gave it away while its payload might still run: no rule decides then.
  if (attempt.unreachable) return decideWithoutRules(failure, policies, now);
  return decideFailure(failure, policies, now, log(attempt.number));
}

function failureOf(
  job: ReplayedJob & { readonly avoid?: StoredAvoidance },
  attempts: readonly AttemptFacts[],
  attempt: StoredAttempt & { readonly error: NonNullable<StoredAttempt['error']> },
  { queueName }: ReplayWorld,
): Failure {
  const { exitCode, signal, error, metrics, number, queueId, decision } = attempt;
  const queue = queueName(queueId);
  return {
    job: {
      ...job,
      classId: classIdOf(job.requirements),
      attempt: number,
      attempts,
      ...(queue === undefined ? {} : { queue }),
    },
    // The amounts that limited the decision then; the workers of today say nothing about it.
    offers: () => offersOf(decision?.limits),
    end: {
      error,
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
      ...(metrics === undefined ? {} : { metrics }),
    },
  };
}

function offersOf(limits: readonly StoredLimit[] = []): readonly OfferedAmounts[] {
  if (limits.length === 0) return [];
  const none = { memoryMiB: Infinity, walltimeSeconds: Infinity, diskMiB: Infinity };
  return [{ ...none, ...Object.fromEntries(limits.map(({ field, limit }) => [field, limit])) }];
}

/** Requirements of the first attempt: before all changes by rules. */
function originalRequirements({ requirements, attempts }: ReplayedJob): StoredRequirements {
  return attempts.reduceRight(
    (later, { decision }) => withoutChanges(later, decision?.changes ?? []),
    requirements,
  );
}

/** Outcome that followed an attempt. */
function outcomeOf({ state, attempts }: ReplayedJob, index: number): FailureOutcome {
  if (index < attempts.length - 1) return 'RETRY';
  const { decision } = attempts[index] ?? {};
  if (decision) return decision.outcome;
  return state === 'FAILED' ? 'FAIL' : 'RETRY';
}

function outcomeOfDecision({ after }: FailureDecision): FailureOutcome {
  if (after.to === 'FAILED') return 'FAIL';
  return 'hold' in after ? 'HOLD' : 'RETRY';
}
