/**
 * Pure functions that turn a report about a job, given the state of the job, into the next transition,
 * nothing, or a refusal.
 */
import { isHeld, type JobState } from '../../jobs/model/job-state.js';
import type { AttemptEndChange, TransitionChange } from '../../jobs/transitions/transition.types.js';
import type { MemoryLimitMethod, StoredOutput } from '../../jobs/model/job.types.js';
import type { FailureDecision } from '../../policies/failure.types.js';
import { transitionOf } from '../../policies/failure-policies.js';

/**
 * The next step: a transition, after which the report may need another; `done` if the report already holds.
 */
export type ReportStep =
  | {
      readonly kind: 'step';
      readonly to: JobState;
      readonly change?: TransitionChange;
      /** Condition of the transition; see `TransitionRequest`. */
      readonly uncountedEnds?: number | null;
      /** Reason of the transition, if there is one. */
      readonly reason?: string;
      readonly isLast: boolean;
    }
  | { readonly kind: 'done' }
  | { readonly kind: 'conflict'; readonly expected: string };

const done: ReportStep = { kind: 'done' };

/** Report that a payload starts. */
export interface StartReport {
  readonly phase: 'STARTING' | 'RUNNING';
  readonly memoryLimit?: MemoryLimitMethod | null | undefined;
}

/**
 * Plans a report that the payload starts. Repeated and late reports are accepted while the worker has the
 * job.
 */
export function planStart({ phase, memoryLimit }: StartReport, state: JobState): ReportStep {
  if (!isHeld(state)) return { kind: 'conflict', expected: 'SENT or STARTING' };
  if (phase === 'STARTING') return state === 'SENT' ? { kind: 'step', to: 'STARTING', isLast: true } : done;
  if (state !== 'SENT' && state !== 'STARTING') return done;
  const change = memoryLimit ? { change: { memoryLimit } } : {};
  return { kind: 'step', to: 'RUNNING', ...change, isLast: true };
}

/** Plans a report of checkpoints, which changes no state. Late reports count while the worker has the job. */
export function planCheckpoints(state: JobState): ReportStep {
  return isHeld(state) ? done : { kind: 'conflict', expected: 'a state in which a worker holds the job' };
}

/** Report of a payload that ended well. */
export interface FinishReport {
  readonly phase: 'HOLDING' | 'TRANSFERRING' | 'FINISHED';
  readonly end: AttemptEndChange;
  readonly outputs: readonly StoredOutput[];
  /** Without declared outputs, FINISHED follows at once. */
  readonly hasDeclaredOutputs: boolean;
}

const order: readonly JobState[] = ['HOLDING', 'TRANSFERRING', 'FINISHED'];

/**
 * Plans a report that the payload ended well. A job that was never reported RUNNING cannot have ended well.
 */
export function planFinish(report: FinishReport, state: JobState): ReportStep {
  const to = report.hasDeclaredOutputs ? report.phase : 'FINISHED';
  if (state === 'FINISHED') return done;
  if (!isHeld(state) || state === 'SENT' || state === 'STARTING')
    return { kind: 'conflict', expected: 'RUNNING, HOLDING or TRANSFERRING' };
  if (order.indexOf(state) >= order.indexOf(to)) return done;
  const outputs = to === 'FINISHED' && report.outputs.length > 0 ? { outputs: report.outputs } : {};
  // The resource use is written once: when the payload ended, or with the last report if that has more.
  const end = state === 'RUNNING' || report.end.metrics ? { attemptEnd: report.end } : {};
  return { kind: 'step', to, change: { ...end, ...outputs }, isLast: true };
}

/** Plans a report that the attempt failed; `decide` returns what follows. */
export function planFail(end: AttemptEndChange, decide: () => FailureDecision, state: JobState): ReportStep {
  // The fence is still that of the attempt: its end was reported before.
  if (state === 'ACTIVATED' || state === 'PENDING' || state === 'THROTTLED' || state === 'FAILED')
    return done;
  if (!isHeld(state))
    return { kind: 'conflict', expected: 'SENT, STARTING, RUNNING, HOLDING or TRANSFERRING' };
  const { to, basis, ending, change } = transitionOf(decide());
  const attemptEnd = { ...end, ...ending };
  const reason = attemptEnd.error ? { reason: shortened(attemptEnd.error.message) } : {};
  return {
    kind: 'step',
    to,
    change: { attemptEnd, ...change },
    ...basis,
    ...reason,
    isLast: true,
  };
}

/**
 * Longest reason, in characters. Reasons are part of each event, and many events are in memory; the attempt
 * has the whole message.
 */
const longestReason = 200;

function shortened(text: string): string {
  const characters = [...text.slice(0, 2 * (longestReason + 1))];
  return characters.length <= longestReason ? text : `${characters.slice(0, longestReason - 1).join('')}…`;
}
