/**
 * Changes of the units of a block: what each does, and whether the caller may do it. Pure. The results are
 * written with the condition that the block has the revision that they were computed from.
 */
import type { PoolSettings } from '../pools/pool.document.js';
import { unblocked } from './block-header.js';
import type { Block, StoredUnit, UnitChange, UnitErrorCode } from './unit.types.js';

/** A report about a leased unit. */
export interface UnitReport {
  readonly position: number;
  readonly fence: number;
}

/** Holder of an attempt that leases units. */
export interface UnitHolder {
  readonly jobId: string;
  readonly site?: string | undefined;
}

/** A completed unit, as its holder reports it. */
export interface UnitCompletion extends UnitReport {
  /** Seconds that the unit took; by default, the time since its lease. */
  readonly seconds?: number | undefined;
}

/** Ways in which an attempt of a unit ends without its completion. */
export type UnitFailureKind = 'RETRY' | 'DEAD' | 'RETURN';

/** A failed or returned unit, as its holder reports it. */
export interface UnitFailure extends UnitReport {
  readonly kind: UnitFailureKind;
  readonly message?: string | undefined;
}

/** Outcome of a report about one unit. */
export type ReportOutcome =
  | { readonly kind: 'changed'; readonly change: UnitChange }
  /** The same report was accepted before. */
  | { readonly kind: 'repeated' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'unknown' };

type Settings = Pick<PoolSettings, 'leaseSeconds' | 'maxAttempts' | 'backoffSeconds'>;

const longestBackoffMs = 3_600_000;

/** Request for units of a block. */
export interface LeaseSpec {
  readonly holder: UnitHolder;
  readonly max: number;
  /** Most bytes of payloads; the first unit may be larger. */
  readonly maxBytes: number;
  /** Ordering keys with predecessors in earlier blocks. */
  readonly blocked: ReadonlySet<string>;
}

/** Leases the first units that wait, up to a number and a size. */
export function leaseUnits(
  { units }: Pick<Block, 'units'>,
  { holder, max, maxBytes, blocked }: LeaseSpec,
  { leaseSeconds }: Settings,
  now: Date,
): UnitChange[] {
  const changes: UnitChange[] = [];
  const until = new Date(now.getTime() + leaseSeconds * 1000);
  let bytes = 0;
  for (const position of unblocked(units, blocked)) {
    const unit = units[position];
    if (changes.length >= max || !unit) break;
    if (!isDue(unit, now)) continue;
    if (changes.length > 0 && bytes + unit.bytes > maxBytes) break;
    bytes += unit.bytes;
    const { notBefore: _past, ...rest } = unit;
    const { jobId, site } = holder;
    const lease = { jobId, ...(site === undefined ? {} : { site }), at: now, until };
    const leased: StoredUnit = {
      ...rest,
      state: 'LEASED',
      attempts: unit.attempts + 1,
      fence: unit.fence + 1,
      lease,
    };
    changes.push({ position, unit: leased });
  }
  return changes;
}

function isDue({ notBefore, deadline }: StoredUnit, now: Date): boolean {
  return (notBefore === undefined || notBefore <= now) && (deadline === undefined || deadline > now);
}

/** Completes a unit for the holder of its lease. */
export function completeUnit(
  block: Pick<Block, 'units'>,
  { position, fence, seconds }: UnitCompletion,
  {
    holder,
    completionId,
    now,
  }: { readonly holder: UnitHolder; readonly completionId: string; readonly now: Date },
): ReportOutcome {
  const unit = block.units[position];
  if (!unit) return { kind: 'unknown' };
  const { jobId, site } = holder;
  if (unit.state === 'COMPLETED' && unit.fence === fence && unit.end?.jobId === jobId)
    return { kind: 'repeated' };
  const { lease, ...rest } = unit;
  if (!lease || !isHeldBy(unit, jobId, fence)) return { kind: 'stale' };
  const longest = Math.max(0, (now.getTime() - lease.at.getTime()) / 1000);
  const end = {
    at: now,
    jobId,
    ...(site === undefined ? {} : { site }),
    seconds: Math.min(seconds ?? longest, longest),
    completionId,
  };
  return { kind: 'changed', change: { position, unit: { ...rest, state: 'COMPLETED', end } } };
}

/** Ends the attempt of a unit, which waits for the next one or becomes a dead letter. */
export function failUnit(
  block: Pick<Block, 'units'>,
  { position, fence, kind, message }: UnitFailure,
  { jobId, settings, now }: { readonly jobId: string; readonly settings: Settings; readonly now: Date },
): ReportOutcome {
  const unit = block.units[position];
  if (!unit) return { kind: 'unknown' };
  if (hasFailed(unit, kind, jobId, fence)) return { kind: 'repeated' };
  if (!isHeldBy(unit, jobId, fence)) return { kind: 'stale' };
  const changed =
    kind === 'RETURN'
      ? returned(unit)
      : failed(unit, { code: 'FAILED', message, isLast: kind === 'DEAD', settings, now });
  return { kind: 'changed', change: { position, unit: changed } };
}

/** True if the unit is as this report left it. */
function hasFailed(
  { state, error }: StoredUnit,
  kind: UnitFailureKind,
  jobId: string,
  fence: number,
): boolean {
  if (error?.code !== 'FAILED' || error.jobId !== jobId || error.fence !== fence) return false;
  return kind === 'RETRY' ? state === 'DEAD' || state === 'WAITING' : kind === 'DEAD' && state === 'DEAD';
}

/** Prolongs the lease of a unit. */
export function extendUnit(
  block: Pick<Block, 'units'>,
  { position, fence }: UnitReport,
  { jobId, settings, now }: { readonly jobId: string; readonly settings: Settings; readonly now: Date },
): ReportOutcome {
  const unit = block.units[position];
  if (!unit) return { kind: 'unknown' };
  if (!unit.lease || !isHeldBy(unit, jobId, fence)) return { kind: 'stale' };
  const until = new Date(now.getTime() + settings.leaseSeconds * 1000);
  return { kind: 'changed', change: { position, unit: { ...unit, lease: { ...unit.lease, until } } } };
}

/** Conditions under which attempts end without a report. */
export interface SweepSpec {
  readonly settings: Settings;
  /** Times at which jobs were taken from their workers, by job. */
  readonly endedJobs: ReadonlyMap<string, Date>;
  /** Leases that end later are left. */
  readonly expiredBefore: Date;
  readonly now: Date;
}

/** Ends the leases whose time is over or whose job has ended, and units whose deadline has passed. */
export function sweepUnits(
  { units }: Pick<Block, 'units'>,
  { settings, endedJobs, expiredBefore, now }: SweepSpec,
): UnitChange[] {
  const changes: UnitChange[] = [];
  for (const [position, unit] of units.entries()) {
    const { lease, state, deadline } = unit;
    const end = (code: UnitErrorCode): void =>
      void changes.push({
        position,
        unit: failed(unit, { code, isLast: code === 'DEADLINE_PASSED', settings, now, isAtOnce: true }),
      });
    if (state === 'WAITING' && deadline !== undefined && deadline <= now) end('DEADLINE_PASSED');
    else if (lease && isBefore(lease.at, endedJobs.get(lease.jobId))) end('JOB_ENDED');
    else if (lease && lease.until <= expiredBefore) end('LEASE_EXPIRED');
  }
  return changes;
}

function isBefore(one: Date, other: Date | undefined): boolean {
  return other !== undefined && one <= other;
}

/** Dead letters wait again; their attempts are counted from zero. Returns undefined for another unit. */
export function resubmitUnit(
  { units }: Pick<Block, 'units'>,
  position: number,
  now: Date,
): UnitChange | undefined {
  const unit = units[position];
  if (unit?.state !== 'DEAD') return undefined;
  const { notBefore: _pause, deadline, ...rest } = unit;
  const stillDue = deadline !== undefined && deadline > now ? { deadline } : {};
  return { position, unit: { ...rest, ...stillDue, state: 'WAITING', attempts: 0, since: now } };
}

/** The block with changed units. */
export function withChanges(block: Block, changes: readonly UnitChange[]): Block {
  if (changes.length === 0) return block;
  const units = [...block.units];
  for (const { position, unit } of changes) units[position] = unit;
  return { ...block, units };
}

function isHeldBy({ state, fence: current, lease }: StoredUnit, jobId: string, fence: number): boolean {
  return state === 'LEASED' && current === fence && lease?.jobId === jobId;
}

interface Failure {
  readonly code: UnitErrorCode;
  readonly message?: string | undefined;
  /** No other attempt, however many are left. */
  readonly isLast: boolean;
  readonly settings: Settings;
  readonly now: Date;
  /** Without a pause: the worker is to blame, or nobody. */
  readonly isAtOnce?: boolean;
}

function failed(unit: StoredUnit, { code, message, isLast, settings, now, isAtOnce }: Failure): StoredUnit {
  const { lease, notBefore: _past, ...left } = unit;
  const rest = lease ? { ...left, failures: (unit.failures ?? 0) + 1 } : left;
  const error = {
    code,
    ...(message === undefined ? {} : { message }),
    at: now,
    ...(lease ? { jobId: lease.jobId, fence: unit.fence } : {}),
  };
  if (isLast || unit.attempts >= settings.maxAttempts) return { ...rest, state: 'DEAD', error };
  const pauseMs = isAtOnce ? 0 : backoffMs(settings.backoffSeconds, unit.attempts);
  const pause = pauseMs > 0 ? { notBefore: new Date(now.getTime() + pauseMs) } : {};
  return { ...rest, state: 'WAITING', error, ...pause };
}

function backoffMs(seconds: number, attempts: number): number {
  return Math.min(longestBackoffMs, seconds * 1000 * 2 ** Math.max(0, attempts - 1));
}

/** The attempt does not count. */
function returned({ lease: _ended, ...unit }: StoredUnit): StoredUnit {
  return { ...unit, state: 'WAITING', attempts: Math.max(0, unit.attempts - 1) };
}
