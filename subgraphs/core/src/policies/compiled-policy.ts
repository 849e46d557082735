/** Policies prepared for matching, and the matching of one rule. Pure. */
import type { CelCondition } from '../shared/cel/cel-condition.js';
import type { StoredDecision } from '../jobs/model/decision.types.js';
import { conditionView, failureCondition } from './failure-condition.js';
import type { FailureFacts } from './failure.types.js';
import { logPattern, type LogPattern } from './log-pattern.js';
import type { AfterFailurePlacement, NumberRange, PolicyContent, PolicyRule } from './policy.types.js';

/** Values that met the criteria of a rule. */
export type Evidence = StoredDecision['evidence'];

/** A rule with its condition and pattern. */
export interface CompiledRule {
  readonly rule: PolicyRule;
  readonly condition?: CelCondition;
  readonly pattern?: LogPattern;
}

/** An enabled version of a policy. */
export interface CompiledPolicy {
  readonly id: string;
  readonly version: number;
  readonly rules: readonly CompiledRule[];
  readonly placement?: AfterFailurePlacement | undefined;
}

/**
 * Prepares a version. A condition or pattern that no longer compiles matches nothing: its rule is left out.
 */
export function compilePolicy(
  id: string,
  version: number,
  { rules, placement }: PolicyContent,
): CompiledPolicy {
  return { id, version, placement, rules: rules.flatMap((rule) => compileRule(rule) ?? []) };
}

function compileRule(rule: PolicyRule): CompiledRule | undefined {
  const { condition, logPattern: text } = rule.match;
  const compiled = condition === undefined ? undefined : failureCondition(condition);
  const pattern = text === undefined ? undefined : logPattern(text);
  if ((compiled && 'expected' in compiled) || (pattern && 'expected' in pattern)) return undefined;
  return { rule, ...(compiled ? { condition: compiled } : {}), ...(pattern ? { pattern } : {}) };
}

/** Evidence of all criteria but the log pattern; undefined if one of them is not met. */
export function matchFacts({ rule, condition }: CompiledRule, facts: FailureFacts): Evidence | undefined {
  const { match } = rule;
  const { error, exitCode, signal } = facts.end;
  const found: { criterion: string; value: string }[] = [];
  /** Records a criterion, if it is given. @returns false if it is not met */
  const meets = <T>(
    criterion: string,
    wanted: T | undefined,
    value: string | undefined,
    is: (wanted: T) => boolean,
  ) => {
    if (wanted === undefined) return true;
    if (value === undefined || !is(wanted)) return false;
    found.push({ criterion, value });
    return true;
  };
  const isIn = (criterion: string, wanted: readonly string[] | undefined, value: string | undefined) =>
    meets(criterion, wanted, value, (all) => value !== undefined && all.includes(value));
  const inRanges = (value: number | undefined) => (all: readonly NumberRange[]) =>
    value !== undefined && all.some(({ from, to }) => from <= value && value <= to);
  const labels = facts.job.labels.map(({ key, value }) => `${key}=${value}`);
  const met =
    isIn('families', match.families, error.family) &&
    isIn('codes', match.codes, error.code) &&
    meets('exitCodes', match.exitCodes, exitCode?.toString(), inRanges(exitCode)) &&
    isIn('signals', match.signals, signal) &&
    isIn('sites', match.sites, facts.site) &&
    isIn('queues', match.queues, facts.job.queue) &&
    isIn('hosts', match.hosts, facts.host) &&
    meets('attempts', match.attempts, String(facts.attempt), (one) => inRanges(facts.attempt)([one])) &&
    isIn('classIds', match.classIds, facts.job.classId) &&
    meets('labels', match.labels, labels.join(', '), (all) =>
      all.every(({ key, value }) => labels.includes(`${key}=${value}`)),
    ) &&
    meets(
      'condition',
      match.condition,
      match.condition,
      () => condition?.isMet(conditionView(facts)) ?? false,
    );
  return met ? found : undefined;
}
