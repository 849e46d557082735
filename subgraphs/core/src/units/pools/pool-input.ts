/** Pure checks of inputs about pools. */
import type { InputErrors } from '@rhizome/errors';
import type { PoolSettings } from './pool.document.js';

type Maybe<T> = T | null | undefined;

/** Settings as the caller states them. */
export interface PoolSettingsInput {
  readonly leaseSeconds?: Maybe<number>;
  readonly maxAttempts?: Maybe<number>;
  readonly backoffSeconds?: Maybe<number>;
  readonly maxWaitingUnits?: Maybe<number>;
  readonly maxWaitingMiB?: Maybe<number>;
  readonly maxLeasedPerJob?: Maybe<number>;
  readonly retentionSeconds?: Maybe<number>;
}

/** Pool to create. */
export interface CreatePool {
  readonly experiment: string;
  readonly name: string;
  readonly taskId?: Maybe<string>;
  readonly run?: Maybe<string>;
  readonly settings?: Maybe<PoolSettingsInput>;
}

const day = 86_400;
const name = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Checks a pool to create. */
export function checkPool(errors: InputErrors<string>, pool: CreatePool): void {
  errors.form(
    ['name'],
    pool.name,
    name,
    '1 to 100 letters, digits, `.`, `_`, `-`, beginning with a letter or digit',
  );
  if (pool.run != null) errors.text(['run'], pool.run, 1, 100);
  const settings = pool.settings ?? {};
  const range = (field: keyof PoolSettingsInput, min: number, max: number): void =>
    errors.int(['settings', field], settings[field], min, max);
  range('leaseSeconds', 5, day);
  range('maxAttempts', 1, 100);
  range('backoffSeconds', 0, 3600);
  range('maxWaitingUnits', 1, 100_000_000);
  range('maxWaitingMiB', 1, 1_048_576);
  range('maxLeasedPerJob', 1, 10_000);
  range('retentionSeconds', 60, 30 * day);
}

/** Settings with the defaults filled in. */
export function settingsOf(input: Maybe<PoolSettingsInput>): PoolSettings {
  const { leaseSeconds, maxAttempts, backoffSeconds, maxWaitingUnits, maxWaitingMiB } = input ?? {};
  const { maxLeasedPerJob, retentionSeconds } = input ?? {};
  return {
    leaseSeconds: leaseSeconds ?? 60,
    maxAttempts: maxAttempts ?? 3,
    backoffSeconds: backoffSeconds ?? 5,
    maxWaitingUnits: maxWaitingUnits ?? 1_000_000,
    maxWaitingBytes: (maxWaitingMiB ?? 1024) * 1_048_576,
    ...(maxLeasedPerJob == null ? {} : { maxLeasedPerJob }),
    retentionSeconds: retentionSeconds ?? 7 * day,
  };
}
