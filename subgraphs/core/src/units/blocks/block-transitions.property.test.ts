import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { headerOf } from './block-header.js';
import {
  completeUnit,
  extendUnit,
  failUnit,
  leaseUnits,
  resubmitUnit,
  sweepUnits,
  type UnitFailureKind,
  withChanges,
} from './block-transitions.js';
import type { Block, StoredUnit, UnitChange } from './unit.types.js';

const settings = { leaseSeconds: 30, maxAttempts: 3, backoffSeconds: 4, retentionSeconds: 600 };
const start = new Date('2030-01-01T00:00:00.000Z');
const jobs = ['job_a', 'job_b', 'job_c'];

type Step =
  | { readonly kind: 'lease'; readonly job: string; readonly max: number }
  | {
      readonly kind: 'complete' | 'fail' | 'dead' | 'return' | 'extend';
      readonly job: string;
      readonly position: number;
      readonly back: number;
    }
  | { readonly kind: 'sweep' | 'resubmit'; readonly position: number }
  | { readonly kind: 'pass'; readonly seconds: number };

const job = fc.constantFrom(...jobs);
const position = fc.nat(7);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('lease' as const), job, max: fc.integer({ min: 1, max: 4 }) }),
  fc.record({
    kind: fc.constantFrom('complete', 'fail', 'dead', 'return', 'extend'),
    ...{ job, position, back: fc.nat(1) },
  }) as fc.Arbitrary<Step>,
  fc.record({ kind: fc.constantFrom('sweep', 'resubmit'), position }) as fc.Arbitrary<Step>,
  fc.record({ kind: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 40 }) }),
);

const units = fc.array(
  fc.record({ orderingKey: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }), late: fc.boolean() }),
  { minLength: 1, maxLength: 8 },
);

function blockOf(
  specs: readonly { readonly orderingKey: string | undefined; readonly late: boolean }[],
): Block {
  const stored = specs.map(({ orderingKey, late }, at): StoredUnit => ({
    key: `unit ${at}`,
    ...(orderingKey === undefined ? {} : { orderingKey }),
    ...(late ? { deadline: new Date(start.getTime() + 90_000) } : {}),
    ...{ bytes: 10, state: 'WAITING', attempts: 0, fence: 0 },
  }));
  return { _id: 'block', revision: 1, createdAt: start, priority: 4, sequence: 1, units: stored };
}

/** A block over time, with what each change must keep true. */
class Story {
  block: Block;
  #now = start;
  readonly #completed = new Set<number>();

  constructor(block: Block) {
    this.block = block;
  }

  run(one: Step): void {
    const context = { settings, now: this.#now };
    if (one.kind === 'pass') this.#now = new Date(this.#now.getTime() + one.seconds * 1000);
    else if (one.kind === 'lease') this.#lease(one.job, one.max);
    else if (one.kind === 'sweep')
      this.#change(sweepUnits(this.block, { ...context, endedJobs: new Map(), expiredBefore: this.#now }));
    else if (one.kind === 'resubmit' && 'position' in one) {
      const change = resubmitUnit(this.block, one.position, this.#now);
      if (change) this.#change([change]);
    } else if ('back' in one) this.#report(one);
    this.#check();
  }

  #lease(jobId: string, max: number): void {
    const spec = { holder: { jobId }, max, maxBytes: 1000, blocked: new Set<string>() };
    const changes = leaseUnits(this.block, spec, settings, this.#now);
    expect(changes.length).toBeLessThanOrEqual(max);
    for (const { position: at, unit } of changes) {
      const before = this.block.units[at];
      expect(before?.state).toBe('WAITING');
      expect(unit.fence).toBe((before?.fence ?? 0) + 1);
      expect(unit.attempts).toBeLessThanOrEqual(settings.maxAttempts);
      expect((unit.deadline ?? new Date(8e15)) > this.#now).toBe(true);
    }
    this.#change(changes);
    this.#checkOrder();
  }

  /** Of an ordering key, one unit is leased at a time, and none while one before it has not ended. */
  #checkOrder(): void {
    for (const key of ['x', 'y']) {
      const open = this.block.units.filter(
        ({ orderingKey, state }) => orderingKey === key && (state === 'WAITING' || state === 'LEASED'),
      );
      expect(open.filter(({ state }) => state === 'LEASED').length).toBeLessThanOrEqual(1);
      const isResubmitted = open.some(({ since }) => since !== undefined);
      if (!isResubmitted) expect(open.slice(1).every(({ state }) => state === 'WAITING')).toBe(true);
    }
  }

  #report({ kind, job: jobId, position: at, back }: Extract<Step, { readonly back: number }>): void {
    const before = this.block.units[at];
    const report = { position: at, fence: Math.max(0, (before?.fence ?? 0) - back) };
    const context = { jobId, settings, now: this.#now };
    const outcome =
      kind === 'complete'
        ? completeUnit(this.block, report, { holder: { jobId }, completionId: 'c', now: this.#now })
        : kind === 'extend'
          ? extendUnit(this.block, report, context)
          : failUnit(this.block, { ...report, kind: kindOf[kind] }, context);
    if (!before) return expect(outcome.kind).toBe('unknown');
    const holds = before.lease?.jobId === jobId && before.fence === report.fence;
    if (!holds) return expect(outcome.kind).not.toBe('changed');
    expect(outcome.kind).toBe('changed');
    if (outcome.kind !== 'changed') return;
    if (kind === 'complete') {
      expect(this.#completed.has(at)).toBe(false);
      this.#completed.add(at);
    }
    this.#change([outcome.change]);
  }

  #change(changes: readonly UnitChange[]): void {
    this.block = withChanges(this.block, changes);
  }

  #check(): void {
    const header = headerOf(this.block, settings, this.#now);
    const { waiting, leased, completed, dead } = header;
    expect(waiting + leased + completed + dead).toBe(this.block.units.length);
    expect(completed).toBe(this.#completed.size);
    for (const { state, lease, end } of this.block.units) {
      expect(lease !== undefined).toBe(state === 'LEASED');
      expect(end !== undefined).toBe(state === 'COMPLETED');
    }
    expect(header.expiresAt !== undefined).toBe(waiting + leased === 0);
    const isReady = header.readyAt !== undefined && header.readyAt <= this.#now;
    const spec = { holder: { jobId: 'job_z' }, max: 1, maxBytes: 1000, blocked: new Set<string>() };
    // A block that is found has a unit to lease, unless the deadline of its next unit has passed.
    if (leaseUnits(this.block, spec, settings, this.#now).length > 0) expect(isReady).toBe(true);
  }
}

const kindOf = { fail: 'RETRY', dead: 'DEAD', return: 'RETURN' } as const;

describe('a block', () => {
  it('leases each unit to one job at a time, counts each completion once, and keeps the order of keys', () => {
    fc.assert(
      fc.property(units, fc.array(step, { maxLength: 60 }), (specs, steps) => {
        const story = new Story(blockOf(specs));
        for (const one of steps) story.run(one);
      }),
      { numRuns: 300 },
    );
  });
});

describe('leaseUnits', () => {
  it('leases no dead letter that waits again while a later unit with its ordering key is leased', () => {
    const spec = { holder: { jobId: 'job_a' }, max: 2, maxBytes: 1000, blocked: new Set<string>() };
    const leased = (block: Block): readonly number[] =>
      leaseUnits(block, spec, settings, start).map((change) => change.position);
    const keyed = { orderingKey: 'x', late: false };
    const fresh = blockOf([keyed, keyed]);
    const units = fresh.units.map((unit, at): StoredUnit =>
      at === 0
        ? { ...unit, since: start }
        : { ...unit, state: 'LEASED', fence: 1, lease: { jobId: 'job_b', at: start, until: start } },
    );
    expect(leased({ ...fresh, units })).toEqual([]);
    expect(headerOf({ ...fresh, units }, settings, start).readyAt).toBeUndefined();
    expect(leased(fresh)).toEqual([0]);
  });
});

describe('failUnit', () => {
  const context = { jobId: 'job_a', settings, now: start };
  const later = { ...context, now: new Date(start.getTime() + 60_000) };
  const leased = (block: Block): Block =>
    withChanges(
      block,
      leaseUnits(
        block,
        { holder: { jobId: 'job_a' }, max: 1, maxBytes: 1000, blocked: new Set<string>() },
        settings,
        later.now,
      ),
    );
  const kinds = ['RETRY', 'DEAD', 'RETURN'] as const;
  const after = (block: Block, kind: UnitFailureKind, fence: number): Block => {
    const outcome = failUnit(block, { position: 0, fence, kind }, context);
    return outcome.kind === 'changed' ? withChanges(block, [outcome.change]) : block;
  };
  const repeat = (block: Block, kind: UnitFailureKind, fence: number): string =>
    failUnit(block, { position: 0, fence, kind }, later).kind;
  const first = leased(blockOf([{ orderingKey: undefined, late: false }]));

  it('accepts a report again while the unit is as the report left it', () => {
    const failed = after(first, 'RETRY', 1);
    expect(kinds.map((kind) => repeat(failed, kind, 1))).toEqual(['repeated', 'stale', 'stale']);
    const dead = after(first, 'DEAD', 1);
    expect(kinds.map((kind) => repeat(dead, kind, 1))).toEqual(['repeated', 'repeated', 'stale']);
  });

  it('refuses a report about a lease that ended in another way', () => {
    const { now } = later;
    const expired = withChanges(
      first,
      sweepUnits(first, {
        ...{ settings, endedJobs: new Map<string, Date>(), now },
        expiredBefore: new Date(now.getTime() + 3_600_000),
      }),
    );
    expect(expired.units[0]).toMatchObject({ state: 'WAITING', error: { code: 'LEASE_EXPIRED' } });
    expect(repeat(expired, 'RETRY', 1)).toBe('stale');
    const returned = after(leased(after(first, 'RETRY', 1)), 'RETURN', 2);
    expect(returned.units[0]).toMatchObject({ state: 'WAITING', fence: 2, error: { fence: 1 } });
    expect(repeat(returned, 'RETRY', 2)).toBe('stale');
    expect(repeat(leased(after(first, 'RETRY', 1)), 'RETRY', 1)).toBe('stale');
  });
});
