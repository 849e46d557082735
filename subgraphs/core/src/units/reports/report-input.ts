/** Pure checks of what attempts report about units. */
import type { InputErrors } from '@rhizome/errors';
import type { UnitFailureKind } from '../blocks/block-transitions.js';
import { type UnitRef, unitRefOf } from '../blocks/unit-ids.js';

type Maybe<T> = T | null | undefined;

/** Request for units. */
export interface LeaseUnits {
  /** Id, or name of a pool of the experiment of the job. */
  readonly pool: string;
  readonly max?: Maybe<number>;
  readonly waitSeconds?: Maybe<number>;
}

/** A leased unit by its id and the number of its lease. */
export interface ReportedUnit {
  readonly id: string;
  readonly fence: number;
}

/** A completed unit. */
export interface CompletedUnitInput extends ReportedUnit {
  readonly result?: Maybe<string>;
  readonly seconds?: Maybe<number>;
}

/** A failed or returned unit. */
export interface FailedUnitInput extends ReportedUnit {
  readonly kind?: Maybe<UnitFailureKind>;
  readonly message?: Maybe<string>;
}

/** Codes of reports in addition to INVALID_VALUE. */
export type ReportCode = 'FENCE_STALE' | 'UNIT_NOT_FOUND' | 'UNIT_NOT_HELD';

/** Codes of `leaseWorkUnits` in addition to INVALID_VALUE. */
export type LeaseCode = 'FENCE_STALE' | 'POOL_NOT_FOUND';

/** Bounds of calls. */
export const reportLimits = {
  units: 1000,
  /** Blocks whose units one call reports: each is read and written. */
  blocks: 64,
  resultBytes: 65_536,
  bytes: 1_048_576,
  leaseBytes: 4 * 1_048_576,
  waitSeconds: 60,
} as const;

/** Pools that an error names. */
const namedPools = 3;

/** A reported unit with its place in the input. */
export interface LocatedUnit<T> extends UnitRef {
  readonly input: T;
  readonly at: number;
}

/** Checks a request for units. */
export function checkLease(errors: InputErrors<LeaseCode>, { pool, max, waitSeconds }: LeaseUnits): void {
  errors.text(['pool'], pool, 1, 100);
  errors.int(['max'], max, 1, reportLimits.units);
  errors.int(['waitSeconds'], waitSeconds, 0, reportLimits.waitSeconds);
}

/** The units of a report by their blocks; adds errors for texts that are no units of one pool. */
export function locate<T extends ReportedUnit>(
  errors: InputErrors<ReportCode>,
  units: readonly T[],
): readonly LocatedUnit<T>[] {
  errors.list(['units'], units, reportLimits.units, 1);
  if (!errors.isEmpty) return [];
  errors.distinct(
    ['units'],
    units.map(({ id }) => id),
  );
  const located = units.flatMap((input, at) => {
    const ref = unitRefOf(input.id);
    if (!ref) reportUnknownUnit(errors, input, at);
    return ref ? [{ ...ref, input, at }] : [];
  });
  const pools = new Set(located.map(({ poolId }) => poolId));
  if (pools.size > 1) errors.add(['units'], `units of ${namesOf([...pools])}`, 'units of one pool');
  const blocks = new Set(located.map(({ blockId }) => blockId));
  if (blocks.size > reportLimits.blocks)
    errors.add(
      ['units'],
      `units of ${blocks.size} groups`,
      `units of at most ${reportLimits.blocks} groups, each of one priority and one call of publishWorkUnits; report the others in another call`,
    );
  return located;
}

function namesOf(poolIds: readonly string[]): string {
  const rest = poolIds.length - namedPools;
  return `pools ${poolIds.slice(0, namedPools).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

/** Checks completed units. */
export function checkCompleted(errors: InputErrors<ReportCode>, units: readonly CompletedUnitInput[]): void {
  let bytes = 0;
  for (const [at, { result, seconds }] of units.entries()) {
    const size = Buffer.byteLength(result ?? '');
    bytes += size;
    if (size > reportLimits.resultBytes)
      errors.add(['units', at, 'result'], `${size} bytes`, `at most ${reportLimits.resultBytes} bytes`);
    if (seconds != null && !(seconds >= 0)) errors.add(['units', at, 'seconds'], seconds, 'at least 0');
  }
  if (bytes > reportLimits.bytes)
    errors.add(['units'], `${bytes} bytes`, `results of at most ${reportLimits.bytes} bytes together`);
}

/** Checks failed units. */
export function checkFailed(errors: InputErrors<ReportCode>, units: readonly FailedUnitInput[]): void {
  for (const [at, { message }] of units.entries())
    if (message != null) errors.verbatim(['units', at, 'message'], message, 1, 1000);
}

/** Adds the error for a unit that does not exist, or that the caller may not work on. */
export function reportUnknownUnit(errors: InputErrors<ReportCode>, { id }: ReportedUnit, at: number): void {
  errors.report('UNIT_NOT_FOUND', ['units', at, 'id'], `Unit ${JSON.stringify(id.slice(0, 100))} not found.`);
}
