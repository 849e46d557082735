/** Effects of rules on tasks and hosts. They decide nothing about the job: later rules do. Pure. */
import { endedOf } from '../jobs/model/job-state.js';
import type { FailureRate, StoredEffect } from '../jobs/model/decision.types.js';
import type { CompiledPolicy, Evidence } from './compiled-policy.js';
import type { FailureFacts } from './failure.types.js';
import type { PolicyRule, RuleAction, TaskAction } from './policy.types.js';

/** A rule that matched. */
export interface MatchedRule {
  readonly policy: Pick<CompiledPolicy, 'id' | 'version'>;
  readonly rule: PolicyRule;
  readonly evidence: Evidence;
}

/** Returns true if an action has an effect, and leaves it to the next rules what follows for the job. */
export function hasEffect({ pauseTask, stopTask, excludeHost, retryIfHostExcluded }: RuleAction): boolean {
  return (pauseTask ?? stopTask ?? excludeHost ?? retryIfHostExcluded) !== undefined;
}

/** The effect of a rule; undefined if its rate is not reached, or if it has nothing to act on. */
export function effectOf(facts: FailureFacts, matched: MatchedRule, now: Date): StoredEffect | undefined {
  const { pauseTask, stopTask, excludeHost, retryIfHostExcluded } = matched.rule.action;
  if (retryIfHostExcluded) {
    if (facts.host === undefined || facts.job.queue === undefined) return undefined;
    const place = { target: facts.host, queue: facts.job.queue };
    return { ...made(matched, retryIfHostExcluded.reason), kind: 'RETRY_IF_HOST_EXCLUDED', ...place };
  }
  if (excludeHost) {
    if (facts.host === undefined || facts.job.queue === undefined) return undefined;
    const until = new Date(now.getTime() + excludeHost.seconds * 1000);
    return {
      ...made(matched, excludeHost.reason),
      ...{ kind: 'EXCLUDE_HOST', target: facts.host, queue: facts.job.queue, until },
    };
  }
  const action = pauseTask ?? stopTask;
  const target = facts.job.taskId;
  if (!action || target === undefined) return undefined;
  const found = rateOf(facts, action);
  if (found === undefined) return undefined;
  const effect = made(matched, action.reason);
  const kind = pauseTask ? 'PAUSE_TASK' : 'STOP_TASK';
  const { evidence, rate } = found;
  const all = [...effect.evidence, ...evidence];
  return { ...effect, kind, target, evidence: all, ...(rate ? { rate } : {}) };
}

function made(
  { policy: { id, version }, rule, evidence }: MatchedRule,
  reason: string,
): Pick<StoredEffect, 'policyId' | 'version' | 'rule' | 'reason' | 'evidence'> {
  return { policyId: id, version, rule: rule.name, reason, evidence };
}

/** The failed fraction of the task's ended jobs, if it is reached; undefined if it is not, or is unknown. */
function rateOf(
  { taskStates }: FailureFacts,
  { maxFailedFraction, minEndedJobs }: TaskAction,
): { readonly evidence: Evidence; readonly rate?: FailureRate } | undefined {
  // A replay does not know the counts of that time: it reports failures that the rule matches.
  if (!taskStates) return { evidence: [] };
  const states = taskStates();
  if (!states) return undefined;
  const ended = endedOf(states);
  const failed = states.FAILED ?? 0;
  if (ended < minEndedJobs || failed <= maxFailedFraction * ended) return undefined;
  const value = `${failed} of ${ended} ended jobs failed`;
  const rate = { failed, ended, maxFailedFraction, minEndedJobs };
  return { evidence: [{ criterion: 'maxFailedFraction', value }], rate };
}

/** One sentence about an effect, for the task or the host. @param rate text about the failure rate */
export function effectText(
  { rule, policyId, version, reason }: StoredEffect,
  rate: string | undefined = undefined,
): string {
  const why = rate === undefined ? '' : `; ${rate}`;
  return `Rule "${rule}" of ${policyId}, version ${version}: ${reason}${why}`.slice(0, 500);
}
