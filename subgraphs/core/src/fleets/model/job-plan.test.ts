import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type FleetJob, isActive, planJobs, type PlanRequest } from './job-plan.js';

const now = new Date('2030-01-01T00:00:00Z');
const job = (id: string, change: Partial<FleetJob> = {}): FleetJob => ({
  ...{ id, version: 1, phase: 'HELD', idleSeconds: 0 },
  ...change,
});
const request = (jobs: readonly FleetJob[], change: Partial<PlanRequest> = {}): PlanRequest => ({
  ...{ target: jobs.length, ceiling: 20, floor: 1, version: 1, queues: [], drainSeconds: 60 },
  ...{ mostStarts: 500, jobs, now },
  ...change,
});

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
    expect(planJobs(request(jobs, { target: 0 }))).toMatchObject({ cancel: ['a'], reason: 'UNRESPONSIVE' });
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
    expect(planJobs(request(jobs, { target: 3, version: 2 }))).toMatchObject({ start: [], release: [] });
  });

  it('releases no job of an earlier version while none may start', () => {
    const jobs = [job('a'), job('b')];
    expect(planJobs(request(jobs, { version: 2, mostStarts: 0 }))).toMatchObject({ start: [], release: [] });
  });
});
