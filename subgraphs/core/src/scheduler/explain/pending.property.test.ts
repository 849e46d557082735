/**
 * Explanations of waiting jobs, compared with a count over all workers by an independent implementation of
 * the rules.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import {
  aGpu,
  anEntry,
  aQueue,
  aReadyJob,
  aWorker,
  someRequirements,
} from '../../../test/support/scheduler.fixture.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import { explainPending } from './pending.js';
import type { ConstraintFacts, PendingFacts } from './pending.types.js';
import { positionOf } from './queue-position.js';
import { compareKeys, ReadyWindow } from '../cache/ready-window.js';
import { changedBy } from '../../../test/support/relaxations.fixture.js';
import { prepareClass } from '../requirements/requirement-class.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { DeviceDocument } from '../../gpus/device.types.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

/** Models with the names of their families, their nominal memory in MiB, and the values that tools report. */
const models = [
  { model: 'NVIDIA A100-SXM4-40GB', vendor: 'NVIDIA', family: 'A100', sold: 40_960, memoryMiB: 40_536 },
  { model: 'NVIDIA A30', vendor: 'NVIDIA', family: 'A30', sold: 24_576, memoryMiB: 24_258 },
  { model: 'Tesla T4', vendor: 'NVIDIA', family: 'T4', sold: 16_384, memoryMiB: 15_360 },
  { model: 'AMD Instinct MI210', vendor: 'AMD', family: 'MI210', sold: 65_536, memoryMiB: 65_520 },
  { model: 'Odd 1', vendor: 'INTEL', family: 'Odd 1', sold: undefined, memoryMiB: 40_000 },
] as const;
const drivers = ['470.82.01', '535.104.05', '575.57.08', '580.65.06'];

const anyDevice = fc.record(
  {
    at: fc.nat({ max: models.length - 1 }),
    hasMemory: fc.boolean(),
    driverVersion: fc.constantFrom(...drivers),
    eccEnabled: fc.boolean(),
    health: fc.constantFrom<DeviceDocument['health']>(
      'HEALTHY',
      'HEALTHY',
      'HEALTHY',
      'UNHEALTHY',
      'UNKNOWN',
    ),
  },
  { requiredKeys: ['at', 'hasMemory', 'health'] },
);

const anyWorker = fc.record({
  queue: fc.constantFrom('queue_1', 'queue_2', 'queue_off'),
  state: fc.constantFrom<WorkerFacts['state']>('READY', 'READY', 'READY', 'DRAINING'),
  cores: fc.constantFrom(4, 8, 16),
  memoryMiB: fc.constantFrom(8192, 16_384),
  architecture: fc.constantFrom('x86_64', 'x86_64', 'aarch64'),
  network: fc.constantFrom(true, false, undefined),
  devices: fc.array(anyDevice, { maxLength: 3 }),
  taken: fc.subarray([0, 1, 2]),
  coresTaken: fc.constantFrom(0, 0, 4),
});

/** Rare values: a job with many requirements fits nowhere and tests little. */
const seldom = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values });

/** Removes undefined fields. */
function known<T extends object>(facts: { readonly [K in keyof T]?: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<T>;
}

const anyGpu = fc
  .record({
    count: fc.constantFrom(1, 1, 1, 2, 3),
    vendor: seldom(fc.constantFrom('NVIDIA', 'AMD')),
    models: seldom(
      fc.subarray(
        models.map(({ family }) => family),
        { minLength: 2 },
      ),
    ),
    minMemoryMiB: seldom(fc.constantFrom(16_384, 24_576, 40_960, 65_536)),
    minDriverVersion: seldom(fc.constantFrom('535.0', '575.51', '580.95.05')),
    ecc: seldom(fc.constant<true>(true)),
  })
  .map((gpu) => aGpu(known<StoredGpuRequirement>(gpu)));

const anyRequirements = fc
  .record({
    cores: fc.constantFrom(1, 4, 4, 8, 16, 32),
    memoryMiB: fc.constantFrom(1024, 1024, 16_384),
    network: fc.constantFrom(false, false, true),
    architecture: seldom(fc.constantFrom('x86_64', 'aarch64')),
    queue: seldom(fc.constantFrom('main', 'second', 'nowhere')),
    gpu: fc.oneof(fc.constant(undefined), anyGpu),
  })
  .map((change) => someRequirements({ diskMiB: 0, ...known<StoredRequirements>(change) }));

type Spec = (typeof anyWorker extends fc.Arbitrary<infer T> ? T : never) & { readonly id: string };

function storedDevices({ id, devices }: Spec): readonly DeviceDocument[] {
  return devices.map(({ at, hasMemory, ...facts }, index) => {
    const { model, vendor, memoryMiB } = models[at] ?? models[0];
    return { id: `${id}-${index}`, model, vendor, ...(hasMemory ? { memoryMiB } : {}), ...facts };
  });
}

const queues: Readonly<Record<string, string>> = { queue_1: 'main', queue_2: 'second' };

const numbers = (version: string): number =>
  version.split('.').reduce((sum, part, at) => sum + Number(part) * 1000 ** (3 - at), 0);

/** Rules for devices, by the beginning of the constraint's text. */
const deviceRules: readonly [RegExp, (gpu: StoredGpuRequirement, device: DeviceDocument) => boolean][] = [
  [/^gpu is healthy/, (_gpu, { health }) => health === 'HEALTHY'],
  [/^gpu vendor/, ({ vendor }, device) => vendor === undefined || vendor === device.vendor],
  [
    /^gpu model/,
    (gpu, { model }) =>
      gpu.models.length === 0 || models.some((row) => row.model === model && gpu.models.includes(row.family)),
  ],
  [/^gpu is whole/, () => true],
  [
    /^gpu memoryMiB/,
    ({ minMemoryMiB = 0 }, { memoryMiB, model }) => {
      if (minMemoryMiB === 0) return true;
      const sold = models.find((row) => row.model === model)?.sold ?? 0;
      return memoryMiB !== undefined && Math.max(memoryMiB, sold) >= minMemoryMiB;
    },
  ],
  [
    /^driver/,
    ({ minDriverVersion }, { driverVersion }) =>
      minDriverVersion === undefined ||
      (driverVersion !== undefined && numbers(driverVersion) >= numbers(minDriverVersion)),
  ],
  [/^gpu ecc/, ({ ecc }, { eccEnabled }) => ecc !== true || eccEnabled === true],
];
const servesAll = (gpu: StoredGpuRequirement, device: DeviceDocument): boolean =>
  deviceRules.every(([, rule]) => rule(gpu, device));

/** Rules for hosts, by the beginning of the constraint's text. */
const hostRules: readonly [RegExp, (wanted: StoredRequirements, spec: Spec) => boolean][] = [
  [/^queue/, ({ queue }, spec) => queue === undefined || queues[spec.queue] === queue],
  [/^cores/, ({ cores }, spec) => spec.cores >= cores],
  [/^memoryMiB/, ({ memoryMiB }, spec) => spec.memoryMiB >= memoryMiB],
  [/^(diskMiB|walltimeSeconds)/, () => true],
  [
    /^architecture/,
    ({ architecture }, spec) => architecture === undefined || architecture === spec.architecture,
  ],
  [/^network/, ({ network }, spec) => !network || spec.network === true],
];

function serving({ gpu }: StoredRequirements, spec: Spec): readonly DeviceDocument[] {
  return gpu === undefined ? [] : storedDevices(spec).filter((device) => servesAll(gpu, device));
}

function fits(wanted: StoredRequirements, spec: Spec): boolean {
  const isHost = hostRules.every(([, rule]) => rule(wanted, spec));
  return isHost && serving(wanted, spec).length >= (wanted.gpu?.count ?? 0);
}

function world(specs: readonly Spec[]): { readonly fleet: Fleet; readonly ledger: Ledger } {
  const [fleet, ledger] = [new Fleet(), new Ledger()];
  fleet.setQueues([
    aQueue({}),
    aQueue({ id: 'queue_2', name: 'second' }),
    aQueue({ id: 'queue_off', name: 'off', state: 'OFFLINE' }),
  ]);
  for (const spec of specs) {
    const { id, queue, state, cores, memoryMiB, architecture, network } = spec;
    const hardware = { cores, memoryMiB, architecture, ...(network === undefined ? {} : { network }) };
    const devices = storedDevices(spec);
    const deviceIds = spec.taken.flatMap((at) => devices[at]?.id ?? []);
    fleet.set(aWorker({ id, host: id, name: id, queueId: queue, state, hardware, devices }));
    ledger.add(
      anEntry({
        jobId: `job_${id}`,
        workerId: id,
        queueId: queue,
        requirements: {
          cores: spec.coresTaken,
          memoryMiB: 0,
          diskMiB: 0,
          ...(deviceIds.length > 0 ? { gpu: aGpu({ count: deviceIds.length }) } : {}),
        },
        deviceIds,
      }),
    );
  }
  return { fleet, ledger };
}

function explained(wanted: StoredRequirements, specs: readonly Spec[]): PendingFacts {
  const classId = classIdOf(wanted);
  return explainPending(
    {
      _id: 'job_1',
      state: 'ACTIVATED',
      share: 'alpha/default',
      owner: 'ada',
      priority: 0,
      classId,
      waitingFor: [],
    },
    prepareClass(classId, 0, wanted, 1),
    { ...world(specs), nowMs: 0 },
    { position: 0, isPositionEstimated: false, inClass: 0 },
  );
}

const distinctQueues = (specs: readonly Spec[]): number => new Set(specs.map(({ queue }) => queue)).size;
const isConsidered = ({ state, queue }: Spec): boolean => state === 'READY' && queue !== 'queue_off';

/** Expected numbers for each constraint, counted worker by worker. */
function counted(
  wanted: StoredRequirements,
  specs: readonly Spec[],
  texts: readonly string[],
): readonly Omit<ConstraintFacts, 'reasons'>[] {
  const { gpu } = wanted;
  const count = gpu?.count ?? 0;
  let standing = specs.map((spec) => ({ spec, devices: storedDevices(spec) }));
  return texts.map((constraint) => {
    const host = hostRules.find(([form]) => form.test(constraint))?.[1];
    const rule = deviceRules.find(([form]) => form.test(constraint))?.[1] ?? servesAll;
    const own = (device: DeviceDocument): boolean => gpu !== undefined && rule(gpu, device);
    const isAll = !host && rule === servesAll;
    // A host meets all constraints together or not at all: with too few suitable devices it counts none.
    const alone = specs.flatMap((spec) => {
      const devices = storedDevices(spec);
      if (host) return host(wanted, spec) ? [{ spec, devices }] : [];
      const passing = devices.filter(own);
      return passing.length >= count ? [{ spec, devices: passing }] : [];
    });
    const together = standing.flatMap(({ spec, devices }) => {
      if (host) return host(wanted, spec) ? [{ spec, devices }] : [];
      const passing = devices.filter(own);
      const isAlone = isAll || storedDevices(spec).filter(own).length >= count;
      return isAlone && passing.length >= count ? [{ spec, devices: passing }] : [];
    });
    const sum = (rows: readonly { devices: readonly DeviceDocument[] }[]): number =>
      rows.reduce((total, { devices }) => total + devices.length, 0);
    const facts = {
      constraint,
      queuesThatPass: distinctQueues(alone.map(({ spec }) => spec)),
      workersThatPass: alone.length,
      devicesThatPass: sum(alone),
      queuesTogether: distinctQueues(together.map(({ spec }) => spec)),
      workersTogether: together.length,
      devicesTogether: sum(together),
      workersThatFailFirst: standing.length - together.length,
    };
    standing = together;
    return facts;
  });
}

const anyFleet = fc
  .array(anyWorker, { minLength: 1, maxLength: 12 })
  .map((specs) => specs.map((spec, at): Spec => ({ ...spec, id: `w${at}` })));

describe('explainPending', () => {
  it('counts each constraint alone and together, workers that fit and workers with free capacity, for any fleet and requirements', () => {
    let fitting = 0;
    fc.assert(
      fc.property(anyRequirements, anyFleet, (wanted, all) => {
        const facts = explained(wanted, all);
        const specs = all.filter(isConsidered);
        const texts = facts.constraints.map(({ constraint }) => constraint);
        const expected = counted(wanted, specs, texts);
        expect(facts.constraints.map(({ reasons: _reasons, ...rest }) => rest)).toEqual(expected);
        // Each constraint that some worker fails has reasons, and no other has.
        for (const { workersThatPass, reasons } of facts.constraints)
          expect(reasons.length > 0).toBe(workersThatPass < specs.length);
        const most = Math.max(0, ...expected.map(({ workersThatFailFirst }) => workersThatFailFirst));
        const first = expected.find(({ workersThatFailFirst }) => workersThatFailFirst === most);
        expect(facts.mostFailed).toBe(most === 0 ? null : first?.constraint);
        const fit = specs.filter((spec) => fits(wanted, spec));
        const free = fit.filter((spec) => {
          const taken = new Set(spec.taken.map((at) => `${spec.id}-${at}`));
          const devices = serving(wanted, spec).filter(({ id }) => !taken.has(id));
          return spec.cores - spec.coresTaken >= wanted.cores && devices.length >= (wanted.gpu?.count ?? 0);
        });
        expect(facts).toMatchObject({
          queuesConsidered: distinctQueues(specs),
          workersConsidered: specs.length,
          devicesConsidered: specs.reduce((sum, { devices }) => sum + devices.length, 0),
          workersThatFit: fit.length,
          workersFreeNow: free.length,
        });
        fitting += fit.length > 0 ? 1 : 0;
      }),
      { numRuns: 600 },
    );
    expect(fitting).toBeGreaterThan(100);
  });

  it('proposes changes that gain what they promise, the nearest among them, for any fleet and requirements', () => {
    let proposed = 0;
    fc.assert(
      fc.property(anyRequirements, anyFleet, (wanted, all) => {
        const { relaxations } = explained(wanted, all);
        const others = all.filter((spec) => isConsidered(spec) && !fits(wanted, spec));
        for (const { change, queuesGained, workersGained, devicesGained } of relaxations) {
          const relaxed = changedBy(wanted, change);
          const gained = others.filter((spec) => fits(relaxed, spec));
          expect({ change, queuesGained, workersGained, devicesGained }).toEqual({
            change,
            queuesGained: distinctQueues(gained),
            workersGained: gained.length,
            devicesGained: gained.reduce((sum, spec) => sum + serving(relaxed, spec).length, 0),
          });
          expect(workersGained).toBeGreaterThan(0);
          proposed += 1;
        }
        // Every single change of an amount that admits a worker is proposed, with the smallest necessary
        // reduction, unless the list is full.
        if (relaxations.length >= 5) return;
        for (const name of ['cores', 'memoryMiB'] as const) {
          const values = others.map((spec) => spec[name]).filter((value) => value < wanted[name]);
          const gaining = values.filter((value) =>
            others.some((spec) => fits({ ...wanted, [name]: value }, spec)),
          );
          const grantsWritten = relaxations.filter(({ change }) => change.startsWith(`${name} >=`));
          if (gaining.length === 0) expect(grantsWritten).toEqual([]);
          else
            expect(grantsWritten[0]?.change).toBe(
              `${name} >= ${Math.max(...gaining)} instead of ${wanted[name]}`,
            );
        }
      }),
      { numRuns: 600 },
    );
    expect(proposed).toBeGreaterThan(300);
  });

  it('returns the number of jobs before the job, or marks it as an estimate, for any windows', () => {
    const anyJob = fc.record({ priority: fc.integer({ min: 0, max: 2 }), window: fc.nat({ max: 2 }) });
    fc.assert(
      fc.property(
        fc.array(anyJob, { minLength: 1, maxLength: 30 }),
        fc.array(fc.nat({ max: 12 }), { minLength: 3, maxLength: 3 }),
        fc.nat(),
        (specs, limits, pick) => {
          const jobs = specs.map(({ priority, window }, at) => ({
            window,
            job: aReadyJob(`job_${String(at).padStart(4, '0')}`, { priority }),
          }));
          const windows = limits.map((limit, index) => {
            const own = jobs
              .filter(({ window }) => window === index)
              .map(({ job }) => job)
              .sort(compareKeys);
            const window = new ReadyWindow(`class_${index}`, 'alpha/default');
            const request = { ...window.beginRefill(), limit: limit + 1 };
            window.endRefill(request, own.slice(0, limit + 1));
            return window;
          });
          const wanted = jobs[pick % jobs.length]?.job ?? aReadyJob('job_0000');
          const before = jobs.filter(({ job }) => compareKeys(job, wanted) < 0).length;
          const { position, isPositionEstimated } = positionOf(windows, wanted, jobs.length, 1000);
          if (!isPositionEstimated) expect(position).toBe(before);
          else {
            // An exact number is never below the jobs in the windows, and never above the total.
            expect(position).toBeGreaterThanOrEqual(0);
            expect(position).toBeLessThanOrEqual(jobs.length);
          }
          if (windows.every((window) => window.isComplete)) expect(isPositionEstimated).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });
});
