/** Checks the content of a version of a policy, and converts it to its stored form. */
import type { InputErrors, InputPath } from '@rhizome/errors';
import { checkFactor } from '../jobs/submit/job-input.js';
import { maxAttempts } from '../jobs/transitions/attempt-updates.js';
import { longestBackoffSeconds } from '../jobs/transitions/retry-policy.js';
import { mostOf } from './amounts.js';
import { failureCondition } from './failure-condition.js';
import { logPattern } from './log-pattern.js';
import { hasEffect } from './rule-effects.js';
import {
  type AfterFailurePlacement,
  type AmountRule,
  defaultPlacement,
  type NumberRange,
  type PolicyContent,
  type PolicyRule,
  type PolicyScopeKind,
  type RetryAction,
  type RuleMatch,
} from './policy.types.js';

/** Most rules of a policy. */
export const mostRules = 50;
/** Most entries of a list of a rule. */
const mostEntries = 100;
const longestWaitSeconds = 604_800;
const ruleName = /^[A-Za-z0-9][A-Za-z0-9._ -]{0,62}$/;

/** A value of GraphQL: absent members may be null. */
export type Given<T> = T extends readonly (infer E)[]
  ? readonly Given<E>[]
  : T extends object
    ? {
        readonly [K in keyof T]: undefined extends T[K]
          ? Given<Exclude<T[K], undefined>> | null | undefined
          : Given<T[K]>;
      }
    : T;

/** Content as it is given; what a placement leaves out has its default. */
export type GivenContent = Given<
  Pick<PolicyContent, 'rules'> & { readonly placement?: Partial<AfterFailurePlacement> }
>;

/**
 * Checks content. @param kind kind of the policy's scope. @returns its stored form; meaningless if there are
 * errors
 */
export function checkedContent(
  given: GivenContent,
  errors: InputErrors<never>,
  kind: PolicyScopeKind,
): PolicyContent {
  const { rules, placement: stated } = withoutNulls(given) as Omit<PolicyContent, 'placement'> & {
    readonly placement?: Partial<AfterFailurePlacement>;
  };
  const placement = stated && { ...defaultPlacement, ...stated };
  errors.list(['rules'], rules, mostRules);
  errors.distinct(
    ['rules'],
    rules.map(({ name }) => name),
  );
  rules.forEach((rule, index) => {
    checkRule(rule, ['rules', index], errors);
    checkEffect(rule, ['rules', index], errors, kind);
  });
  if (placement) {
    errors.int(['placement', 'otherHostSeconds'], placement.otherHostSeconds, 0, longestWaitSeconds);
    errors.int(['placement', 'otherSiteSeconds'], placement.otherSiteSeconds, 0, longestWaitSeconds);
    errors.int(['placement', 'otherSiteAfter'], placement.otherSiteAfter, 1, maxAttempts);
  }
  if (rules.length === 0 && !placement)
    errors.add(['rules'], [], 'at least one rule, or none together with a placement');
  return { rules, ...(placement ? { placement } : {}) };
}

function checkRule(
  { name, match, action, maxPerJob }: PolicyRule,
  path: InputPath,
  errors: InputErrors<never>,
): void {
  const form = '1 to 63 letters, digits, `.`, `_`, `-` and blanks, beginning with a letter or a digit';
  errors.form([...path, 'name'], name, ruleName, form);
  errors.int([...path, 'maxPerJob'], maxPerJob, 1, maxAttempts);
  checkMatch(match, [...path, 'match'], errors);
  if (action.retry) checkRetry(action.retry, [...path, 'action', 'retry'], errors);
  for (const kind of ['fail', 'hold'] as const)
    if (action[kind]) errors.text([...path, 'action', kind, 'reason'], action[kind].reason, 1, 500);
}

function checkEffect(
  { action, maxPerJob }: PolicyRule,
  path: InputPath,
  errors: InputErrors<never>,
  kind: PolicyScopeKind,
): void {
  const { excludeHost, retryIfHostExcluded: retried } = action;
  if (hasEffect(action) && maxPerJob !== undefined)
    errors.add([...path, 'maxPerJob'], maxPerJob, 'null: the rule does not decide about the job');
  for (const name of ['pauseTask', 'stopTask'] as const) {
    const own = action[name];
    if (!own) continue;
    const at = [...path, 'action', name];
    errors.text([...at, 'reason'], own.reason, 1, 300);
    errors.int([...at, 'minEndedJobs'], own.minEndedJobs, 1, 1_000_000);
    if (!(own.maxFailedFraction >= 0 && own.maxFailedFraction < 1))
      errors.add([...at, 'maxFailedFraction'], own.maxFailedFraction, 'a number from 0, below 1');
  }
  if (retried) errors.text([...path, 'action', 'retryIfHostExcluded', 'reason'], retried.reason, 1, 500);
  if (!excludeHost) return;
  const at = [...path, 'action', 'excludeHost'];
  errors.text([...at, 'reason'], excludeHost.reason, 1, 300);
  errors.int([...at, 'seconds'], excludeHost.seconds, 60, longestWaitSeconds);
  // A host runs jobs of several experiments: only those who operate its queue exclude it.
  if (kind !== 'QUEUE') errors.add(at, `in a policy of scope ${kind}`, 'in a policy of a queue');
}

function checkMatch(match: RuleMatch, path: InputPath, errors: InputErrors<never>): void {
  if (Object.keys(match).length === 0)
    errors.add(path, {}, 'at least one criterion; attempts from 1 to 20 match every failure');
  const names = { sites: 63, queues: 63, hosts: 255, classIds: 64 } as const;
  for (const [field, longest] of Object.entries(names) as [keyof typeof names, number][])
    checkEntries(match[field], [...path, field], errors, (value, at) => errors.line(at, value, 1, longest));
  checkEntries(match.families, [...path, 'families'], errors, () => undefined);
  checkEntries(match.codes, [...path, 'codes'], errors, (code, at) =>
    errors.form(at, code, /^[A-Z][A-Z0-9_]{0,63}$/, 'up to 64 letters A to Z, digits and "_"'),
  );
  checkEntries(match.signals, [...path, 'signals'], errors, (signal, at) =>
    errors.form(at, signal, /^SIG[A-Z0-9+-]{1,16}$/, 'a name such as SIGKILL'),
  );
  if (match.exitCodes) {
    errors.list([...path, 'exitCodes'], match.exitCodes, mostEntries, 1);
    match.exitCodes.forEach((range, at) => checkRange(range, [...path, 'exitCodes', at], -1, 255, errors));
  }
  if (match.attempts) checkRange(match.attempts, [...path, 'attempts'], 1, maxAttempts, errors);
  if (match.labels) {
    errors.labels([...path, 'labels'], match.labels, 32);
    errors.list([...path, 'labels'], match.labels, 32, 1);
  }
  checkTexts(match, path, errors);
}

function checkTexts(
  { condition, logPattern: text }: RuleMatch,
  path: InputPath,
  errors: InputErrors<never>,
): void {
  const checked = condition === undefined ? undefined : failureCondition(condition);
  if (checked && 'expected' in checked) errors.add([...path, 'condition'], condition, checked.expected);
  const pattern = text === undefined ? undefined : logPattern(text);
  if (pattern && 'expected' in pattern) errors.add([...path, 'logPattern'], text, pattern.expected);
}

function checkEntries(
  values: readonly string[] | undefined,
  path: InputPath,
  errors: InputErrors<never>,
  check: (value: string, path: InputPath) => void,
): void {
  if (!values) return;
  errors.list(path, values, mostEntries, 1);
  errors.distinct(path, values);
  values.forEach((value, index) => check(value, [...path, index]));
}

function checkRange(
  { from, to }: NumberRange,
  path: InputPath,
  least: number,
  most: number,
  errors: InputErrors<never>,
): void {
  errors.int([...path, 'from'], from, least, most);
  errors.int([...path, 'to'], to, from, most);
}

function checkRetry(action: RetryAction, path: InputPath, errors: InputErrors<never>): void {
  checkAmount(action.memory, [...path, 'memory'], mostOf.memoryMiB, errors);
  checkAmount(action.walltime, [...path, 'walltime'], mostOf.walltimeSeconds, errors);
  checkAmount(action.disk, [...path, 'disk'], mostOf.diskMiB, errors);
  errors.int([...path, 'anotherHostSeconds'], action.anotherHostSeconds, 1, longestWaitSeconds);
  errors.int([...path, 'anotherSiteSeconds'], action.anotherSiteSeconds, 1, longestWaitSeconds);
  errors.int([...path, 'backoffSeconds'], action.backoffSeconds, 0, longestBackoffSeconds);
  errors.int([...path, 'maxAttempts'], action.maxAttempts, 2, maxAttempts);
}

function checkAmount(
  rule: AmountRule | undefined,
  path: InputPath,
  most: number,
  errors: InputErrors<never>,
): void {
  if (!rule) return;
  const { factor, add, value, max } = rule;
  const given = [factor, add, value].filter((one) => one !== undefined).length;
  if (given !== 1) errors.add(path, `${given} of factor, add and value`, 'exactly one of them');
  checkFactor(factor, path, errors);
  errors.int([...path, 'add'], add, 1, most);
  errors.int([...path, 'value'], value, 1, most);
  errors.int([...path, 'max'], max, 1, most);
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== null && member !== undefined);
  return Object.fromEntries(members.map(([key, member]) => [key, withoutNulls(member)]));
}
