// The loop against a batch system that loses answers, refuses, forgets and is silent, and demand that flaps.
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { BatchJob } from '../providers/provider.types.js';
import { decide } from './decide.js';
import { learn } from './feedback.js';
import { noMemory, type OpenPilot, type PilotEnd } from './loop.types.js';
import { reconcile } from './reconcile.js';
import { demandOf, settingsOf } from './testing/loop.fixture.js';

const cycleMs = 30_000;
const limits = { open: 12, pending: 8, perCycle: 5, perMinute: 7, perClass: 9, perExperiment: { alpha: 10 } };
const settings = settingsOf(limits);

/** Events of one cycle. */
interface Weather {
  readonly waiting: number;
  readonly demandIsKnown: boolean;
  readonly list: 'complete' | 'failed' | 'forgets';
  readonly submit: 'accepted' | 'lost' | 'lands late' | 'never lands' | 'refused';
  /** Numbers of waiting batch jobs that start, and of running ones that end. */
  readonly starts: number;
  readonly ends: number;
  readonly restarts: boolean;
}

const weather: fc.Arbitrary<Weather> = fc.record({
  waiting: fc.integer({ min: 0, max: 60 }),
  demandIsKnown: fc.boolean(),
  list: fc.constantFrom<Weather['list']>('complete', 'complete', 'failed', 'forgets'),
  submit: fc.constantFrom<Weather['submit']>(
    'accepted',
    'accepted',
    'lost',
    'lands late',
    'never lands',
    'refused',
  ),
  starts: fc.nat(4),
  ends: fc.nat(3),
  restarts: fc.boolean(),
});

/** A simulated site with core's record of its pilots. */
class Site {
  nowMs = 0;
  readonly record = new Map<string, OpenPilot>();
  readonly jobs = new Map<string, BatchJob>();
  /** Batch jobs of another system. */
  readonly #foreign: readonly BatchJob[] = ['RUNNING' as const, 'PENDING' as const].map((state, number) => ({
    ...{ batch: 'pilot_foreign', number, batchJobId: `foreign-${number}`, state },
  }));
  readonly #ended = new Set<string>();
  readonly submitted: string[] = [];
  readonly requests: { atMs: number; count: number }[] = [];
  readonly #late: BatchJob[] = [];
  #batch = 0;
  memory = noMemory;
  #refused = 0;

  step(day: Weather): void {
    this.nowMs += cycleMs;
    for (const job of this.#late.splice(0)) this.#land(job);
    this.#work(day.starts, day.ends);
    if (day.restarts) this.memory = noMemory;
    const jobs = [...this.jobs.values(), ...this.#foreign];
    const seen = day.list === 'forgets' ? jobs.slice(1) : jobs;
    const listing =
      day.list === 'failed'
        ? { isComplete: false as const, reason: '' }
        : { isComplete: true as const, jobs: seen };
    const found = reconcile([...this.record.values()], listing, settings.times, this.nowMs);
    if (!listing.isComplete) expect([found.reports, found.cancels]).toEqual([[], []]);
    this.#apply(found.reports.map(({ id, state, batchJobId }) => ({ id, state, batchJobId })));
    this.#cancel(found.cancels.map(({ batchJobId }) => batchJobId));
    expect(found.cancels.every(({ state }) => state !== 'RUNNING')).toBe(true);
    const givenUp = found.unrecorded.filter(({ batchJobId }) => this.#ended.has(batchJobId));
    if (listing.isComplete) expect(found.unrecorded.length - givenUp.length).toBeLessThanOrEqual(2);
    this.#cancel(givenUp.map(({ batchJobId }) => batchJobId));
    const ends = found.ended.map(({ end }): PilotEnd => end);
    this.memory = learn(this.memory, { ends, arrived: 0, refusedSubmits: this.#refused });
    this.#refused = 0;
    const coming = [...this.record.values()].filter(({ worker }) => worker === undefined).length;
    const missingJobs = Math.max(0, day.waiting - coming);
    const demand = day.demandIsKnown ? [demandOf({ waitingJobs: day.waiting, missingJobs })] : undefined;
    const pilots = [...this.record.values()];
    const facts = { nowMs: this.nowMs, demand, isListed: listing.isComplete, pilots };
    const { decisions, memory } = decide(facts, settings, this.memory);
    this.memory = memory;
    this.#cancel(decisions.cancels.flatMap(({ batchJobId }) => batchJobId ?? []));
    const count = decisions.requests.reduce((sum, request) => sum + request.count, 0);
    if (demand === undefined || !listing.isComplete) expect(count).toBe(0);
    expect(count).toBeLessThanOrEqual(missingJobs);
    expect(count).toBeLessThanOrEqual(limits.perCycle);
    for (const request of decisions.requests) this.#submit(request.count, day.submit);
  }

  #submit(count: number, outcome: Weather['submit']): void {
    const batch = `pilot_${this.#batch++}`;
    this.requests.push({ atMs: this.nowMs, count });
    for (let number = 0; number < count; number += 1) {
      const id = `${batch}-${number}`;
      const times = { requestedAtMs: this.nowMs, changedAtMs: this.nowMs };
      const order = { ...demandOf(), worker: undefined };
      this.record.set(id, {
        ...order,
        ...times,
        id,
        batch,
        number,
        state: 'REQUESTED',
        batchJobId: undefined,
      });
      const job: BatchJob = { batch, number, batchJobId: id, state: 'PENDING' };
      if (outcome === 'lands late') this.#late.push(job);
      else if (outcome === 'accepted' || outcome === 'lost') this.#land(job);
      if (outcome === 'accepted') this.#apply([{ id, state: 'SUBMITTED', batchJobId: id }]);
      if (outcome === 'refused') this.#apply([{ id, state: 'REFUSED', batchJobId: undefined }]);
    }
    if (outcome === 'refused') this.#refused += 1;
  }

  #land(job: BatchJob): void {
    this.submitted.push(job.batchJobId);
    this.jobs.set(job.batchJobId, job);
  }

  #work(starts: number, ends: number): void {
    const waiting = [...this.jobs.values()].filter(({ state }) => state === 'PENDING').slice(0, starts);
    for (const job of waiting) this.jobs.set(job.batchJobId, { ...job, state: 'RUNNING' });
    const running = [...this.jobs.values()].filter(({ state }) => state === 'RUNNING').slice(0, ends);
    for (const { batchJobId } of running) this.jobs.delete(batchJobId);
  }

  #apply(reports: readonly Pick<OpenPilot, 'id' | 'state' | 'batchJobId'>[]): void {
    for (const { id, state, batchJobId } of reports) {
      const pilot = this.record.get(id);
      if (!pilot) continue;
      if (state === 'ENDED' || state === 'REFUSED') {
        this.record.delete(id);
        this.#ended.add(id);
      } else
        this.record.set(id, {
          ...pilot,
          state,
          batchJobId: batchJobId ?? pilot.batchJobId,
          changedAtMs: this.nowMs,
        });
    }
  }

  #cancel(ids: readonly string[]): void {
    for (const id of ids) this.jobs.delete(id);
  }
}

it('never starts more than is missing, twice, or above a limit, and leaves nothing behind', () => {
  fc.assert(
    fc.property(fc.array(weather, { minLength: 1, maxLength: 40 }), (days) => {
      const site = new Site();
      for (const day of days) {
        site.step(day);
        const pilots = [...site.record.values()];
        expect(pilots.length).toBeLessThanOrEqual(limits.open);
        expect(pilots.length).toBeLessThanOrEqual(limits.perClass);
        if (!days.some(({ restarts }) => restarts)) expectRate(site);
      }
      expect(new Set(site.submitted).size).toBe(site.submitted.length);
      // A calm end: the demand is gone, and the batch system answers.
      const calm = { waiting: 0, demandIsKnown: true, list: 'complete', submit: 'accepted' } as const;
      for (let cycle = 0; cycle < 40; cycle += 1) site.step({ ...calm, starts: 0, ends: 9, restarts: false });
      expect([site.jobs.size, site.record.size]).toEqual([0, 0]);
    }),
    { numRuns: 300 },
  );
});

/** A new executor does not know what the one before has requested in the last minute. */
function expectRate({ requests, nowMs }: Site): void {
  const recent = requests.filter(({ atMs }) => nowMs - atMs < 60_000);
  expect(recent.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(limits.perMinute);
}

it('covers a steady demand within minutes, and no more than it', () => {
  const site = new Site();
  for (let cycle = 0; cycle < 20; cycle += 1)
    site.step({
      ...{ waiting: 6, demandIsKnown: true, list: 'complete', submit: 'accepted' },
      ...{ starts: 0, ends: 0, restarts: false },
    });
  expect(site.submitted).toHaveLength(6);
});
