/** Passes over small random worlds, checked by an independent implementation of the placement rules. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { aReadyJob, aShare } from '../../../test/support/scheduler.fixture.js';
import { GpuDemand } from '../cache/gpu-demand.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import { matchPass } from './matcher.js';
import { type OracleRequest, isBetter, Oracle } from '../../../test/support/placement-oracle.fixture.js';
import {
  anyFleet,
  anyRequest,
  anyRequirements,
  requestOf,
  worldQueues,
} from '../../../test/support/placement-worlds.fixture.js';
import { experimentOf, ReadyWindows } from '../cache/ready-windows.js';
import { prepareClass, type RequirementClass } from '../requirements/requirement-class.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

const shares = ['alpha/a', 'beta/b'] as const;

const anyStep = fc.record({
  jobs: fc.array(
    fc.record({ kind: fc.nat(), count: fc.integer({ min: 1, max: 4 }), share: fc.constantFrom(...shares) }),
    { maxLength: 4 },
  ),
  ends: fc.array(fc.nat({ max: 20 }), { maxLength: 3 }),
  requestSpecs: fc.array(anyRequest, { minLength: 15, maxLength: 15 }),
});
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;

/** A world with its history. */
class World {
  readonly #workers: readonly WorkerFacts[];
  readonly #kinds: readonly StoredRequirements[];
  readonly #isPriced: boolean;
  readonly #limits: Readonly<Record<string, number | undefined>>;
  readonly #fleet = new Fleet();
  readonly #ledger = new Ledger();
  readonly #windows = new ReadyWindows();
  readonly #demand = new GpuDemand();
  readonly #classes = new Map<string, RequirementClass>();
  readonly #queues = new Map(worldQueues.map((queue) => [queue.id, queue]));
  #jobs = 0;
  given = 0;
  left = 0;

  constructor(
    workers: readonly WorkerFacts[],
    kinds: readonly StoredRequirements[],
    isPriced: boolean,
    limits: Readonly<Record<string, number | undefined>>,
  ) {
    this.#workers = workers;
    this.#kinds = kinds;
    this.#isPriced = isPriced;
    this.#limits = limits;
    this.#fleet.setShares(
      shares.map((path) => {
        const most = limits[path];
        return aShare({ path, nominalGpus: 0, ...(most === undefined ? {} : { borrowLimitGpus: most }) });
      }),
    );
    this.#fleet.setQueues(worldQueues);
    for (const worker of workers) this.#fleet.set(worker);
  }

  /** Ends and adds jobs, and runs a pass for the requests. @returns violations of the rules */
  step({ jobs, ends, requestSpecs }: Step): readonly string[] {
    for (const at of ends) {
      const ended = [...this.#ledger.entries()][at];
      if (ended) this.#ledger.release(ended.jobId, Number.MAX_SAFE_INTEGER);
    }
    for (const { kind, count, share } of jobs) this.#submit(kind, count, share);
    const asked = this.#requests(requestSpecs);
    const before = new Set([...this.#ledger.entries()].map(({ jobId }) => jobId));
    const requests = asked.flatMap(({ worker, request, isAgain }) => {
      const known = this.#fleet.worker(worker.id);
      // An earlier pending request of the same worker, which the later one replaces.
      const earlier = { ...request, count: 100, freeDeviceIds: worker.devices.map(({ id }) => id) };
      const all = isAgain ? [earlier, request] : [request];
      return known ? all.map((one) => ({ worker: known, request: one, limit: one.count })) : [];
    });
    const { picks } = matchPass(
      {
        fleet: this.#fleet,
        windows: this.#windows,
        ledger: this.#ledger,
        ...(this.#isPriced ? { demand: this.#demand } : {}),
        classOf: (id) => this.#classes.get(id),
      },
      requests,
      0,
    );
    for (const { entry } of picks.flat()) this.#ledger.confirm(entry.jobId, 8);
    this.given += picks.flat().length;
    const entries = [...this.#ledger.entries()];
    const oracleOf = (held: typeof entries) =>
      new Oracle({ queues: this.#queues, entries: held, before, asked }, this.#workers);
    const oracle = oracleOf(entries);
    const earlier = oracleOf(entries.filter(({ jobId }) => before.has(jobId)));
    return [
      ...oracle.faults(),
      ...shares.filter((path) => this.#gpusLeft(path) < 0).map((path) => `${path} is over its limit`),
      ...this.#leftFaults(oracle, asked),
      ...entries
        .filter(({ jobId }) => !before.has(jobId))
        .flatMap((entry) => this.#betterPlacements({ oracle, earlier, asked }, entry)),
    ];
  }

  #submit(kind: number, count: number, share: string): void {
    const wanted = this.#kinds[kind % this.#kinds.length];
    if (!wanted) return;
    const id = classIdOf(wanted);
    const cls = this.#classes.get(id) ?? prepareClass(id, this.#classes.size, wanted, 1);
    this.#classes.set(id, cls);
    const window = this.#windows.open(share, id);
    if (!window.isComplete) window.endRefill(window.beginRefill(), []);
    for (let i = 0; i < count; i += 1)
      window.insert(aReadyJob(`job_${String((this.#jobs += 1)).padStart(5, '0')}`));
    this.#demand.record(cls, count);
  }

  #requests(requestSpecs: Step['requestSpecs']): readonly (OracleRequest & { readonly isAgain: boolean })[] {
    return this.#workers.flatMap((worker, at) => {
      const spec = requestSpecs[at];
      if (!spec || spec.asks === 0) return [];
      const use = this.#ledger.workerUse(worker.id);
      const left = (name: 'cores' | 'memoryMiB' | 'diskMiB'): number => worker.hardware[name] - use[name];
      const free = { cores: left('cores'), memoryMiB: left('memoryMiB'), diskMiB: left('diskMiB') };
      const held = new Set(this.#ledger.devicesOf(worker.id).keys());
      return [{ worker, request: requestOf(worker, spec, free, held), isAgain: spec.asks === 2 }];
    });
  }

  /** Jobs that were left although a candidate had free capacity. */
  #leftFaults(oracle: Oracle, asked: readonly OracleRequest[]): readonly string[] {
    const found: string[] = [];
    for (const window of this.#windows.all()) {
      const cls = this.#classes.get(window.classId);
      if (!cls || window.size === 0) continue;
      this.left += 1;
      const isAffordable = asked.every((one) => this.#isAffordable(oracle, one, cls, window.share));
      for (const one of asked) {
        if (!this.#meets(one, cls) || !isAffordable) continue;
        const placement = oracle.placementIn(one, cls.requirements, experimentOf(window.share));
        if (placement)
          found.push(
            `${JSON.stringify(cls.requirements)} is left, ${one.worker.id} has [${placement.join(' ')}]`,
          );
      }
    }
    return found;
  }

  /** GPUs that a share may still use. */
  #gpusLeft(path: string): number {
    const has = [...this.#ledger.entries()].filter(({ share }) => share === path);
    return (this.#limits[path] ?? Infinity) + 1e-6 - has.reduce((sum, { gpus = 0 }) => sum + gpus, 0);
  }

  /** Returns true if the share may use any of the suitable devices; it waits if it may not use the best. */
  #isAffordable(
    oracle: Oracle,
    { worker, request }: OracleRequest,
    cls: RequirementClass,
    path: string,
  ): boolean {
    const { gpu } = cls.requirements;
    if (gpu === undefined || gpu.optional) return true;
    const left = this.#gpusLeft(path);
    const sets = oracle.setsFor(worker, request, gpu);
    return sets.every((set) => oracle.chargeOf(worker, set, gpu) <= left);
  }

  /** Checks the requirements that concern the host. */
  #meets({ worker }: OracleRequest, { selector }: RequirementClass): boolean {
    const known = this.#fleet.worker(worker.id);
    return known !== undefined && selector?.accepts(known.profile.view()) !== false;
  }

  /**
   * Better placements that are still free, and so were free when the job got its own.
   * @param pass what it began with, and its result
   */
  #betterPlacements(
    {
      oracle,
      earlier,
      asked,
    }: Readonly<{ oracle: Oracle; earlier: Oracle; asked: readonly OracleRequest[] }>,
    {
      jobId,
      classId,
      share,
      workerId,
      deviceIds,
    }: Readonly<{
      jobId: string;
      classId: string;
      share: string;
      workerId: string;
      deviceIds: readonly string[];
    }>,
  ): readonly string[] {
    const cls = this.#classes.get(classId);
    const from = this.#workers.find(({ id }) => id === workerId);
    if (!cls || !from) return [`${jobId} has no candidate`];
    const { gpu } = cls.requirements;
    const experiment = experimentOf(share);
    const others = asked.filter(
      (one) =>
        this.#meets(one, cls) &&
        oracle.mayTake(one, cls.requirements, experiment) &&
        (gpu === undefined || oracle.mayHaveGpus(one, gpu.count, experiment)),
    );
    if (gpu === undefined) {
      const plain = others.find(({ worker }) => worker.devices.length === 0);
      return plain && from.devices.length > 0
        ? [`${jobId} is on ${workerId}, ${plain.worker.id} has no GPUs`]
        : [];
    }
    if (deviceIds.length === 0) {
      const left = this.#gpusLeft(share);
      const better = others.find(({ worker, request }) =>
        oracle.setsFor(worker, request, gpu).some((set) => oracle.chargeOf(worker, set, gpu) <= left),
      );
      // Optional GPUs are left out if the share may not use the best, which a later job may have by now.
      const sets = others.flatMap(({ worker, request }) =>
        earlier.setsFor(worker, request, gpu).map((set) => ({
          rank: earlier.rankOf(worker, set, gpu),
          isAffordable: earlier.chargeOf(worker, set, gpu) <= left,
        })),
      );
      const best = sets.filter(({ rank }) => !sets.some((other) => isBetter(other.rank, rank)));
      return better && best.every(({ isAffordable }) => isAffordable)
        ? [`${jobId} has no GPU, ${better.worker.id} has one`]
        : [];
    }
    const own = from.devices.filter(({ id }) => deviceIds.includes(id));
    const ownRank = oracle.rankOf(from, own, gpu);
    return others.flatMap(({ worker, request }) => {
      const better = oracle
        .setsFor(worker, request, gpu)
        .find((set) => isBetter(oracle.rankOf(worker, set, gpu), ownRank));
      return better
        ? [`${jobId} has ${deviceIds.join(' ')}, ${better.map(({ id }) => id).join(' ')} are free and better`]
        : [];
    });
  }
}

const runs = 250;

describe('matchPass', () => {
  it('grants correct, best and unique placements, and leaves none that is possible, over any history of any world', () => {
    let [given, left] = [0, 0];
    fc.assert(
      fc.property(
        anyFleet,
        fc.array(anyRequirements, { minLength: 1, maxLength: 6 }),
        fc.array(anyStep, { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        fc.constantFrom(undefined, undefined, 0, 0.25, 1, 1.5),
        (workers, kinds, steps, isPriced, limit) => {
          const world = new World(workers, kinds, isPriced, { 'alpha/a': limit });
          for (const step of steps) expect(world.step(step)).toEqual([]);
          [given, left] = [given + world.given, left + world.left];
        },
      ),
      { numRuns: runs },
    );
    expect(given).toBeGreaterThan(runs);
    expect(left).toBeGreaterThan(runs);
  });
});
