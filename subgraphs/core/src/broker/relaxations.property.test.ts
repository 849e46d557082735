/** Changes that are proposed, against a count over every worker and device with each thing changed in turn to whatever the fleet has. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cudaReleases } from '../gpus/catalogue/cuda-releases.js';
import { rocmReleases } from '../gpus/catalogue/rocm-releases.js';
import { deviceChecks } from '../gpus/device-checks.js';
import { deviceFacts, deviceVerdict } from '../gpus/device-verdict.js';
import type { StoredGpuRequirement, StoredRequirements } from '../jobs/job.types.js';
import type { StoredDevice, StoredHardware } from '../workers/worker.types.js';
import { aGpu, aQueue, aWorker, someRequirements } from './broker.fixture.js';
import type { QueueFacts, WorkerFacts } from './broker.types.js';
import { constraintsOf, candidateOf, hostConstraintsOf } from './constraints.js';
import { fleetFacts } from './fleet-facts.js';
import { Fleet } from './fleet.js';
import { Ledger } from './ledger.js';
import type { FleetFacts } from './pending.types.js';
import { changedBy, lacking } from './relaxations.fixture.js';
import { classIdOf, prepareClass } from './requirement-class.js';
import { compileSelector } from './selector.js';

const wallMs = Date.UTC(2026, 0, 1);

const queues: readonly QueueFacts[] = [
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

type Kind = Omit<StoredDevice, 'id' | 'health'>;
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
const drivers = ['470.82.01', '525.60.13', '550.54.15', '575.57.08', '580.95.05', undefined];

const maybe = <T>(values: fc.Arbitrary<T>, nothing = 3): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: nothing, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values });

/** Without what is undefined. */
function told<T extends object>(facts: { readonly [K in keyof T]?: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<T>;
}

const anyDevice = fc.record({
  at: fc.nat({ max: kinds.length - 1 }),
  driverVersion: fc.constantFrom(...drivers),
  rocmVersion: fc.constantFrom('6.2.0', '6.4.1', undefined),
  eccEnabled: fc.constantFrom(true, false, undefined),
  nvlinkGroup: fc.constantFrom('0', '0', '1', undefined),
  health: fc.constantFrom<StoredDevice['health']>('HEALTHY', 'HEALTHY', 'HEALTHY', 'UNHEALTHY'),
  parts: fc.constantFrom('none', 'none', 'none', 'mixed', 'balanced', 'compute'),
  hasMemory: fc.constantFrom(true, true, true, false),
});
type DeviceSpec = typeof anyDevice extends fc.Arbitrary<infer T> ? T : never;

/** A device with what is made of it: MIG slices, or partitions. */
function devicesOf(spec: DeviceSpec, id: string): readonly StoredDevice[] {
  const { memoryMiB, ...kind } = kinds[spec.at] ?? (kinds[0] as Kind);
  const { driverVersion, rocmVersion, eccEnabled, nvlinkGroup, health, parts, hasMemory } = spec;
  const own: StoredDevice = {
    ...kind,
    ...told<StoredDevice>({
      driverVersion,
      eccEnabled,
      nvlinkGroup,
      memoryMiB: hasMemory ? memoryMiB : undefined,
    }),
    ...(kind.vendor === 'AMD' ? told<StoredDevice>({ rocmVersion }) : {}),
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
      ...told<StoredGpuRequirement>(gpu),
      ...part,
      ...(isShare ? { count: 1, exclusive: undefined as never } : {}),
    });
  })
  .map((gpu) => told<StoredGpuRequirement>(gpu) as StoredGpuRequirement);

const selectors = ['worker.host == "n1"', 'queue.labels["zone"] == "b"', 'worker.cores > 4'];

const anyRequirements = fc
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
  .map((change) => someRequirements(told<StoredRequirements>(change)));

const anyFleet = fc.array(anyWorker, { minLength: 1, maxLength: 10 }).map((specs) =>
  specs.map(({ minutesLeft, devices, hardware, ...spec }, index): WorkerFacts => {
    const endsAt = minutesLeft === undefined ? undefined : new Date(wallMs + minutesLeft * 60_000 + 7000);
    return aWorker({
      ...spec,
      ...(endsAt ? { endsAt } : {}),
      hardware: told<StoredHardware>(hardware),
      id: `w${index}`,
      name: `w${index}`,
      devices: devices.flatMap((device, at) => devicesOf(device, `w${index}-${at}`)),
    });
  }),
);

const queueOf = (worker: WorkerFacts): QueueFacts =>
  queues.find(({ id }) => id === worker.queueId) ?? (queues[0] as QueueFacts);

function isConsidered(worker: WorkerFacts): boolean {
  const { state, experiments } = queueOf(worker);
  return state === 'ONLINE' && (experiments.length === 0 || experiments.includes('alpha'));
}

/** Devices that serve one by one, and whether enough of them do together: tried set by set. */
function serving(gpu: StoredGpuRequirement, worker: WorkerFacts): readonly StoredDevice[] {
  const facts = deviceFacts(worker.devices, queueOf(worker).limits.gpuSharing ?? false);
  const found = worker.devices.filter((_device, at) => {
    const own = facts[at];
    return own !== undefined && deviceVerdict(gpu, own).kind !== 'NO';
  });
  const isConnected = gpu.nvlink && gpu.count > 1;
  const groupOf = (device: StoredDevice): string | undefined =>
    device.nvlinkGroup ?? worker.devices.find(({ id }) => id === device.parentId)?.nvlinkGroup;
  const isSet = (set: readonly StoredDevice[]): boolean =>
    (!isConnected || new Set(set.map(groupOf)).size === 1) &&
    (!gpu.exclusive || new Set(set.map(({ id, parentId }) => parentId ?? id)).size === set.length);
  const sets = (from: number, set: readonly StoredDevice[]): boolean => {
    if (set.length === gpu.count) return isSet(set);
    return found.slice(from).some((device, at) => sets(from + at + 1, [...set, device]));
  };
  return sets(0, []) ? found : [];
}

function fitsHost(wanted: StoredRequirements, worker: WorkerFacts): boolean {
  const selector = wanted.selector === undefined ? undefined : compileSelector(wanted.selector);
  const left = worker.endsAt ? (worker.endsAt.getTime() - wallMs) / 1000 : Infinity;
  const candidate = candidateOf(worker, queueOf(worker));
  return (
    left >= wanted.walltimeSeconds &&
    hostConstraintsOf(wanted, selector).every((one) => one.refusal(candidate) === undefined)
  );
}

function fits(wanted: StoredRequirements, worker: WorkerFacts): boolean {
  return fitsHost(wanted, worker) && (wanted.gpu === undefined || serving(wanted.gpu, worker).length > 0);
}

function facts(wanted: StoredRequirements, workers: readonly WorkerFacts[]): FleetFacts {
  const [fleet, ledger] = [new Fleet(), new Ledger()];
  fleet.setQueues(queues);
  for (const worker of workers) fleet.put(worker);
  return fleetFacts(prepareClass(classIdOf(wanted), -1, wanted, 1), 'alpha', { fleet, ledger, wallMs });
}

const textOf = (gpu: StoredGpuRequirement, name: string): string =>
  deviceChecks.find((check) => check.name === name)?.text(gpu) ?? '?';

/** Each thing that is asked, changed to each value of the fleet, by the constraint that is changed. */
function changes(
  wanted: StoredRequirements,
  workers: readonly WorkerFacts[],
): readonly (readonly [string, StoredRequirements])[] {
  const found: (readonly [string, StoredRequirements])[] = [];
  const texts = constraintsOf(wanted, undefined).map(({ text }) => text);
  const hostText = (name: string): string => texts.find((text) => text.startsWith(name)) ?? '?';
  const hardware = workers.map((worker) => worker.hardware);
  for (const name of ['cores', 'memoryMiB', 'diskMiB'] as const) {
    const { maxCores = 4, maxMemoryMiB = 8192 } = queues[1]?.limits ?? {};
    for (const value of [...hardware.map((have) => have[name]), maxCores, maxMemoryMiB])
      if (value < wanted[name]) found.push([hostText(`${name} >=`), { ...wanted, [name]: value }]);
  }
  for (const value of [7200, 5400, 1800])
    if (value < wanted.walltimeSeconds)
      found.push([hostText('walltimeSeconds'), { ...wanted, walltimeSeconds: value }]);
  for (const { architecture, architectureLevel, containerRuntimes } of hardware) {
    if (wanted.architecture !== undefined)
      found.push([hostText('architecture ='), { ...wanted, architecture }]);
    if (wanted.architectureLevel !== undefined && architectureLevel !== undefined)
      found.push([hostText('architectureLevel'), { ...wanted, architectureLevel }]);
    for (const containerRuntime of containerRuntimes)
      if (wanted.containerRuntime !== undefined)
        found.push([hostText('containerRuntimes'), { ...wanted, containerRuntime }]);
  }
  if (wanted.network) found.push(['network', { ...wanted, network: false }]);
  if (wanted.queue !== undefined) found.push([hostText('queue'), lacking(wanted, 'queue')]);
  if (wanted.selector !== undefined)
    found.push([`selector: ${wanted.selector}`, lacking(wanted, 'selector')]);
  const { gpu } = wanted;
  if (gpu === undefined) return found;
  const devices = workers.flatMap((worker) => deviceFacts(worker.devices, true));
  return [
    ...found,
    ...gpuChanges(gpu, devices).map(([name, changed]) => {
      const text = name === 'count' ? (texts[texts.length - 1] ?? '?') : textOf(gpu, name);
      return [text, { ...wanted, gpu: changed }] as const;
    }),
  ];
}

function gpuChanges(
  gpu: StoredGpuRequirement,
  devices: ReturnType<typeof deviceFacts>,
): readonly (readonly [string, StoredGpuRequirement])[] {
  const whole = lacking(gpu, 'migProfile', 'migFraction', 'share', 'shareMemoryMiB');
  const of = <T>(
    name: string,
    isAsked: boolean,
    values: readonly (T | undefined)[],
    change: (value: T) => StoredGpuRequirement,
  ): readonly (readonly [string, StoredGpuRequirement])[] =>
    isAsked
      ? [...new Set(values)].flatMap((value) => (value === undefined ? [] : [[name, change(value)] as const]))
      : [];
  const memory = devices.map(({ memoryMiB }) => memoryMiB);
  const isPart = gpu.migProfile ?? gpu.migFraction ?? gpu.share;
  return [
    ...of('vendor', gpu.vendor !== undefined, ['NVIDIA', 'AMD', 'INTEL'], (vendor) => ({ ...gpu, vendor })),
    ...of(
      'model',
      gpu.models.length > 0,
      devices.map(({ model }) => model),
      (model) => ({
        ...gpu,
        models: [...gpu.models, model],
      }),
    ),
    ...of('model', gpu.models.length > 0, [0], () => ({ ...gpu, models: [] })),
    ...of(
      'memory',
      (gpu.minMemoryMiB ?? gpu.shareMemoryMiB) !== undefined,
      memory,
      (value) => changedBy(someRequirements({ gpu }), `gpu memoryMiB >= ${value} instead of`).gpu ?? gpu,
    ),
    ...of('capability', gpu.minComputeCapability !== undefined, ['7.0', '7.5', '8.0', '9.0'], (value) => ({
      ...gpu,
      minComputeCapability: value,
    })),
    ...of('driver', gpu.minDriverVersion !== undefined, drivers, (minDriverVersion) => ({
      ...gpu,
      minDriverVersion,
    })),
    ...of(
      'cuda',
      gpu.cudaRuntime !== undefined,
      cudaReleases.map(({ version }) => version),
      (cudaRuntime) => ({
        ...gpu,
        cudaRuntime,
      }),
    ),
    ...of('cuda', gpu.needsNewDriverFeature === true, [0], () => lacking(gpu, 'needsNewDriverFeature')),
    ...of('cuda', gpu.cudaRuntime !== undefined, [0], () => ({ ...gpu, bundlesCompat: true })),
    ...of('rocm', gpu.rocmRuntime !== undefined, rocmReleases, (rocmRuntime) => ({ ...gpu, rocmRuntime })),
    ...of('gfx', gpu.gfxTargets !== undefined, ['gfx90a', 'gfx942'], (target) => ({
      ...gpu,
      gfxTargets: [...(gpu.gfxTargets ?? []), target],
    })),
    ...of(
      'targets',
      gpu.sassTargets.length + gpu.ptxTargets.length > 0,
      ['sm_70', 'sm_75', 'sm_80', 'sm_90', 'sm_120'],
      (target) => ({ ...gpu, sassTargets: [...gpu.sassTargets, target] }),
    ),
    ...of(
      'part',
      true,
      devices.map(({ migProfile }) => migProfile),
      (migProfile) => ({ ...whole, migProfile }),
    ),
    ...of('part', isPart !== undefined, [0], () => whole),
    ...of('part', gpu.migFraction !== undefined, [500, 429, 286, 143, 125], (migFraction) => ({
      ...whole,
      migFraction,
    })),
    ...of('ecc', gpu.ecc === true, [0], () => lacking(gpu, 'ecc')),
    ...of('nvlink', gpu.nvlink && gpu.count > 1, [0], () => ({ ...gpu, nvlink: false })),
    ...of('count', gpu.count > 1, [1, 2], (count) => ({ ...gpu, count: Math.min(count, gpu.count) })),
    ...of('count', gpu.exclusive === true, [0], () => lacking(gpu, 'exclusive')),
  ];
}

test('for any fleet and requirements: what is proposed gains what it says, and nothing of the fleet would gain more', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(anyRequirements, anyFleet, (wanted, all) => {
      const told = facts(wanted, all);
      const workers = all.filter(isConsidered);
      expect(told.workersConsidered).toBe(workers.length);
      expect(told.workersThatFit).toBe(workers.filter((worker) => fits(wanted, worker)).length);
      const others = workers.filter((worker) => !fits(wanted, worker));
      const gainedBy = (relaxed: StoredRequirements): readonly WorkerFacts[] =>
        others.filter((worker) => fits(relaxed, worker));
      const most = new Map<string, number>();
      for (const { constraint, change, ...gain } of told.relaxations) {
        const relaxed = changedBy(wanted, change);
        const gained = gainedBy(relaxed);
        const devices = gained.flatMap((worker) => (relaxed.gpu ? serving(relaxed.gpu, worker) : []));
        expect({ change, ...gain }).toEqual({
          change,
          queuesGained: new Set(gained.map(({ queueId }) => queueId)).size,
          workersGained: gained.length,
          devicesGained: devices.length,
        });
        expect(gain.workersGained).toBeGreaterThan(0);
        most.set(constraint, Math.max(most.get(constraint) ?? 0, gain.workersGained));
        seen.add(change.replace(/\S*\d\S*/g, '#').split(' instead')[0] ?? '');
      }
      const texts = told.constraints.map(({ constraint }) => constraint);
      for (const constraint of most.keys()) expect(texts).toContain(constraint);
      // The list has room for five: what it has no room for it need not tell.
      const isFull = told.relaxations.length >= 5;
      for (const [constraint, relaxed] of changes(wanted, workers)) {
        if (isFull && !most.has(constraint)) continue;
        const gained = gainedBy(relaxed).length;
        if (gained > (most.get(constraint) ?? 0) && !isFull)
          throw new Error(
            `${constraint}: ${JSON.stringify(relaxed)} gains ${gained}, told is ${JSON.stringify(told.relaxations)}`,
          );
      }
    }),
    { numRuns: 1500 },
  );
  expect(seen.size).toBeGreaterThan(20);
});
