import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type FleetJob, isActive, type JobPlan, planJobs, type PlanRequest } from './job-plan.js';

const now = new Date('2030-01-01T00:00:00Z');
const job = (id: string, change: Partial<FleetJob> = {}): FleetJob => ({
  ...{ id, version: 1, phase: 'HELD', idleSeconds: 0 },
  ...change,
});
const request = (jobs: readonly FleetJob[], change: Partial<PlanRequest> = {}): PlanRequest => ({
  ...{ target: jobs.length, ceiling: 20, floor: 1, version: 1, queues: [], drainSeconds: 60 },
  ...{ mostStarts: 500, jobs, now, runningBefore: 0, isFailing: false },
  ...change,
});

const ids = (count: number, name: string, change: Partial<FleetJob> = {}): readonly FleetJob[] =>
  Array.from({ length: count }, (_, at) => job(`${name}${at}`, change));

/** Site with a number of slots for the jobs of a fleet. */
interface Site {
  readonly slots: number;
  /** Version whose jobs fail as soon as they run. */
  readonly broken?: number;
}

/** The jobs after a plan: released ones have ended, and jobs run while there are slots. */
function after(jobs: readonly FleetJob[], plan: JobPlan, { slots, broken }: Site, step: number): FleetJob[] {
  const gone = new Set([...plan.release, ...plan.cancel, ...plan.overdue]);
  const left = [
    ...jobs.filter(({ id }) => !gone.has(id)),
    ...plan.start.map((queue, at) =>
      job(`new${step}.${at}`, { version: 2, phase: 'WAITING', ...(queue === '' ? {} : { queue }) }),
    ),
  ];
  let free = slots - left.filter(({ phase }) => phase === 'HELD').length;
  return left.flatMap((one) => {
    if (one.phase === 'HELD') return [one];
    free -= 1;
    if (free < 0) return [one];
    return one.version === broken ? [] : [{ ...one, phase: 'HELD' as const }];
  });
}

/** The jobs of a fleet with a new version after a number of passes. */
function replaced(first: readonly FleetJob[], change: Partial<PlanRequest>, site: Site): readonly FleetJob[] {
  let jobs = first;
  let runningBefore = 0;
  for (let step = 0; step < 100; step += 1) {
    const plan = planJobs(request(jobs, { version: 2, floor: 0, runningBefore, ...change }));
    runningBefore = plan.runningBefore ?? 0;
    jobs = after(jobs, plan, site, step);
  }
  return jobs;
}

const versions = (jobs: readonly FleetJob[], version: number): number =>
  jobs.filter((one) => one.phase === 'HELD' && one.version === version).length;

describe('planJobs', () => {
  it('starts what is missing, in the queues with free places and the fewest waiting jobs', () => {
    const jobs = [job('a', { queue: 'north', phase: 'WAITING' }), job('b', { queue: 'south' })];
    const queues = [
      { queue: 'north', max: 3 },
      { queue: 'south', max: 2 },
    ];
    expect(planJobs(request(jobs, { target: 4, queues })).start).toEqual(['south', 'north']);
    expect(planJobs(request(jobs, { target: 9, queues })).start).toEqual(['south', 'north', 'north']);
  });

  it('cancels waiting jobs before it releases idle ones, and leaves those with units', () => {
    const jobs = [
      ...[job('busy'), job('idle', { idleSeconds: 5 }), job('older', { idleSeconds: 9 })],
      ...[job('waits', { phase: 'WAITING' }), job('last', { phase: 'WAITING' })],
    ];
    expect(planJobs(request(jobs, { target: 4 }))).toMatchObject({ cancel: ['last'], release: [] });
    expect(planJobs(request(jobs, { target: 2 }))).toMatchObject({
      ...{ cancel: ['last', 'waits'], release: ['older'], reason: 'SURPLUS' },
    });
    expect(planJobs(request(jobs, { target: 0 })).release).toEqual(['older', 'idle']);
  });

  it('cancels a released job that has not ended in time', () => {
    const releasedAt = new Date(now.getTime() - 60_000);
    const jobs = [job('a', { releasedAt }), job('b', { releasedAt: now })];
    expect(planJobs(request(jobs, { target: 0 }))).toMatchObject({
      ...{ cancel: [], overdue: ['a'], reason: 'UNRESPONSIVE' },
    });
  });

  it('replaces jobs of an earlier version batch by batch, above the minimum and not above the most', () => {
    const anyFleet = fc.record({
      min: fc.integer({ min: 0, max: 6 }),
      more: fc.integer({ min: 1, max: 6 }),
      extra: fc.nat(6),
    });
    fc.assert(
      fc.property(anyFleet, ({ min, more, extra }) => {
        const target = Math.min(min + more, Math.max(1, min + extra));
        const ceiling = min + more;
        let jobs = Array.from({ length: target }, (_, at) => job(`old${at}`));
        for (let step = 0; step < 60; step += 1) {
          const floor = Math.min(min, target);
          const plan = planJobs(request(jobs, { target, ceiling, floor, version: 2 }));
          const gone = new Set([...plan.release, ...plan.cancel]);
          jobs = [
            ...jobs.filter(({ id }) => !gone.has(id)),
            ...plan.start.map((_, at) => job(`new${step}.${at}`, { version: 2, phase: 'WAITING' })),
          ];
          expect(jobs.filter(({ phase }) => phase === 'HELD').length).toBeGreaterThanOrEqual(floor);
          expect(jobs.filter(isActive).length).toBeLessThanOrEqual(ceiling);
          // New jobs run by the next pass.
          jobs = jobs.map((one) => ({ ...one, phase: 'HELD', idleSeconds: one.version === 2 ? 1 : 0 }));
        }
        expect(jobs.map(({ version }) => version)).toEqual(Array.from({ length: target }, () => 2));
      }),
    );
  });

  it('waits for the jobs of the batch before', () => {
    const jobs = [job('a'), job('b'), job('new', { version: 2, phase: 'WAITING' })];
    const change = { target: 3, version: 2, runningBefore: 3 };
    expect(planJobs(request(jobs, change))).toMatchObject({ start: [], release: [] });
  });

  it('replaces all jobs if the sites have fewer slots than jobs are wanted', () => {
    const jobs = [...ids(8, 'old'), ...ids(2, 'waits', { phase: 'WAITING' })];
    const end = replaced(jobs, { target: 10, ceiling: 10 }, { slots: 8 });
    expect([versions(end, 1), versions(end, 2)]).toEqual([0, 8]);
  });

  it('goes on if slots are lost meanwhile, as long as a job of the version runs', () => {
    const jobs = [...ids(3, 'old'), job('new', { version: 2 })];
    const change = { target: 10, ceiling: 10, runningBefore: 10 };
    const waiting = ids(6, 'waits', { version: 2, phase: 'WAITING' });
    expect(planJobs(request([...jobs, ...waiting], { ...change, version: 2 })).release).toHaveLength(1);
    const unproven = [...ids(4, 'old'), ...waiting];
    expect(planJobs(request(unproven, { ...change, version: 2 })).release).toEqual([]);
  });

  it('replaces no more than a batch by jobs that fail or do not run', () => {
    for (const min of [0, 3])
      for (const site of [{ slots: 50, broken: 2 }, { slots: 0 }]) {
        const end = replaced(ids(10, 'old'), { target: 10, ceiling: 12, floor: min }, site);
        expect(versions(end, 1)).toBeGreaterThanOrEqual(8);
      }
  });

  it('replaces none while jobs of the version fail', () => {
    const jobs = [...ids(9, 'old'), job('new', { version: 2 }), job('waits', { phase: 'WAITING' })];
    const change = { target: 11, version: 2, isFailing: true };
    expect(planJobs(request(jobs, change))).toMatchObject({ start: [], release: [], cancel: [] });
  });

  it('releases what is above the most, whatever it does', () => {
    const jobs = ids(20, 'busy');
    const plan = planJobs(request(jobs, { target: 5, ceiling: 5 }));
    expect(plan).toMatchObject({ start: [], reason: 'MAXIMUM' });
    expect(plan.release).toHaveLength(15);
  });

  it('releases what is above the most of a queue, or in a queue that the fleet no longer names', () => {
    const jobs = [
      ...ids(10, 'north', { queue: 'north' }),
      ...ids(3, 'west', { queue: 'west' }),
      ...ids(1, 'south', { queue: 'south' }),
    ];
    const queues = [
      { queue: 'north', max: 2 },
      { queue: 'south', max: 8 },
    ];
    const plan = planJobs(request(jobs, { target: 10, ceiling: 10, queues }));
    expect(plan.release).toHaveLength(11);
    expect(plan.release.filter((id) => id.startsWith('west'))).toHaveLength(3);
    // Released jobs have places until they end: all of the ten are taken.
    expect(plan.start).toEqual([]);
  });

  it('replaces jobs without a queue once the fleet names queues', () => {
    const queues = [{ queue: 'north', max: 5 }];
    const end = replaced(ids(5, 'old', { version: 2 }), { target: 5, ceiling: 5, queues }, { slots: 9 });
    expect(end.map(({ queue }) => queue)).toEqual(Array.from({ length: 5 }, () => 'north'));
  });

  it('counts released jobs until they have ended', () => {
    const jobs = ids(10, 'released', { releasedAt: now });
    expect(planJobs(request(jobs, { target: 10, ceiling: 10 })).start).toEqual([]);
    expect(planJobs(request(jobs, { target: 10, ceiling: 13 })).start).toHaveLength(3);
  });

  it('has never more jobs than the most, nor a queue more than its own, also while they change', () => {
    const anyJob = fc.record({
      phase: fc.constantFrom<FleetJob['phase']>('WAITING', 'HELD', 'ENDED'),
      version: fc.integer({ min: 1, max: 2 }),
      queue: fc.constantFrom(undefined, 'north', 'south', 'west'),
      releasedAt: fc.option(fc.integer({ min: 0, max: 90 }), { nil: undefined }),
      idleSeconds: fc.nat(3),
    });
    const anyRequest = fc.record({
      jobs: fc.array(anyJob, { maxLength: 30 }),
      limits: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 2 }),
      ...{ max: fc.integer({ min: 1, max: 20 }), wanted: fc.nat(20), before: fc.nat(30) },
    });
    fc.assert(
      fc.property(anyRequest, ({ jobs: some, limits, max, wanted, before }) => {
        const queues = limits.map((most, at) => ({ queue: at === 0 ? 'north' : 'south', max: most }));
        const ceiling =
          queues.length === 0
            ? max
            : Math.min(
                max,
                limits.reduce((sum, most) => sum + most, 0),
              );
        const jobs = some.map(({ releasedAt, ...one }, at) =>
          job(`job${at}`, {
            ...one,
            releasedAt: releasedAt === undefined ? undefined : new Date(now.getTime() - releasedAt * 1000),
          }),
        );
        const target = Math.min(wanted, ceiling);
        const plan = planJobs(
          request(jobs, { target, ceiling, queues, version: 2, floor: 0, runningBefore: before }),
        );
        const gone = new Set([...plan.cancel, ...plan.overdue]);
        const leaving = new Set([...gone, ...plan.release]);
        const live = jobs.filter(({ id, phase }) => phase !== 'ENDED' && !gone.has(id));
        const active = jobs.filter((one) => isActive(one) && !leaving.has(one.id));
        expect(active.length + plan.start.length).toBeLessThanOrEqual(ceiling);
        if (plan.start.length > 0) expect(live.length + plan.start.length).toBeLessThanOrEqual(ceiling);
        for (const { queue, max: most } of queues) {
          const started = plan.start.filter((name) => name === queue).length;
          const own = active.filter((one) => one.queue === queue).length;
          expect(own + started).toBeLessThanOrEqual(most);
        }
        expect(new Set([...plan.release, ...gone]).size).toBe(
          plan.release.length + plan.cancel.length + plan.overdue.length,
        );
      }),
    );
  });

  it('releases no job of an earlier version while none may start', () => {
    const jobs = [job('a'), job('b')];
    expect(planJobs(request(jobs, { version: 2, mostStarts: 0 }))).toMatchObject({ start: [], release: [] });
  });
});
