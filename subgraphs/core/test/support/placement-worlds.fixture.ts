/**
 * Small random worlds for the placement rules: fleets of every kind of device, requests, and jobs of every
 * kind.
 */
import fc from 'fast-check';
import type { StoredRequirements } from '../../src/jobs/model/job.types.js';
import { aGpu, aQueue, aWorker, someRequirements } from './scheduler.fixture.js';
import type { AcquireRequest } from '../../src/scheduler/scheduler.types.js';
import type { StoredGpuRequirement } from '../../src/gpus/gpu-requirement.types.js';
import type { DeviceDocument } from '../../src/gpus/device.types.js';
import type { WorkerFacts } from '../../src/scheduler/worker-facts.types.js';
import type { QueueFacts } from '../../src/queues/queue-facts.types.js';

/** Removes undefined fields. */
function known<T extends object>(facts: { readonly [K in keyof T]?: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<T>;
}

const seldom = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values });

/** The reported devices of one physical GPU. */
type OneGpu = readonly Omit<DeviceDocument, 'id'>[];

const anyHealth = fc.constantFrom<DeviceDocument['health']>(
  ...(['HEALTHY', 'HEALTHY', 'HEALTHY', 'HEALTHY', 'UNHEALTHY', 'UNKNOWN'] as const),
);
const wholes = [
  { vendor: 'NVIDIA', model: 'Tesla T4', memoryMiB: 15_360 },
  { vendor: 'NVIDIA', model: 'NVIDIA A30', memoryMiB: 24_258 },
  { vendor: 'NVIDIA', model: 'NVIDIA A100-SXM4-40GB', memoryMiB: 40_536 },
  { vendor: 'NVIDIA', model: 'NVIDIA A100-SXM4-80GB', memoryMiB: 81_251 },
  { vendor: 'NVIDIA', model: 'NVIDIA H100 80GB HBM3', memoryMiB: 81_559 },
  { vendor: 'AMD', model: 'AMD Instinct MI210', memoryMiB: 65_520 },
  { vendor: 'INTEL', model: 'Odd 1' },
] as const;
const anyWhole = fc
  .record({
    of: fc.constantFrom(...wholes),
    health: anyHealth,
    nvlinkGroup: fc.constantFrom('n1', 'n2', undefined),
    driverVersion: fc.constantFrom('535.104.05', '580.65.06', undefined),
  })
  .map(({ of, health, ...facts }): OneGpu => [{ ...of, health, ...known<DeviceDocument>(facts) }]);

const profiles = [
  { migProfile: '1g.5gb', memoryMiB: 4864 },
  { migProfile: '2g.10gb', memoryMiB: 9856 },
  { migProfile: '3g.20gb', memoryMiB: 19_968 },
] as const;
const anySlices = fc
  .record({
    slices: fc.array(fc.record({ of: fc.constantFrom(...profiles), health: anyHealth }), {
      minLength: 1,
      maxLength: 3,
    }),
    isReported: fc.boolean(),
    health: anyHealth,
  })
  .map(({ slices, isReported, health }): OneGpu => {
    const facts = { vendor: 'NVIDIA', model: 'NVIDIA A100-SXM4-40GB', driverVersion: '580.65.06' };
    const own = slices.map(({ of, health: ownHealth }) => ({
      ...facts,
      ...of,
      health: ownHealth,
      parentId: '.',
    }));
    return isReported ? [{ ...facts, health, memoryMiB: 40_536 }, ...own] : own;
  });

const anyPartitions = fc
  .record({ mode: fc.constantFrom(['DPX/NPS1', 2] as const, ['QPX/NPS1', 4] as const), health: anyHealth })
  .map(({ mode: [partitionMode, parts], health }): OneGpu => {
    const facts = { vendor: 'AMD', model: 'AMD Instinct MI300X', memoryMiB: 196_592, partitionMode };
    return Array.from({ length: parts }, (_, at) => ({
      ...facts,
      health: at === 0 ? health : ('HEALTHY' as const),
      parentId: '.',
    }));
  });

const anyGpuOfHost = fc.oneof(
  { weight: 5, arbitrary: anyWhole },
  { weight: 2, arbitrary: anySlices },
  { weight: 1, arbitrary: anyPartitions },
);

const anyWorker = fc.record({
  queueId: fc.constantFrom('plain', 'plain', 'sharing', 'sharing', 'few', 'limited', 'closed'),
  state: fc.constantFrom<WorkerFacts['state']>('READY', 'READY', 'READY', 'READY', 'DRAINING'),
  cores: fc.integer({ min: 1, max: 12 }),
  memoryMiB: fc.constantFrom(4096, 8192, 16_384),
  gpus: fc
    .array(fc.record({ gpu: anyGpuOfHost, times: fc.constantFrom(1, 1, 2, 3) }), { maxLength: 3 })
    .map((found) => found.flatMap(({ gpu, times }) => Array.from({ length: times }, () => gpu))),
  /** Number of equal workers, so that buckets have several. */
  twins: fc.constantFrom(1, 1, 2, 3),
  /** They are on one host, and report the same devices. */
  isOneHost: fc.constantFrom(false, false, false, true),
});

/** Queues of every kind. */
export const worldQueues: readonly QueueFacts[] = [
  aQueue({ id: 'plain', name: 'plain' }),
  aQueue({ id: 'sharing', name: 'sharing', limits: { gpuSharing: true } }),
  aQueue({ id: 'few', name: 'few', limits: { gpuSharing: true, maxRunningJobs: 2 } }),
  aQueue({
    id: 'limited',
    name: 'limited',
    experimentLimits: [
      { experiment: 'alpha', maxRunningJobs: 2 },
      { experiment: 'beta', maxCores: 5, maxGpus: 2 },
    ],
  }),
  aQueue({ id: 'closed', name: 'closed', experiments: ['beta'] }),
];

type Made<A> = A extends fc.Arbitrary<infer T> ? T : never;

function workersOf(specs: readonly Made<typeof anyWorker>[]): readonly WorkerFacts[] {
  return specs.flatMap(({ twins, isOneHost, gpus, cores, memoryMiB, ...facts }, index) =>
    Array.from({ length: twins }, (_, twin) => {
      const id = `w${index}${'abc'.charAt(twin)}`;
      const host = isOneHost ? `w${index}a` : id;
      const devices = gpus.flatMap((gpu, at) =>
        devicesOf(gpu, `GPU-${'0'.repeat(12)}${hostNumber(host)}${at}`),
      );
      return aWorker({ id, host, name: id, ...facts, hardware: { cores, memoryMiB }, devices });
    }),
  );
}

/** Three digits for a host such as `w0a`. */
const hostNumber = (host: string): string => `0${host.slice(1)}`;

/** Ids in the form of vendors, which identify a device for all its reporting workers. */
function devicesOf(gpu: OneGpu, gpuId: string): readonly DeviceDocument[] {
  return gpu.map((device, part): DeviceDocument =>
    device.parentId === undefined
      ? { ...device, id: gpuId }
      : { ...device, id: `${gpuId}/${part}`, parentId: gpuId },
  );
}

/** Any small fleet. */
export const anyFleet = fc.array(anyWorker, { minLength: 1, maxLength: 5 }).map(workersOf);

const anyGpu = fc
  .record({
    count: fc.constantFrom(1, 1, 1, 2, 2, 3),
    nvlink: fc.constantFrom(false, false, true),
    optional: fc.constantFrom(false, false, false, true),
    exclusive: fc.constantFrom<true | undefined>(undefined, undefined, true),
    minMemoryMiB: seldom(fc.constantFrom(8192, 16_384, 40_960, 81_920)),
    models: fc.constantFrom([], [], [], ['A100'], ['A100', 'H100'], ['T4']),
    vendor: seldom(fc.constantFrom('NVIDIA', 'AMD')),
    cudaRuntime: seldom(fc.constantFrom('12.2', '12.9', '13.0')),
    part: fc.constantFrom<Partial<StoredGpuRequirement>>(
      ...[{}, {}, {}, {}],
      { migProfile: '1g.5gb' },
      { migProfile: '2g.10gb' },
      { migFraction: 100 },
      { migFraction: 250 },
      { migFraction: 400 },
      ...[250, 500, 700].map((share) => ({ share, count: 1 })),
      { share: 300, shareMemoryMiB: 10_000, count: 1 },
      { share: 100, shareMemoryMiB: 15_000, count: 1 },
    ),
  })
  .map(({ part, exclusive, ...gpu }) => {
    const alone = part.share === undefined ? { exclusive } : {};
    return aGpu(known<StoredGpuRequirement>({ ...gpu, ...alone, ...part }));
  });

/** Any kind of job. */
export const anyRequirements: fc.Arbitrary<StoredRequirements> = fc
  .record({
    cores: fc.constantFrom(1, 1, 2, 4),
    memoryMiB: fc.constantFrom(512, 1024, 4096),
    walltimeSeconds: fc.constantFrom(600, 3600),
    gpu: fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 4, arbitrary: anyGpu }),
    selector: seldom(fc.constantFrom('worker.host == "w0a"', 'worker.host == "w0b"', 'worker.host != "w0a"')),
  })
  .map((change) => someRequirements({ diskMiB: 0, ...known<StoredRequirements>(change) }));

/** Any kind of request, of a worker whose devices are known when it makes the request. */
export const anyRequest = fc.record({
  asks: fc.constantFrom(0, 1, 1, 1, 1, 2),
  count: fc.constantFrom(1, 2, 100),
  coresLess: fc.constantFrom(0, 0, 0, 1),
  /** Free devices that it does not offer, by position. */
  keeps: fc.array(fc.boolean(), { maxLength: 2 }),
  experiments: seldom(fc.constantFrom(['beta'], ['alpha'])),
  remainingSeconds: seldom(fc.constantFrom(1000, 5000)),
});

/** A kind of request. */
export type AnyRequest = Made<typeof anyRequest>;

/** The request of a worker. @param held devices that its jobs hold */
export function requestOf(
  worker: WorkerFacts,
  spec: AnyRequest,
  free: { readonly cores: number; readonly memoryMiB: number; readonly diskMiB: number },
  held: ReadonlySet<string>,
): AcquireRequest {
  const idle = worker.devices.filter(({ id, health }) => !held.has(id) && health === 'HEALTHY');
  return {
    workerId: worker.id,
    count: spec.count,
    free: { ...free, cores: free.cores - spec.coresLess },
    freeDeviceIds: idle.filter((_device, at) => spec.keeps[at] !== true).map(({ id }) => id),
    ...known<AcquireRequest>({ experiments: spec.experiments, remainingSeconds: spec.remainingSeconds }),
  };
}
