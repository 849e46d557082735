/**
 * Decides what follows failed attempts. Policies are in memory, except for some of tasks. Logs are read only
 * if a rule with a pattern could match, together for all failures of a call.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { PlannedEnds } from '../jobs/checkpoints/planned-ends.js';
import type { StoredEffect } from '../jobs/model/decision.types.js';
import type { StoredRequirements } from '../jobs/model/job.types.js';
import type { StateCounts } from '../jobs/ports.js';
import { decideFailure, decideWithoutRules, needsLog } from './decide-failure.js';
import type { FailedJob, Failure, FailureDecision, OfferedAmounts } from './failure.types.js';
import { logTailCharacters } from './log-pattern.js';
import { TimeSlices } from '../shared/time-slices.js';
import type { PolicyBooks } from './policy-book.js';

/** Attempt whose log is read. */
export interface LogRef {
  readonly jobId: string;
  readonly attempt: number;
}

/** Reads the ends of logs. */
export interface LogTails {
  /** The ends of the logs of attempts, in order; null for an empty log. */
  tails(attempts: readonly LogRef[], characters: number): Promise<readonly (string | null)[]>;
}

/** Knows what workers offer. */
export interface AmountOffers {
  /** Largest amounts that are offered to a job together; empty if they are unknown. */
  of(job: Pick<FailedJob, 'experiment' | 'classId' | 'requirements'>): readonly OfferedAmounts[];
}

/** Carries out effects of rules on tasks and hosts. Repetitions change nothing. */
export interface RuleEffects {
  /** @returns false if there was nothing to change */
  apply(effect: StoredEffect, failed: EffectCause): Promise<boolean>;
}

/** The attempt because of which a rule has an effect. */
export interface EffectCause {
  readonly jobId: string;
  readonly attempt: number;
  readonly code: string;
  readonly at: Date;
}

/** Dependencies of {@link FailurePolicies}. */
export interface FailurePoliciesOptions {
  readonly books: PolicyBooks;
  readonly logs: LogTails;
  readonly offers: AmountOffers;
  readonly plannedEnds: Pick<PlannedEnds, 'errorsOf'>;
  /** Number of jobs of a task by state; undefined if unknown. */
  readonly taskStates: (taskId: string) => StateCounts | undefined;
  readonly effects: RuleEffects;
  readonly log: Pick<Logger, 'warn'>;
  /** Stores the classes of changed requirements. */
  readonly classes: { ensure(classes: ReadonlyMap<string, StoredRequirements>, now: Date): Promise<void> };
  readonly clock: Clock;
}

/** Time after which other work gets the event loop: a call may bring a thousand failures. */
const sliceMs = 10;

/** Decides by the enabled policies. */
export class FailurePolicies {
  readonly #options: FailurePoliciesOptions;

  constructor(options: FailurePoliciesOptions) {
    this.#options = options;
  }

  /** Decides about failures, in their order. Requirements of the decisions are stored. */
  async decide(
    reported: readonly Omit<Failure, 'offers' | 'taskStates'>[],
  ): Promise<readonly FailureDecision[]> {
    if (reported.length === 0) return [];
    const { books, classes, clock } = this.#options;
    const ended = await this.#withPlannedEnds(reported);
    const failures = ended.map((one): Failure => this.#failureOf(one));
    const book = await books.bookFor(failures.map(({ job }) => job));
    const now = clock.now();
    const slices = new TimeSlices(clock, sliceMs);
    const first: (FailureDecision | typeof needsLog)[] = [];
    for (const failure of failures) {
      await slices.next();
      first.push(decideFailure(failure, book.of(failure.job), now));
    }
    const unread = failures.filter((_failure, index) => first[index] === needsLog);
    const logs = await this.#logsOf(unread);
    const decisions: FailureDecision[] = [];
    for (const [index, failure] of failures.entries()) {
      let decision = first[index];
      if (decision === needsLog) {
        await slices.next();
        decision = decideFailure(failure, book.of(failure.job), now, logs.get(failure) ?? null);
      }
      if (decision === undefined || decision === needsLog) throw new Error('a failure was not decided');
      decisions.push(withBasis(withError(decision, failure, reported[index]), failure));
    }
    const changed = decisions.flatMap(({ requirements }) => requirements ?? []);
    if (changed.length > 0)
      await classes.ensure(new Map(changed.map((one) => [one.classId, one.requirements])), now);
    return this.#withEffects(failures, decisions, now);
  }

  #failureOf(ended: Omit<Failure, 'offers' | 'taskStates'>): Failure {
    const { offers, taskStates } = this.#options;
    const { taskId } = ended.job;
    return {
      ...ended,
      offers: () => offers.of(ended.job),
      taskStates: () => (taskId === undefined ? undefined : taskStates(taskId)),
    };
  }

  /**
   * Carries out the effects before the attempts end, so that a process that ends in between repeats them.
   * Decisions keep those that changed something.
   */
  async #withEffects(
    failures: readonly Failure[],
    decisions: readonly FailureDecision[],
    at: Date,
  ): Promise<readonly FailureDecision[]> {
    if (!decisions.some(({ decision }) => decision?.effects)) return decisions;
    const kept: FailureDecision[] = [];
    for (const [index, one] of decisions.entries()) {
      const failure = failures[index];
      if (!failure || !one.decision?.effects) {
        kept.push(one);
        continue;
      }
      const { effects, ...decision } = one.decision;
      const { job, end } = failure;
      const cause = { jobId: job._id, attempt: job.attempt, code: end.error.code, at };
      const done: StoredEffect[] = [];
      for (const effect of effects) if (await this.#apply(effect, cause)) done.push(effect);
      kept.push({ ...one, decision: done.length > 0 ? { ...decision, effects: done } : decision });
    }
    return kept;
  }

  /** The end of the attempt is not lost because an effect fails: the next failure repeats it. */
  async #apply(effect: StoredEffect, cause: EffectCause): Promise<boolean> {
    const { effects, log } = this.#options;
    return effects.apply(effect, cause).catch((err: unknown) => {
      log.warn({ err, rule: effect.rule, target: effect.target }, 'effect of a rule failed');
      return false;
    });
  }

  /** Decides by the retry policies of the jobs alone; the next attempts still prefer another host. */
  async decideWithoutRules(reported: readonly Failure[]): Promise<readonly FailureDecision[]> {
    const { books, clock } = this.#options;
    const failures = await this.#withPlannedEnds(reported);
    const book = await books.bookFor(failures.map(({ job }) => job));
    const now = clock.now();
    return failures.map((failure, index) => {
      const decision = decideWithoutRules(failure, book.of(failure.job), now);
      return withError(decision, failure, reported[index]);
    });
  }

  /** The failures, with the errors of those that ended as planned. */
  async #withPlannedEnds(failures: readonly Failure[]): Promise<readonly Failure[]> {
    const { plannedEnds } = this.#options;
    const errors = await plannedEnds.errorsOf(failures.map(({ job, end }) => ({ job, error: end.error })));
    return failures.map((failure, index) => {
      const error = errors[index] ?? failure.end.error;
      return error === failure.end.error ? failure : { ...failure, end: { ...failure.end, error } };
    });
  }

  async #logsOf(failures: readonly Failure[]): Promise<ReadonlyMap<Failure, string | null>> {
    if (failures.length === 0) return new Map();
    const refs = failures.map(({ job }) => ({ jobId: job._id, attempt: job.attempt }));
    const tails = await this.#options.logs.tails(refs, logTailCharacters);
    return new Map(failures.map((failure, index) => [failure, tails[index] ?? null]));
  }
}

function withError(
  decision: FailureDecision,
  { end: { error } }: Failure,
  reported: Failure | undefined,
): FailureDecision {
  return error === reported?.end.error ? decision : { ...decision, error };
}

/** An attempt that is given back after the job was read lets it go on: it ends only as it was read. */
function withBasis(decision: FailureDecision, { job }: Failure): FailureDecision {
  if (decision.after.to !== 'FAILED') return decision;
  return { ...decision, uncountedEnds: job.uncountedEnds ?? null };
}

/** The changes that a decision makes to the job, its next state, and the condition for it. */
export function transitionOf({
  after,
  avoid,
  requirements,
  decision,
  error,
  uncountedEnds,
}: FailureDecision) {
  return {
    to: after.to,
    basis: uncountedEnds === undefined ? {} : { uncountedEnds },
    ending: { ...(error ? { error } : {}), ...(decision ? { decision } : {}) },
    change: {
      ...('notBefore' in after ? { notBefore: after.notBefore } : {}),
      ...('hold' in after ? { hold: after.hold } : {}),
      ...(avoid ? { avoid } : {}),
      ...(requirements ? { requirements } : {}),
    },
  };
}
