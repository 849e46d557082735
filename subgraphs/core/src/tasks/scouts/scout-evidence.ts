/** Requirements that follow from the use of scouts. Pure. */
import type { ChangeableAmount } from '../../jobs/model/decision.types.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { changesOf, mostOf } from '../../policies/amounts.js';
import type { OfferedAmounts } from '../../policies/failure.types.js';
import { type ScoutOverrides, scoutedAmounts } from './scout-input.js';
import type { StoredScoutAmount, StoredScoutRules, StoredScoutShape, StoredUse } from './scouts.types.js';

/** Use of a FINISHED scout; what was not measured is absent. */
export interface ScoutUse {
  readonly memoryMiB?: number | undefined;
  readonly walltimeSeconds?: number | undefined;
  readonly diskMiB?: number | undefined;
  /** Size of all outputs. */
  readonly outputBytes: number;
}

/** Facts that decide about the requirements of one shape. */
export interface ShapeFacts {
  readonly requirements: StoredRequirements;
  readonly uses: readonly ScoutUse[];
  readonly rules: StoredScoutRules;
  readonly overrides?: ScoutOverrides | undefined;
  /** Largest amounts that are offered to the shape together. */
  readonly offers: readonly OfferedAmounts[];
}

/** Amounts are multiples of these, so that tasks alike share requirement classes. */
const stepOf: Readonly<Record<ChangeableAmount, number>> = {
  memoryMiB: 64,
  walltimeSeconds: 60,
  diskMiB: 64,
};
/** No requirement is lowered below these: a few scouts say little about small amounts. */
const leastOf: Readonly<Record<ChangeableAmount, number>> = {
  memoryMiB: 128,
  walltimeSeconds: 300,
  diskMiB: 128,
};
/** Percentile of outputs, for which there is no rule. */
const outputPercentile = 95;

/** Requirements of a shape, with the use from which they follow. */
export function shapeAfterScouts(
  facts: ShapeFacts,
  variant?: number,
): StoredScoutShape & { readonly requirements: StoredRequirements } {
  const { requirements, uses, offers } = facts;
  const wanted = scoutedAmounts.map(([name, field]) => ({ name, field, ...wantedOf(field, facts) }));
  const action = Object.fromEntries(
    wanted.flatMap(({ name, value }) => (value === undefined ? [] : [[name, { value }]])),
  );
  const { changes, limits } = changesOf(action, requirements, offers);
  const after = Object.fromEntries(changes.map((change) => [change.field, change.after]));
  const amounts = wanted.map(({ field, use, isOverridden }): StoredScoutAmount => {
    const limit = limits.find((one) => one.field === field)?.limit;
    const before = requirements[field];
    return {
      ...{ field, before, after: after[field] ?? before },
      ...(use && { use }),
      ...(limit !== undefined && { limit }),
      ...(isOverridden && { isOverridden }),
    };
  });
  const outputs = useOf(
    uses.map(({ outputBytes }) => outputBytes),
    outputPercentile,
  );
  return {
    ...(variant !== undefined && { variant }),
    finished: uses.length,
    amounts,
    ...(outputs && { outputBytes: outputs }),
    requirements: { ...requirements, ...after },
  };
}

function wantedOf(
  field: ChangeableAmount,
  { requirements, uses, rules, overrides }: ShapeFacts,
): { readonly value?: number; readonly use?: StoredUse; readonly isOverridden?: true } {
  const rule = rules[field];
  const measured = uses.flatMap((use) => use[field] ?? []);
  const use = rule && useOf(measured, rule.percentile);
  const given = overrides?.[field];
  if (given != null) return { value: given, isOverridden: true, ...(use && { use }) };
  if (!rule || !use) return {};
  const before = requirements[field];
  const value = Math.ceil((use.used * rule.factor) / stepOf[field]) * stepOf[field];
  return { value: Math.min(mostOf[field], Math.max(value, Math.min(before, leastOf[field]))), use };
}

/** The value that a percentage of the values does not exceed; undefined without values. */
export function useOf(values: readonly number[], percentile: number): StoredUse | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const index = Math.max(0, Math.ceil((percentile * sorted.length) / 100) - 1);
  return { measured: sorted.length, used: sorted[index] ?? 0, most: sorted.at(-1) ?? 0 };
}
