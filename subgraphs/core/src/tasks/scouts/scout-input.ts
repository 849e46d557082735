/** Checks of scouts as callers describe them, and their defaults. */
import type { InputErrors, InputPath } from '@rhizome/errors';
import type { ChangeableAmount } from '../../jobs/model/decision.types.js';
import { mostOf } from '../../policies/amounts.js';
import type { StoredScoutRule, StoredScoutRules, StoredScouts } from './scouts.types.js';

type Maybe<T> = T | null | undefined;

/** Rule as a caller describes it. */
export interface ScoutRuleSpec {
  readonly percentile?: Maybe<number>;
  readonly factor?: Maybe<number>;
}

/** Scouts as a caller describes them; an amount that is null stays as it was submitted. */
export interface ScoutsSpec {
  readonly count?: Maybe<number>;
  readonly maxFailedFraction?: Maybe<number>;
  readonly memory?: Maybe<ScoutRuleSpec>;
  readonly walltime?: Maybe<ScoutRuleSpec>;
  readonly disk?: Maybe<ScoutRuleSpec>;
}

/** Amounts that replace those that follow from the use. */
export type ScoutOverrides = { readonly [A in ChangeableAmount]?: Maybe<number> };

/** Maximum number of scouts of a task. */
export const mostScouts = 1000;

const names = [
  ['memory', 'memoryMiB'],
  ['walltime', 'walltimeSeconds'],
  ['disk', 'diskMiB'],
] as const satisfies (readonly [string, ChangeableAmount])[];

/** Amounts that follow from the use, with the names of their rules. */
export const scoutedAmounts = names;

const defaults: Readonly<Record<ChangeableAmount, StoredScoutRule>> = {
  memoryMiB: { percentile: 95, factor: 1.25 },
  walltimeSeconds: { percentile: 95, factor: 1.5 },
  diskMiB: { percentile: 95, factor: 1.25 },
};

/** Reports what is wrong with scouts. */
export function checkScouts<C extends string>(
  scouts: Maybe<ScoutsSpec>,
  errors: InputErrors<C>,
  path: InputPath,
): void {
  if (!scouts) return;
  errors.int([...path, 'count'], scouts.count, 1, mostScouts);
  errors.number([...path, 'maxFailedFraction'], scouts.maxFailedFraction, { min: 0, max: 1 });
  for (const [name] of names) {
    errors.int([...path, name, 'percentile'], scouts[name]?.percentile, 1, 100);
    errors.number([...path, name, 'factor'], scouts[name]?.factor, { min: 0.1, max: 100 });
  }
}

/** Reports what is wrong with amounts that replace others. */
export function checkOverrides<C extends string>(
  overrides: ScoutOverrides,
  errors: InputErrors<C>,
  path: InputPath,
): void {
  for (const [, field] of names)
    errors.int([...path, field], overrides[field], field === 'diskMiB' ? 0 : 1, mostOf[field]);
}

/** Scouts with their defaults; undefined if the task has no jobs besides them. */
export function normaliseScouts(scouts: Maybe<ScoutsSpec>, totalJobs: number): StoredScouts | undefined {
  const count = scouts?.count ?? 10;
  if (!scouts || count >= totalJobs) return undefined;
  const rules = names.flatMap(([name, field]) => {
    const rule = scouts[name];
    if (rule === null) return [];
    const { percentile, factor } = defaults[field];
    return [[field, { percentile: rule?.percentile ?? percentile, factor: rule?.factor ?? factor }]];
  });
  return {
    count,
    maxFailedFraction: scouts.maxFailedFraction ?? 0.5,
    rules: Object.fromEntries(rules) as StoredScoutRules,
  };
}
