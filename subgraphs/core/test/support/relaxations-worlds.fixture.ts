/** Small worlds for the property of relaxations, with all kinds of hosts, queues and requirements. */
import fc from 'fast-check';
import type { StoredRequirements } from '../../src/jobs/model/job.types.js';
import { aGpu, aQueue, aWorker, someRequirements } from './scheduler.fixture.js';
import type { StoredGpuRequirement } from '../../src/gpus/gpu-requirement.types.js';
import type { DeviceDocument } from '../../src/gpus/device.types.js';
import type { StoredHardware, WorkerFacts } from '../../src/scheduler/worker-facts.types.js';
import type { QueueFacts } from '../../src/queues/queue-facts.types.js';

/** Current time, with which the end times of workers are compared. */
export const wallMs = Date.UTC(2026, 0, 1);

/** The queues of all worlds. */
export const queues: readonly QueueFacts[] = [
  aQueue({}),
  aQueue({
    id: 'queue_2',
    name: 'second',
    labels: [{ key: 'zone', value: 'b' }],
    limits: { maxCores: 8, maxMemoryMiB: 16_384, maxWalltimeSeconds: 7200, gpuSharing: true },
  }),
  aQueue({ id: 'queue_3', name: 'third', state: 'OFFLINE' }),
  aQueue({ id: 'queue_4', name: 'fourth', experiments: ['alpha', 'beta'] }),
  aQueue({ id: 'queue_5', name: 'fifth', experiments: ['beta'] }),
];

type Kind = Omit<DeviceDocument, 'id' | 'health'>;
const nvidia = (model: string, memoryMiB: number, facts: Partial<Kind> = {}): Kind => ({
  vendor: 'NVIDIA',
  model,
  memoryMiB,
  ...facts,
});
const kinds: readonly Kind[] = [
  nvidia('NVIDIA A100-SXM4-40GB', 40_536),
  nvidia('NVIDIA H100 80GB HBM3', 81_559),
  nvidia('Tesla V100-SXM2-32GB', 32_510),
  nvidia('Tesla T4', 15_360),
  nvidia('NVIDIA GeForce RTX 5090', 32_607),
  { vendor: 'AMD', model: 'AMD Instinct MI210', memoryMiB: 65_520 },
  { vendor: 'AMD', model: 'AMD Instinct MI300X', memoryMiB: 196_592 },
  { vendor: 'INTEL', model: 'Intel Data Center GPU Max 1550', memoryMiB: 131_072 },
];
/** Versions of drivers that hosts have. */
export const drivers = ['470.82.01', '525.60.13', '550.54.15', '575.57.08', '580.95.05', undefined];

const maybe = <T>(values: fc.Arbitrary<T>, nothing = 3): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: nothing, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values });

/** Removes undefined fields. */
function known<T extends object>(facts: { readonly [K in keyof T]?: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<T>;
}

const anyDevice = fc.record({
  at: fc.nat({ max: kinds.length - 1 }),
  driverVersion: fc.constantFrom(...drivers),
  rocmVersion: fc.constantFrom('6.2.0', '6.4.1', undefined),
  eccEnabled: fc.constantFrom(true, false, undefined),
  nvlinkGroup: fc.constantFrom('0', '0', '1', undefined),
  health: fc.constantFrom<DeviceDocument['health']>('HEALTHY', 'HEALTHY', 'HEALTHY', 'UNHEALTHY'),
  parts: fc.constantFrom('none', 'none', 'none', 'mixed', 'balanced', 'compute'),
  hasMemory: fc.constantFrom(true, true, true, false),
});
type DeviceInput = typeof anyDevice extends fc.Arbitrary<infer T> ? T : never;

/** A device with its MIG slices or partitions. */
function devicesOf(spec: DeviceInput, id: string): readonly DeviceDocument[] {
  const { memoryMiB, ...kind } = kinds[spec.at] ?? (kinds[0] as Kind);
  const { driverVersion, rocmVersion, eccEnabled, nvlinkGroup, health, parts, hasMemory } = spec;
  const own: DeviceDocument = {
    ...kind,
    ...known<DeviceDocument>({
      driverVersion,
      eccEnabled,
      nvlinkGroup,
      memoryMiB: hasMemory ? memoryMiB : undefined,
    }),
    ...(kind.vendor === 'AMD' ? known<DeviceDocument>({ rocmVersion }) : {}),
    id,
    health,
  };
  if (kind.model.includes('A100') && parts !== 'none') {
    const profiles = parts === 'mixed' ? ['1g.5gb', '2g.10gb'] : ['3g.20gb', '3g.20gb'];
    return [
      own,
      ...profiles.map((migProfile, index) => ({
        ...kind,
        id: `${id}/${index}`,
        parentId: id,
        migProfile,
        memoryMiB: Number(/(\d+)gb/.exec(migProfile)?.[1]) * 1000,
        health: 'HEALTHY' as const,
      })),
    ];
  }
  if (kind.model.includes('MI300X') && parts !== 'none') {
    const [partitionMode, count] = parts === 'compute' ? ['CPX/NPS1', 8] : ['DPX/NPS1', 2];
    return Array.from({ length: Number(count) }, (_, index) => ({
      ...own,
      id: `${id}/${index}`,
      parentId: id,
      partitionMode: String(partitionMode),
    }));
  }
  return [own];
}

const anyWorker = fc.record({
  queueId: fc.constantFrom('queue_1', 'queue_1', 'queue_2', 'queue_3', 'queue_4', 'queue_5'),
  host: fc.constantFrom('n1', 'n2', 'n3'),
  hardware: fc.record({
    cores: fc.constantFrom(4, 8, 16),
    memoryMiB: fc.constantFrom(8192, 16_384, 32_768),
    diskMiB: fc.constantFrom(10_000, 100_000),
    architecture: fc.constantFrom('x86_64', 'x86_64', 'aarch64'),
    architectureLevel: fc.constantFrom('x86-64-v2', 'x86-64-v3', undefined),
    containerRuntimes: fc.constantFrom<readonly string[]>(['apptainer'], ['podman'], []),
    network: fc.constantFrom(true, false, undefined),
  }),
  minutesLeft: fc.constantFrom(undefined, undefined, 30, 90),
  devices: fc.array(anyDevice, { maxLength: 3 }),
});

const anyGpu = fc
  .record({
    count: fc.constantFrom(1, 1, 1, 2, 3),
    vendor: maybe(fc.constantFrom('NVIDIA', 'AMD')),
    models: maybe(fc.constantFrom(['A100'], ['H100', 'V100'], ['MI210'])),
    minMemoryMiB: maybe(fc.constantFrom(16_384, 40_960, 81_920, 150_000)),
    minComputeCapability: maybe(fc.constantFrom('7.5', '8.0', '9.0')),
    minDriverVersion: maybe(fc.constantFrom('535.0', '575.51', '590.0')),
    cudaRuntime: maybe(fc.constantFrom('11.4', '12.0', '12.9', '13.0')),
    needsNewDriverFeature: maybe(fc.constant<true>(true)),
    bundlesCompat: maybe(fc.constant<true>(true)),
    rocmRuntime: maybe(fc.constantFrom('6.0', '6.4.1', '7.0'), 6),
    gfxTargets: maybe(fc.constantFrom(['gfx90a'], ['gfx942']), 6),
    sassTargets: maybe(fc.constantFrom(['sm_70'], ['sm_80', 'sm_90'])),
    ptxTargets: maybe(fc.constantFrom(['compute_70'])),
    part: maybe(
      fc.constantFrom<Partial<StoredGpuRequirement>>(
        { migProfile: '1g.5gb' },
        { migProfile: '2g.10gb' },
        { migFraction: 250 },
        { migFraction: 600 },
        { share: 300, shareMemoryMiB: 20_000 },
        { share: 500, shareMemoryMiB: 60_000 },
      ),
    ),
    ecc: maybe(fc.constant<true>(true)),
    nvlink: maybe(fc.constant<true>(true)),
    exclusive: maybe(fc.constant<true>(true)),
  })
  .map(({ part, ...gpu }) => {
    const isShare = part?.share !== undefined;
    return aGpu({
      ...known<StoredGpuRequirement>(gpu),
      ...part,
      ...(isShare ? { count: 1, exclusive: undefined as never } : {}),
    });
  })
  .map((gpu) => known<StoredGpuRequirement>(gpu) as StoredGpuRequirement);

const selectors = ['worker.host == "n1"', 'queue.labels["zone"] == "b"', 'worker.cores > 4'];

/** Requirements of any kind. */
export const anyRequirements = fc
  .record({
    cores: fc.constantFrom(1, 1, 1, 8, 32),
    memoryMiB: fc.constantFrom(1024, 1024, 20_000),
    diskMiB: fc.constantFrom(0, 0, 50_000),
    walltimeSeconds: fc.constantFrom(600, 600, 3600, 86_400),
    network: fc.constantFrom(false, false, true),
    architecture: maybe(fc.constantFrom('x86_64', 'arm64'), 5),
    architectureLevel: maybe(fc.constantFrom('x86-64-v2', 'x86-64-v4'), 5),
    containerRuntime: maybe(fc.constantFrom('apptainer', 'docker', 'any'), 5),
    queue: maybe(fc.constantFrom('main', 'second', 'third'), 8),
    selector: maybe(fc.constantFrom(...selectors), 5),
    gpu: fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 3, arbitrary: anyGpu }),
  })
  .map((change) => someRequirements(known<StoredRequirements>(change)));

/** Hosts with all kinds of devices. */
export const anyFleet = fc.array(anyWorker, { minLength: 1, maxLength: 10 }).map((specs) =>
  specs.map(({ minutesLeft, devices, hardware, ...spec }, index): WorkerFacts => {
    const endsAt = minutesLeft === undefined ? undefined : new Date(wallMs + minutesLeft * 60_000 + 7000);
    return aWorker({
      ...spec,
      ...(endsAt ? { endsAt } : {}),
      hardware: known<StoredHardware>(hardware),
      id: `w${index}`,
      name: `w${index}`,
      devices: devices.flatMap((device, at) => devicesOf(device, `w${index}-${at}`)),
    });
  }),
);
