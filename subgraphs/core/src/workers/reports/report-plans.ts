/** What a worker's word about a job means, given the state the job is in: the next step of the machine, or nothing, or a refusal. Pure. */
import { isHeld, type JobState } from '../../jobs/model/job-state.js';
import type { AttemptEndChange, TransitionChange } from '../../jobs/transitions/transition.types.js';
import type { StoredOutput } from '../../jobs/model/job.types.js';

/** The next step: a transition, after which the word may need another; `done` when the word holds already. */
export type ReportStep =
  | {
      readonly kind: 'step';
      readonly to: JobState;
      readonly change?: TransitionChange;
      /** Why, where there is something to say. */
      readonly reason?: string;
      readonly isLast: boolean;
    }
  | { readonly kind: 'done' }
  | { readonly kind: 'conflict'; readonly expected: string };

const done: ReportStep = { kind: 'done' };

/** The payload starts. Words that come again, or late, hold while the worker still has the job. */
export function planStart(phase: 'STARTING' | 'RUNNING', state: JobState): ReportStep {
  if (!isHeld(state)) return { kind: 'conflict', expected: 'SENT or STARTING' };
  if (phase === 'STARTING') return state === 'SENT' ? { kind: 'step', to: 'STARTING', isLast: true } : done;
  return state === 'SENT' || state === 'STARTING' ? { kind: 'step', to: 'RUNNING', isLast: true } : done;
}

/** A payload that ended well. */
export interface FinishReport {
  readonly phase: 'HOLDING' | 'TRANSFERRING' | 'FINISHED';
  readonly end: AttemptEndChange;
  readonly outputs: readonly StoredOutput[];
  /** Without declared outputs FINISHED follows at once. */
  readonly hasDeclaredOutputs: boolean;
}

const order: readonly JobState[] = ['HOLDING', 'TRANSFERRING', 'FINISHED'];

/** The payload ended well. A job that was never reported RUNNING cannot have done so. */
export function planFinish(report: FinishReport, state: JobState): ReportStep {
  const to = report.hasDeclaredOutputs ? report.phase : 'FINISHED';
  if (state === 'FINISHED') return done;
  if (!isHeld(state) || state === 'SENT' || state === 'STARTING')
    return { kind: 'conflict', expected: 'RUNNING, HOLDING or TRANSFERRING' };
  if (order.indexOf(state) >= order.indexOf(to)) return done;
  const outputs = to === 'FINISHED' && report.outputs.length > 0 ? { outputs: report.outputs } : {};
  // What the attempt used is told once: when the payload ended, or with the last word where that brings more.
  const end = state === 'RUNNING' || report.end.metrics ? { attemptEnd: report.end } : {};
  return { kind: 'step', to, change: { ...end, ...outputs }, isLast: true };
}

/** The attempt failed; `decide` says what follows. */
export function planFail(
  end: AttemptEndChange,
  decide: () =>
    { readonly to: 'ACTIVATED' | 'FAILED' } | { readonly to: 'PENDING'; readonly notBefore: Date },
  state: JobState,
): ReportStep {
  // The fence is still the attempt's: its end was told before.
  if (state === 'ACTIVATED' || state === 'PENDING' || state === 'THROTTLED' || state === 'FAILED')
    return done;
  if (!isHeld(state))
    return { kind: 'conflict', expected: 'SENT, STARTING, RUNNING, HOLDING or TRANSFERRING' };
  const decision = decide();
  const notBefore = 'notBefore' in decision ? { notBefore: decision.notBefore } : {};
  const reason = end.error ? { reason: shortened(end.error.message) } : {};
  return {
    kind: 'step',
    to: decision.to,
    change: { attemptEnd: end, ...notBefore },
    ...reason,
    isLast: true,
  };
}

/** Reasons travel with every event, and many events are kept in memory: the whole message stands in the attempt. */
const longestReason = 200;

function shortened(text: string): string {
  const characters = [...text.slice(0, 2 * (longestReason + 1))];
  return characters.length <= longestReason ? text : `${characters.slice(0, longestReason - 1).join('')}…`;
}
