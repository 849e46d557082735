/** GPU requirements with one part other than an amount changed to values of devices that do not serve now. */
import { cudaReleases } from '../../gpus/catalogue/cuda-releases.js';
import { modelOf } from '../../gpus/catalogue/catalogue.js';
import { rocmReleases } from '../../gpus/catalogue/rocm-releases.js';
import { compareVersions } from '../../gpus/catalogue/versions.js';
import { capabilityOf, driversFor } from '../../gpus/verdict/cuda-check.js';
import { isPartition, partOf } from '../../gpus/capacity/gpu-equivalents.js';
import type { Device } from '../../gpus/verdict/verdict.types.js';
import { type Changed, failsOnly, type KindsOfHost } from './device-kinds.js';
import { togetherText } from '../requirements/gpu-constraints.js';
import { textOf } from './gpu-ladders.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { Change } from './relaxation.types.js';

/** A requirement with one part changed. */
interface GpuVariant extends Change, Changed {}

/** Devices that only these checks exclude. */
type Near = (...affects: readonly string[]) => readonly Device[];

/** Checks that decide together if code runs: one may compensate for the other. */
const code = ['cuda', 'targets'] as const;
/** Checks of a share and its memory. */
const part = ['part', 'memory'] as const;

/** Returns the variants. None helps for a device that differs in more than one part. */
export function gpuVariants(gpu: StoredGpuRequirement, hosts: readonly KindsOfHost[]): readonly GpuVariant[] {
  const kinds = [...new Set(hosts.flatMap((host) => [...host.kinds.keys()]))];
  const near: Near = (...affects) =>
    kinds.filter((kind) => kind.fails.size > 0 && failsOnly(kind, affects)).map(({ facts }) => facts);
  return [
    ...vendorVariants(gpu, near),
    ...modelVariants(gpu, near),
    ...unconditionalVariants(gpu),
    ...cudaVariants(gpu, near),
    ...targetVariants(gpu, near),
    ...gfxVariants(gpu, near),
    ...rocmVariants(gpu, near),
    ...partVariants(gpu, near),
    ...conditionVariants(gpu),
  ];
}

function without(
  gpu: StoredGpuRequirement,
  ...names: readonly (keyof StoredGpuRequirement)[]
): StoredGpuRequirement {
  return Object.fromEntries(
    Object.entries(gpu).filter(([name]) => !names.includes(name as keyof StoredGpuRequirement)),
  ) as unknown as StoredGpuRequirement;
}

const distinct = (values: readonly (string | undefined)[]): string[] => [
  ...new Set(values.filter((value) => value !== undefined)),
];

/** The most general term for the device: its family, else its model. */
function termFor(device: Device): string {
  const row = modelOf(device);
  return row?.families[0] ?? row?.name ?? device.model;
}

function vendorVariants(gpu: StoredGpuRequirement, near: Near): readonly GpuVariant[] {
  const { vendor } = gpu;
  if (vendor === undefined) return [];
  const constraint = textOf(gpu, 'vendor');
  const others = distinct(near('vendor').map((device) => device.vendor)).map((term) => ({
    constraint,
    change: `vendor ${term} instead of ${vendor}`,
    requirement: { ...gpu, vendor: term },
    affects: ['vendor'],
    cost: 3,
  }));
  const any = {
    constraint,
    change: `any vendor instead of ${vendor}`,
    requirement: without(gpu, 'vendor'),
    affects: ['vendor'],
    cost: 3.5,
  };
  return [...others, any];
}

function modelVariants(gpu: StoredGpuRequirement, near: Near): readonly GpuVariant[] {
  const { models } = gpu;
  if (models.length === 0) return [];
  const constraint = textOf(gpu, 'model');
  const required = models.join(' or ');
  const more = distinct(near('model').map(termFor)).map((model) => ({
    constraint,
    change: `model ${required} or ${model}`,
    requirement: { ...gpu, models: [...models, model] },
    affects: ['model'],
    cost: 1,
  }));
  const any = {
    constraint,
    change: `any model instead of ${required}`,
    requirement: { ...gpu, models: [] },
    affects: ['model'],
    cost: 1.5,
  };
  return [...more, any];
}

/** Variants without a condition, for devices of which the fact is unknown. */
function unconditionalVariants(gpu: StoredGpuRequirement): readonly GpuVariant[] {
  const amounts = [
    ['minMemoryMiB', 'memory', 'memory'],
    ['minComputeCapability', 'capability', 'capability'],
    ['minDriverVersion', 'driver', 'driver'],
  ] as const;
  return amounts
    .filter(([name]) => gpu[name] !== undefined)
    .map(([name, check, term]) => ({
      constraint: textOf(gpu, check),
      change: `without a condition on the ${term} of the gpu`,
      requirement: without(gpu, name),
      affects: [check],
      cost: 1.2,
    }));
}

function cudaVariants(gpu: StoredGpuRequirement, near: Near): readonly GpuVariant[] {
  const runtime = gpu.cudaRuntime;
  if (runtime === undefined || near(...code).length === 0) return [];
  const constraint = textOf(gpu, 'cuda');
  const affects = code;
  const found: GpuVariant[] = [];
  const drivers = driversFor(runtime);
  if (gpu.needsNewDriverFeature && drivers.minor !== undefined)
    found.push({
      constraint,
      change: `driver >= ${drivers.minor} instead of ${drivers.native ?? 'one of its own branch'}: without new features of CUDA ${runtime}`,
      requirement: without(gpu, 'needsNewDriverFeature'),
      affects,
      cost: 0.2,
    });
  if (!gpu.bundlesCompat && !gpu.needsNewDriverFeature)
    found.push({
      constraint,
      change: `with the forward-compatibility package of CUDA ${runtime}`,
      requirement: { ...gpu, bundlesCompat: true },
      affects,
      cost: 0.4,
    });
  return [...found, ...runtimeVariants(gpu, runtime)];
}

/** Older runtimes for older drivers, and newer ones for newer devices; the nearest first. */
function runtimeVariants(gpu: StoredGpuRequirement, runtime: string): readonly GpuVariant[] {
  const releases = distinct(cudaReleases.map(({ version }) => version));
  const isOlder = (version: string): boolean => compareVersions(version, runtime) < 0;
  const older = releases.filter(isOlder);
  const newer = releases.filter((version) => compareVersions(version, runtime) > 0).reverse();
  return [older, newer].flatMap((versions) =>
    versions.map((version, index) => ({
      constraint: textOf(gpu, 'cuda'),
      change: `cuda ${version} instead of ${runtime}`,
      requirement: { ...gpu, cudaRuntime: version },
      affects: code,
      cost: 1 + index / 100,
    })),
  );
}

function targetVariants(gpu: StoredGpuRequirement, near: Near): readonly GpuVariant[] {
  if (gpu.sassTargets.length + gpu.ptxTargets.length === 0) return [];
  const targets = distinct(near(...code).map((device) => capabilityOf(device)?.replace('.', '')));
  return targets.map((target) => ({
    constraint: textOf(gpu, 'targets'),
    change: `code for sm_${target} too`,
    requirement: { ...gpu, sassTargets: [...gpu.sassTargets, `sm_${target}`] },
    affects: code,
    cost: 0.6,
  }));
}

function gfxVariants(gpu: StoredGpuRequirement, near: Near): readonly GpuVariant[] {
  const { gfxTargets } = gpu;
  if (!gfxTargets) return [];
  const targets = distinct(near('gfx').map((device) => device.gfxTarget ?? modelOf(device)?.gfxTarget));
  return targets.map((target) => ({
    constraint: textOf(gpu, 'gfx'),
    change: `code for ${target} too`,
    requirement: { ...gpu, gfxTargets: [...gfxTargets, target] },
    affects: ['gfx'],
    cost: 0.6,
  }));
}

function rocmVariants(gpu: StoredGpuRequirement, near: Near): readonly GpuVariant[] {
  const wanted = gpu.rocmRuntime;
  if (wanted === undefined || near('rocm').length === 0) return [];
  const release = wanted.split('.').slice(0, 2).join('.');
  const at = rocmReleases.findIndex((one) => compareVersions(one, release) >= 0);
  const from = at < 0 ? rocmReleases.length : at;
  return rocmReleases
    .map((one, index) => ({ one, away: Math.abs(index - from) }))
    .filter(({ one }) => one !== release)
    .map(({ one, away }) => ({
      constraint: textOf(gpu, 'rocm'),
      change: `rocm ${one} instead of ${wanted}`,
      requirement: { ...gpu, rocmRuntime: one },
      affects: ['rocm'],
      cost: 0.5 + away / 10,
    }));
}

function partVariants(gpu: StoredGpuRequirement, near: Near): readonly GpuVariant[] {
  const constraint = textOf(gpu, 'part');
  const affects = part;
  const devices = near(...affects);
  if (devices.length === 0) return [];
  const plain = without(gpu, 'migProfile', 'migFraction', 'share', 'shareMemoryMiB');
  const found: GpuVariant[] = distinct(devices.map(({ migProfile }) => migProfile)).map((migProfile) => ({
    constraint,
    change: `mig profile ${migProfile} instead of ${constraint.replace(/^gpu is /, 'a ').replace(/^mig profile = /, '')}`,
    requirement: { ...plain, migProfile },
    affects,
    cost: gpu.migProfile === undefined && gpu.migFraction === undefined ? 2 : 0.5,
  }));
  found.push(...fractionVariants(gpu, devices, constraint, plain));
  const isPart = gpu.migProfile !== undefined || gpu.migFraction !== undefined || gpu.share !== undefined;
  if (isPart)
    found.push({
      constraint,
      change: 'a whole gpu instead of a part of one',
      requirement: plain,
      affects,
      cost: 0.8,
    });
  return found;
}

/** Smaller parts than required, and partitions instead of whole devices; slices have their own variants. */
function fractionVariants(
  gpu: StoredGpuRequirement,
  devices: readonly Device[],
  constraint: string,
  plain: StoredGpuRequirement,
): readonly GpuVariant[] {
  const isWhole = gpu.migFraction === undefined && gpu.migProfile === undefined && gpu.share === undefined;
  const required = gpu.migFraction ?? (isWhole ? 1000 : 0);
  const parts = devices
    .filter((device) => !isWhole || isPartition(device))
    .map((device) => Math.round(1000 * (partOf(device) ?? 1)))
    .filter((one) => one < required);
  return [...new Set(parts)]
    .sort((a, b) => b - a)
    .map((migFraction) => ({
      constraint,
      change: `a slice or partition >= ${migFraction}/1000 of a gpu instead of ${isWhole ? 'a whole one' : `${required}/1000`}`,
      requirement: { ...plain, migFraction },
      affects: part,
      cost: isWhole ? 2 : 1 - migFraction / required,
    }));
}

function conditionVariants(gpu: StoredGpuRequirement): readonly GpuVariant[] {
  const found: GpuVariant[] = [];
  if (gpu.ecc)
    found.push({
      constraint: textOf(gpu, 'ecc'),
      change: 'without ecc',
      requirement: without(gpu, 'ecc'),
      affects: ['ecc'],
      cost: 1,
    });
  if (gpu.nvlink && gpu.count > 1)
    found.push({
      constraint: textOf(gpu, 'nvlink'),
      change: 'without nvlink',
      requirement: { ...gpu, nvlink: false },
      affects: ['nvlink'],
      cost: 0.7,
    });
  if (gpu.exclusive)
    found.push({
      constraint: togetherText(gpu),
      change: 'without exclusive gpus',
      requirement: without(gpu, 'exclusive'),
      affects: [],
      cost: 0.4,
    });
  return found;
}
