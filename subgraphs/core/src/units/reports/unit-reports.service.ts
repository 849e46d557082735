/** Leases of units and reports about them, by the attempts that work on them. */
import type { Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import { completeUnit, extendUnit, failUnit, type ReportOutcome } from '../blocks/block-transitions.js';
import { completionIdOf, unitIdOf } from '../blocks/unit-ids.js';
import type { CompletedUnit } from '../blocks/unit-completion.document.js';
import type { UnitPayload } from '../blocks/unit-payload.document.js';
import type { Block } from '../blocks/unit.types.js';
import { reportUnknown, taskFault } from '../pools/pool-access.js';
import type { PoolDocument } from '../pools/pool.document.js';
import type { PoolsRepository } from '../pools/pools.repository.js';
import type { LeasedUnit, LeaseRequest } from '../work/lease-waiter.js';
import type { PayloadMemory } from '../work/payload-memory.js';
import type { PoolWorks } from '../work/pool-works.js';
import type { WorkDraft } from '../work/work-draft.js';
import type { Attempts, HeldAttempt } from './attempts.js';
import { leaseThrough, type UnitGates } from './gated-lease.js';
import {
  checkCompleted,
  checkFailed,
  checkLease,
  type CompletedUnitInput,
  type FailedUnitInput,
  type LeaseCode,
  type LeaseUnits,
  type LocatedUnit,
  locate,
  type ReportCode,
  type ReportedUnit,
  reportLimits,
  reportUnknownUnit,
} from './report-input.js';

/** A leased unit with its payload. */
export interface UnitAssignment extends LeasedUnit, UnitPayload {
  readonly id: string;
}

/** Leased units, or the errors because of which there are none. */
export interface LeaseResult {
  readonly units: readonly UnitAssignment[];
  /**
   * True if there will be no units for the job: the pool is closed and has none that waits or is leased, or
   * the fleet of the job has released it.
   */
  readonly isDrained: boolean;
  /** Seconds for which units of the pool are leased; null with errors. */
  readonly leaseSeconds: number | null;
  readonly userErrors: readonly InputError<LeaseCode>[];
}

/** Reported units that count, and the errors of the others. */
export interface ReportResult {
  readonly acceptedIds: readonly string[];
  readonly userErrors: readonly InputError<ReportCode>[];
}

/** Caller that may stop to wait. */
export interface LeaseCaller {
  readonly principal: Principal;
  readonly signal?: AbortSignal | undefined;
}

/** Dependencies of {@link UnitReports}. */
export interface UnitReportsOptions {
  readonly pools: Pick<PoolsRepository, 'find' | 'named'>;
  readonly works: PoolWorks;
  readonly payloads: PayloadMemory;
  readonly attempts: Attempts;
  readonly isDrained: (pool: PoolDocument) => Promise<boolean>;
  readonly gates: UnitGates;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Applies the reports about units of one block to a draft, with an outcome for each. */
type Apply<T> = (
  draft: WorkDraft,
  block: Block,
  units: readonly LocatedUnit<T>[],
  attempt: HeldAttempt,
) => readonly ReportOutcome[];

/** Seconds that a call waits for a closed pool at most: its last unit may end meanwhile. */
const longestWaitOfClosed = 5;

/** Serves attempts. */
export class UnitReports {
  readonly #options: UnitReportsOptions;

  constructor(options: UnitReportsOptions) {
    this.#options = options;
  }

  /** Leases units, and waits for some if there are none. @throws DomainError FORBIDDEN */
  async lease({ principal, signal }: LeaseCaller, input: LeaseUnits): Promise<LeaseResult> {
    const { attempts } = this.#options;
    const errors = new InputErrors<LeaseCode>();
    checkLease(errors, input);
    const attempt = await attempts.ofCaller(principal);
    if (!attempt) reportStale(errors);
    if (!attempt || !errors.isEmpty) return refusedLease(errors);
    const pool = await this.#poolOf(input.pool, attempt);
    if (!pool) {
      reportUnknown(errors, input.pool, 'pool');
      return refusedLease(errors);
    }
    const fault = taskFault(pool, attempt.taskId);
    if (fault !== undefined) {
      errors.report('POOL_NOT_FOUND', ['pool'], fault);
      return refusedLease(errors);
    }
    const { leaseBytes: maxBytes, blocks: maxBlocks } = reportLimits;
    const request = { attempt, max: input.max ?? 1, maxBytes, maxBlocks };
    const waitSeconds = input.waitSeconds ?? 0;
    if (pool.state === 'OPEN' || waitSeconds === 0) return this.#lease(pool, request, waitSeconds, signal);
    const first = await this.#lease(pool, request, 0, signal);
    if (first.isDrained || first.units.length > 0) return first;
    return this.#lease(pool, request, Math.min(waitSeconds, longestWaitOfClosed), signal);
  }

  /** Leases units, and waits for some. */
  async #lease(
    pool: PoolDocument,
    request: Omit<LeaseRequest, 'isPatient' | 'signal'> & { readonly attempt: HeldAttempt },
    waitSeconds: number,
    signal: AbortSignal | undefined,
  ): Promise<LeaseResult> {
    const over = new AbortController();
    const stop = (): void => over.abort();
    const isPatient = waitSeconds > 0;
    const timer = isPatient ? setTimeout(stop, waitSeconds * 1000) : undefined;
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    const { gates, works } = this.#options;
    const { units, isReleased } = await leaseThrough(gates, request.attempt, {
      lease: (until) => works.of(pool).lease({ ...request, isPatient, signal: until }),
      ...{ isPatient, signal: over.signal },
    }).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    });
    const isDrained = isReleased || (units.length === 0 && (await this.#options.isDrained(pool)));
    const { leaseSeconds } = pool.settings;
    return { units: await this.#withPayloads(units), isDrained, leaseSeconds, userErrors: [] };
  }

  /** Completes units, with their results. @throws DomainError FORBIDDEN */
  complete(principal: Principal, units: readonly CompletedUnitInput[]): Promise<ReportResult> {
    return this.#report(principal, units, checkCompleted, (draft, block, located, holder) => {
      const { now, ids, poolId } = draft.context;
      const completionId = completionIdOf(poolId, ids.next('completion'));
      const completed: CompletedUnit[] = [];
      const outcomes = changeEach(draft, block, located, (current, { position, input }) => {
        const { fence, result, seconds } = input;
        const report = { position, fence, seconds: seconds ?? undefined };
        const outcome = completeUnit(current, report, { holder, completionId, now });
        if (outcome.kind !== 'changed') return outcome;
        const { key, end } = outcome.change.unit;
        const kept = result == null ? {} : { result };
        completed.push({ position, key, seconds: end?.seconds ?? 0, ...kept });
        return outcome;
      });
      if (completed.length > 0) draft.complete(completionId, block._id, holder, completed);
      return outcomes;
    });
  }

  /** Ends attempts of units without completing them. @throws DomainError FORBIDDEN */
  fail(principal: Principal, units: readonly FailedUnitInput[]): Promise<ReportResult> {
    return this.#report(principal, units, checkFailed, (draft, block, located, { jobId }) => {
      const { settings, now } = draft.context;
      const kindOf = (input: FailedUnitInput) => ({
        kind: input.kind ?? ('RETRY' as const),
        message: input.message ?? undefined,
      });
      return changeEach(draft, block, located, (current, { position, input }) =>
        failUnit(current, { position, fence: input.fence, ...kindOf(input) }, { jobId, settings, now }),
      );
    });
  }

  /** Prolongs the leases of units. @throws DomainError FORBIDDEN */
  extend(principal: Principal, units: readonly ReportedUnit[]): Promise<ReportResult> {
    return this.#report(
      principal,
      units,
      () => undefined,
      (draft, block, located, { jobId }) => {
        const { settings, now } = draft.context;
        return changeEach(draft, block, located, (current, { position, input: { fence } }) =>
          extendUnit(current, { position, fence }, { jobId, settings, now }),
        );
      },
    );
  }

  async #report<T extends ReportedUnit>(
    principal: Principal,
    units: readonly T[],
    check: (errors: InputErrors<ReportCode>, units: readonly T[]) => void,
    apply: Apply<T>,
  ): Promise<ReportResult> {
    const { attempts, pools, works } = this.#options;
    const errors = new InputErrors<ReportCode>();
    const located = locate(errors, units);
    check(errors, units);
    const attempt = await attempts.ofCaller(principal);
    if (!attempt) reportStale(errors);
    const [first] = located;
    if (!attempt || !errors.isEmpty || !first) return refused(errors);
    const pool = await pools.find(first.poolId);
    if (pool?.experiment !== attempt.experiment) {
      for (const { input, at } of located) reportUnknownUnit(errors, input, at);
      return refused(errors);
    }
    const fault = taskFault(pool, attempt.taskId);
    if (fault !== undefined) {
      for (const { at } of located) errors.report('UNIT_NOT_FOUND', ['units', at, 'id'], fault);
      return refused(errors);
    }
    const byBlock = groupByBlock(located);
    const outcomes = await works.of(pool).run({
      blockIds: [...byBlock.keys()],
      apply: (draft) => {
        const all = [...byBlock].flatMap(([id, group]) => {
          const block = draft.block(id);
          const found = block ? apply(draft, block, group, attempt) : [];
          return group.map((unit, at) => ({ unit, outcome: found[at] ?? ({ kind: 'unknown' } as const) }));
        });
        // A change is checked when it is written; that there is none is not.
        draft.isDoubtful ||= all.some(({ outcome }) => outcome.kind !== 'changed');
        return all;
      },
    });
    return resultOf(errors, outcomes);
  }

  /** A pool by its id or name; null for one of another experiment. */
  async #poolOf(idOrName: string, { experiment }: HeldAttempt): Promise<PoolDocument | null> {
    const { pools } = this.#options;
    const byId = idOrName.startsWith('pool_') ? await pools.find(idOrName) : null;
    const pool = byId ?? (await pools.named(experiment, idOrName));
    return pool?.experiment === experiment ? pool : null;
  }

  async #withPayloads(units: readonly LeasedUnit[]): Promise<readonly UnitAssignment[]> {
    if (units.length === 0) return [];
    const payloads = await this.#options.payloads.of(units);
    return units.map((unit, at) => ({
      ...unit,
      ...payloads[at],
      id: unitIdOf(unit.blockId, unit.position),
    }));
  }
}

/** Changes units one after another: ids that differ in leading zeros are of the same unit. */
function changeEach<T>(
  draft: WorkDraft,
  { _id: blockId }: Block,
  located: readonly LocatedUnit<T>[],
  change: (block: Block, unit: LocatedUnit<T>) => ReportOutcome,
): readonly ReportOutcome[] {
  return located.map((unit) => {
    const block = draft.block(blockId);
    if (!block) return { kind: 'unknown' };
    const outcome = change(block, unit);
    if (outcome.kind === 'changed') draft.change(blockId, [outcome.change]);
    return outcome;
  });
}

function groupByBlock<T>(units: readonly LocatedUnit<T>[]): ReadonlyMap<string, readonly LocatedUnit<T>[]> {
  const groups = new Map<string, LocatedUnit<T>[]>();
  for (const unit of units) {
    const group = groups.get(unit.blockId);
    if (group) group.push(unit);
    else groups.set(unit.blockId, [unit]);
  }
  return groups;
}

function resultOf<T extends ReportedUnit>(
  errors: InputErrors<ReportCode>,
  outcomes: readonly { readonly unit: LocatedUnit<T>; readonly outcome: ReportOutcome }[],
): ReportResult {
  const acceptedIds: string[] = [];
  for (const { unit, outcome } of [...outcomes].sort((one, other) => one.unit.at - other.unit.at)) {
    const { id, fence } = unit.input;
    if (outcome.kind === 'unknown') reportUnknownUnit(errors, unit.input, unit.at);
    else if (outcome.kind === 'stale')
      errors.report(
        'UNIT_NOT_HELD',
        ['units', unit.at, 'fence'],
        `units.${unit.at}.fence: ${fence} is stale for unit "${id}": its lease has ended`,
      );
    else acceptedIds.push(id);
  }
  return { acceptedIds, userErrors: errors.all };
}

function reportStale(errors: Pick<InputErrors<'FENCE_STALE'>, 'report'>): void {
  errors.report('FENCE_STALE', [], 'The attempt of this token has ended: its job was taken from the worker.');
}

function refusedLease(errors: InputErrors<LeaseCode>): LeaseResult {
  return { units: [], isDrained: false, leaseSeconds: null, userErrors: errors.all };
}

function refused(errors: InputErrors<ReportCode>): ReportResult {
  return { acceptedIds: [], userErrors: errors.all };
}
