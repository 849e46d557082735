/**
 * Decides what follows a failed attempt: the first rule that matches, in the order of the policies and their
 * rules; else the retry policy of the job. Pure.
 */
import { isPlannedEnd, isUncounted } from '@rhizome/errors';
import { isCanary } from '../jobs/model/canary-owner.js';
import { classIdOf } from '../jobs/model/requirement-class-id.js';
import type {
  StoredAvoidance,
  StoredChange,
  StoredDecision,
  StoredEffect,
  StoredLimit,
} from '../jobs/model/decision.types.js';
import { maxAttempts } from '../jobs/transitions/attempt-updates.js';
import {
  type AfterFailure,
  backoffSeconds,
  countedAttempts,
  decideAfterFailure,
  costsNoAttempt,
} from '../jobs/transitions/retry-policy.js';
import { changesAmounts, changesOf, withChanges } from './amounts.js';
import { preferredElsewhere, requiredElsewhere } from './avoidance.js';
import { type CompiledPolicy, type CompiledRule, type Evidence, matchFacts } from './compiled-policy.js';
import { effectOf, hasEffect } from './rule-effects.js';
import { type Failure, type FailureDecision, type FailureFacts, policyActor } from './failure.types.js';
import { defaultPlacement, type RetryAction } from './policy.types.js';

/** A rule needs the log of the attempt, which was not read yet. */
export const needsLog = Symbol('needs the log');

/** End of the log of the attempt; null if there is none, undefined if it was not read yet. */
export type LogTail = string | null | undefined;

/** Policies of the job, and findings about rules that matched and could do nothing. */
interface World {
  /** The most specific first. */
  readonly policies: readonly CompiledPolicy[];
  readonly now: Date;
  /** Filled while rules are tried. */
  readonly limits: StoredLimit[];
  readonly effects: StoredEffect[];
}

/** Decides about a failure. @param applicable policies, the most specific first */
export function decideFailure(
  failure: Failure,
  applicable: readonly CompiledPolicy[],
  now: Date,
  log?: LogTail,
): FailureDecision | typeof needsLog {
  const facts = factsOf(failure);
  // A canary job is to show what happens: rules neither repeat it nor act because of it.
  const policies = isCanary(failure.job) ? [] : applicable;
  if (costsNoAttempt(failure.job, failure.end.error)) return decideUncounted(facts, policies, now);
  const world: World = { policies, now, limits: [], effects: [] };
  for (const policy of policies)
    for (const rule of policy.rules) {
      const matched = match(rule, facts, log);
      if (matched === needsLog) return needsLog;
      if (!matched) continue;
      if (hasEffect(rule.rule.action)) {
        const effect = effectOf(facts, { policy, rule: rule.rule, evidence: matched }, now);
        if (effect) world.effects.push(effect);
        continue;
      }
      const decided = decideByRule(facts, { policy, rule, evidence: matched }, world);
      if (decided) return withFindings(decided, world);
    }
  return withFindings(decideByDefault(facts, world), world);
}

/** The job is repeated at once; after a test of a host, preferably elsewhere. */
function decideUncounted(
  facts: FailureFacts,
  policies: readonly CompiledPolicy[],
  now: Date,
): FailureDecision {
  const after = decideAfterFailure(facts.job, facts.end.error, now);
  const isTest = facts.job.attempts?.at(-1)?.uncounted === 'HOST_TEST';
  const { error } = facts.end;
  if (!isTest || isUncounted(error) || isPlannedEnd(error)) return { after };
  const avoid = preferredElsewhere(facts, placementOf(policies), now);
  const elsewhere = avoid ? { avoid } : {};
  const reason = 'The attempt was a test of its host, and does not count';
  return {
    after,
    ...elsewhere,
    decision: { outcome: 'RETRY', reason, evidence: [], changes: [], ...elsewhere },
  };
}

/** Decides by the retry policy of the job alone. */
export function decideWithoutRules(
  failure: Failure,
  policies: readonly CompiledPolicy[],
  now: Date,
): FailureDecision {
  return decideByDefault(factsOf(failure), { policies, now, limits: [], effects: [] });
}

function factsOf(failure: Failure): FailureFacts {
  const { job } = failure;
  const last = job.attempts?.at(-1);
  return { ...failure, attempt: countedAttempts(job), host: last?.host, site: last?.site };
}

function match(
  rule: CompiledRule,
  facts: FailureFacts,
  log: LogTail,
): Evidence | undefined | typeof needsLog {
  const evidence = matchFacts(rule, facts);
  if (!evidence || !rule.pattern) return evidence;
  if (log === undefined) return needsLog;
  const line = log === null ? undefined : rule.pattern.find(log);
  return line === undefined ? undefined : [...evidence, { criterion: 'logPattern', value: line }];
}

interface Matched {
  readonly policy: CompiledPolicy;
  readonly rule: CompiledRule;
  readonly evidence: Evidence;
}

/** The decision of a rule; undefined if the rule can do nothing more for the job. */
function decideByRule(
  facts: FailureFacts,
  { policy, rule: { rule }, evidence }: Matched,
  world: World,
): FailureDecision | undefined {
  const { name, action, maxPerJob = Infinity } = rule;
  const before = (facts.job.attempts ?? []).filter(
    ({ decision }) => decision?.policyId === policy.id && decision.rule === name,
  ).length;
  if (before >= maxPerJob) return undefined;
  const by = { policyId: policy.id, version: policy.version, rule: name, evidence };
  if (action.retry) return retry(facts, action.retry, by, world);
  if (action.hold && facts.attempt < maxAttempts) {
    const { reason } = action.hold;
    const hold = { by: policyActor, reason };
    return { after: { to: 'PENDING', hold }, decision: { outcome: 'HOLD', ...by, reason, changes: [] } };
  }
  const reason = action.fail?.reason ?? `The job has had ${maxAttempts} attempts`;
  return { after: { to: 'FAILED' }, decision: { outcome: 'FAIL', ...by, reason, changes: [] } };
}

type DecidedBy = Required<Pick<StoredDecision, 'policyId' | 'version' | 'rule' | 'evidence'>>;

function retry(
  facts: FailureFacts,
  action: RetryAction,
  by: DecidedBy,
  world: World,
): FailureDecision | undefined {
  const { job, attempt } = facts;
  const changes = changesBy(by.rule, action, facts, world);
  // Its amounts have reached their limits: the next rule decides.
  if (changesAmounts(action) && changes.length === 0) return undefined;
  const most = Math.min(action.maxAttempts ?? job.retry.maxAttempts, maxAttempts);
  if (attempt >= most) {
    const reason = `Attempt ${attempt} of ${most}: no attempt is left`;
    return { after: { to: 'FAILED' }, decision: { outcome: 'FAIL', ...by, reason, changes: [] } };
  }
  const seconds = action.backoffSeconds ?? backoffSeconds(job.retry, attempt);
  const isRequired = action.anotherHostSeconds !== undefined || action.anotherSiteSeconds !== undefined;
  const from = later(world.now, seconds);
  return repeated(facts, world, {
    ...{ after: afterSeconds(seconds, from), changes, by },
    ...(isRequired ? { avoid: requiredElsewhere(facts, action, from) } : {}),
    reason: `Rule "${by.rule}" allows attempt ${attempt + 1} of ${most}`,
  });
}

/** Changes of requirements; the amounts that are not offered are noted. @param name who asks for them */
function changesBy(
  name: string,
  action: RetryAction,
  { job, offers }: FailureFacts,
  { limits }: World,
): readonly StoredChange[] {
  const found = changesOf(action, job.requirements, changesAmounts(action) ? offers?.() : undefined);
  limits.push(...found.limits.map((limit) => ({ rule: name, ...limit })));
  return found.changes;
}

/** Another attempt, and why. */
interface Repetition {
  readonly after: Exclude<AfterFailure, { readonly to: 'FAILED' }>;
  /** Where it must not run; where it preferably does not, unless given. */
  readonly avoid?: StoredAvoidance | undefined;
  readonly changes: readonly StoredChange[];
  /** The rule; the retry policy of the job, unless given. */
  readonly by?: DecidedBy;
  readonly reason: string;
}

function repeated(facts: FailureFacts, { policies, now }: World, repetition: Repetition): FailureDecision {
  const { after, changes, by = { evidence: [] }, reason } = repetition;
  const backoff = 'notBefore' in after ? { notBefore: after.notBefore } : {};
  const avoid =
    'avoid' in repetition
      ? repetition.avoid
      : preferredElsewhere(facts, placementOf(policies), backoff.notBefore ?? now);
  const elsewhere = avoid ? { avoid } : {};
  const requirements = withChanges(facts.job.requirements, changes);
  return {
    after,
    ...elsewhere,
    ...(changes.length > 0 ? { requirements: { requirements, classId: classIdOf(requirements) } } : {}),
    decision: { outcome: 'RETRY', ...by, reason, changes, ...backoff, ...elsewhere },
  };
}

function later(now: Date, seconds: number): Date {
  return new Date(now.getTime() + Math.round(seconds * 1000));
}

function afterSeconds(seconds: number, notBefore: Date): Repetition['after'] {
  return seconds > 0 ? { to: 'PENDING', notBefore } : { to: 'ACTIVATED' };
}

/** Name under which amounts are limited that the retry policy of the job asked for. */
const retryPolicyName = 'retry policy';

/**
 * Another attempt with more memory, by the retry policy of the job; undefined if it does not say so, or the
 * memory cannot grow.
 */
function growMemory(facts: FailureFacts, world: World): FailureDecision | undefined {
  const { job, attempt, end } = facts;
  const { memoryFactor: factor, maxMemoryMiB: max, maxAttempts: most } = job.retry;
  if (factor === undefined || end.error.code !== 'MEMORY_EXCEEDED' || attempt >= most) return undefined;
  const action = { memory: { factor, ...(max === undefined ? {} : { max }) } };
  const changes = changesBy(retryPolicyName, action, facts, world);
  if (changes.length === 0) return undefined;
  const seconds = backoffSeconds(job.retry, attempt);
  return repeated(facts, world, {
    after: afterSeconds(seconds, later(world.now, seconds)),
    changes,
    reason: `The retry policy of the job allows attempt ${attempt + 1} of ${most}, with more memory`,
  });
}

function decideByDefault(facts: FailureFacts, world: World): FailureDecision {
  const grown = growMemory(facts, world);
  if (grown) return grown;
  const { now, limits, effects } = world;
  const { job, end, attempt } = facts;
  const after = decideAfterFailure(job, end.error, now);
  const hasFindings = limits.length + effectsAt(after, effects).length > 0;
  if (after.to === 'FAILED') {
    const reason = 'The retry policy of the job allows no other attempt';
    return hasFindings
      ? { after, decision: { outcome: 'FAIL', reason, evidence: [], changes: [] } }
      : { after };
  }
  const reason = `The retry policy of the job allows attempt ${attempt + 1} of ${job.retry.maxAttempts}`;
  const again = repeated(facts, world, { after, changes: [], reason });
  return again.avoid || hasFindings ? again : { after };
}

/** Effects at the next state of the job: only a job that fails is retried later. */
function effectsAt(
  { to }: FailureDecision['after'],
  effects: readonly StoredEffect[],
): readonly StoredEffect[] {
  return to === 'FAILED' ? effects : effects.filter(({ kind }) => kind !== 'RETRY_IF_HOST_EXCLUDED');
}

/** The decision, with what was found while rules were tried. */
function withFindings(decided: FailureDecision, { limits, effects: all }: World): FailureDecision {
  const effects = effectsAt(decided.after, all);
  const found = withLimits(decided, limits);
  return effects.length === 0 || !found.decision
    ? found
    : { ...found, decision: { ...found.decision, effects } };
}

/** The decision, with the amounts that are not offered. */
function withLimits(found: FailureDecision, limits: readonly StoredLimit[]): FailureDecision {
  if (limits.length === 0 || !found.decision) return found;
  const texts = limits.map(
    ({ rule, field, wanted, limit }) =>
      `${rule === retryPolicyName ? `the ${rule}` : `rule "${rule}"`} asked for ${field} ${wanted}; the job is offered at most ${limit}`,
  );
  return {
    ...found,
    decision: { ...found.decision, reason: [found.decision.reason, ...texts].join('; '), limits },
  };
}

function placementOf(policies: readonly CompiledPolicy[]) {
  return policies.find(({ placement }) => placement)?.placement ?? defaultPlacement;
}
