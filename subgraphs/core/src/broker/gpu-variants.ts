/** GPU requirements with one thing changed, to what devices have that do not serve now. */
import { cudaReleases } from '../gpus/catalogue/cuda-releases.js';
import { modelOf } from '../gpus/catalogue/catalogue.js';
import { rocmReleases } from '../gpus/catalogue/rocm-releases.js';
import { compareVersions, isVersion } from '../gpus/catalogue/versions.js';
import { capabilityOf, driversFor } from '../gpus/cuda-check.js';
import { deviceChecks } from '../gpus/device-checks.js';
import { isPartition, partOf } from '../gpus/parts.js';
import type { DeviceFacts } from '../gpus/verdict.types.js';
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import type { Alike } from './fleet-facts.js';

/** A requirement with one thing changed. */
interface GpuVariant {
  readonly constraint: string;
  readonly change: string;
  readonly requirement: StoredGpuRequirement;
  readonly cost: number;
}

/** Values tried for one thing at most: the nearest ones. */
const maxValues = 12;

/** The variants. A device that differs in more than one thing gains by none of them. */
export function gpuVariants(gpu: StoredGpuRequirement, groups: readonly Alike[]): readonly GpuVariant[] {
  const devices = kindsOf(groups);
  return [
    ...identityVariants(gpu, devices),
    ...amountVariants(gpu, devices),
    ...softwareVariants(gpu, devices),
    ...partVariants(gpu, devices),
    ...conditionVariants(gpu),
  ];
}

function kindsOf(groups: readonly Alike[]): readonly DeviceFacts[] {
  const kinds = new Map<string, DeviceFacts>();
  for (const { one } of groups) {
    const { facts, kinds: numbers, key } = one.candidate.devices();
    facts.forEach((device, position) => kinds.set(`${key} ${numbers[position] ?? 0}`, device));
  }
  return [...kinds.values()];
}

function textOf(gpu: StoredGpuRequirement, check: string): string {
  return deviceChecks.find(({ name }) => name === check)?.text(gpu) ?? check;
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

/** The widest word that takes the device: of its family, else of its model. */
function wordFor(device: DeviceFacts): string {
  const row = modelOf(device);
  return row?.families[0] ?? row?.name ?? device.model;
}

function identityVariants(gpu: StoredGpuRequirement, devices: readonly DeviceFacts[]): readonly GpuVariant[] {
  const found: GpuVariant[] = [];
  if (gpu.vendor !== undefined) {
    const constraint = textOf(gpu, 'vendor');
    for (const vendor of distinct(devices.map((device) => device.vendor)))
      found.push({
        constraint,
        change: `vendor ${vendor} instead of ${gpu.vendor}`,
        requirement: { ...gpu, vendor },
        cost: 3,
      });
  }
  if (gpu.models.length > 0) {
    const constraint = textOf(gpu, 'model');
    const asked = gpu.models.join(' or ');
    for (const model of distinct(devices.map(wordFor)).slice(0, 2 * maxValues))
      found.push({
        constraint,
        change: `model ${asked} or ${model}`,
        requirement: { ...gpu, models: [...gpu.models, model] },
        cost: 1,
      });
    found.push({
      constraint,
      change: `any model instead of ${asked}`,
      requirement: { ...gpu, models: [] },
      cost: 1.5,
    });
  }
  return found;
}

function amountVariants(gpu: StoredGpuRequirement, devices: readonly DeviceFacts[]): readonly GpuVariant[] {
  const found: GpuVariant[] = [];
  const { minComputeCapability, minDriverVersion } = gpu;
  for (const name of ['minMemoryMiB', 'shareMemoryMiB'] as const) {
    const wanted = gpu[name];
    if (wanted === undefined) continue;
    const values = [...new Set(devices.flatMap(({ memoryMiB }) => memoryMiB ?? []))].filter(
      (value) => value < wanted,
    );
    for (const value of values.sort((a, b) => b - a).slice(0, maxValues))
      found.push({
        constraint: textOf(gpu, 'memory'),
        change: `gpu memoryMiB >= ${value} instead of ${wanted}`,
        requirement: { ...gpu, [name]: value },
        cost: 1 - value / wanted,
      });
  }
  if (minComputeCapability !== undefined)
    for (const value of lower(
      devices.map((device) => capabilityOf(device)),
      minComputeCapability,
    ))
      found.push({
        constraint: textOf(gpu, 'capability'),
        change: `capability >= ${value} instead of ${minComputeCapability}`,
        requirement: { ...gpu, minComputeCapability: value },
        cost: 0.5,
      });
  if (minDriverVersion !== undefined)
    for (const value of lower(
      devices.map(({ driverVersion }) => driverVersion),
      minDriverVersion,
    ))
      found.push({
        constraint: textOf(gpu, 'driver'),
        change: `driver >= ${value} instead of ${minDriverVersion}`,
        requirement: { ...gpu, minDriverVersion: value },
        cost: 0.3,
      });
  return [
    ...found.map((variant, index) => ({ ...variant, cost: variant.cost + index / 1000 })),
    ...unaskedVariants(gpu),
  ];
}

/** What a device has nobody knows may be enough: it serves those who do not ask. */
function unaskedVariants(gpu: StoredGpuRequirement): readonly GpuVariant[] {
  const amounts = [
    ['minMemoryMiB', 'memory', 'memory'],
    ['minComputeCapability', 'capability', 'a capability'],
    ['minDriverVersion', 'driver', 'a driver'],
  ] as const;
  return amounts
    .filter(([name]) => gpu[name] !== undefined)
    .map(([name, check, word]) => ({
      constraint: textOf(gpu, check),
      change: `without asking for ${word} of the gpu`,
      requirement: without(gpu, name),
      cost: 1.2,
    }));
}

/** Known values below what is asked, the nearest first. */
function lower(values: readonly (string | undefined)[], wanted: string): readonly string[] {
  return distinct(values)
    .filter((value) => isVersion(value) && isVersion(wanted) && compareVersions(value, wanted) < 0)
    .sort((a, b) => compareVersions(b, a))
    .slice(0, maxValues);
}

function softwareVariants(gpu: StoredGpuRequirement, devices: readonly DeviceFacts[]): readonly GpuVariant[] {
  return [...cudaVariants(gpu), ...targetVariants(gpu, devices), ...rocmVariants(gpu)];
}

function cudaVariants(gpu: StoredGpuRequirement): readonly GpuVariant[] {
  const runtime = gpu.cudaRuntime;
  if (runtime === undefined) return [];
  const constraint = textOf(gpu, 'cuda');
  const found: GpuVariant[] = [];
  const drivers = driversFor(runtime);
  if (gpu.needsNewDriverFeature && drivers.minor !== undefined)
    found.push({
      constraint,
      change: `driver >= ${drivers.minor} instead of ${drivers.native ?? 'one of its own branch'}: without new features of CUDA ${runtime}`,
      requirement: without(gpu, 'needsNewDriverFeature'),
      cost: 0.2,
    });
  if (!gpu.bundlesCompat && !gpu.needsNewDriverFeature)
    found.push({
      constraint,
      change: `with the forward-compatibility package of CUDA ${runtime}`,
      requirement: { ...gpu, bundlesCompat: true },
      cost: 0.4,
    });
  const older = distinct(
    cudaReleases.filter(({ version }) => compareVersions(version, runtime) < 0).map(({ version }) => version),
  );
  older.forEach((version, index) =>
    found.push({
      constraint,
      change: `cuda ${version} instead of ${runtime}`,
      requirement: { ...gpu, cudaRuntime: version },
      cost: 1 + index / 100,
    }),
  );
  return found;
}

function targetVariants(gpu: StoredGpuRequirement, devices: readonly DeviceFacts[]): readonly GpuVariant[] {
  const found: GpuVariant[] = [];
  if (gpu.sassTargets.length + gpu.ptxTargets.length > 0) {
    const targets = distinct(devices.map((device) => capabilityOf(device)?.replace('.', '')));
    for (const target of targets.slice(0, maxValues))
      found.push({
        constraint: textOf(gpu, 'targets'),
        change: `code for sm_${target} too`,
        requirement: { ...gpu, sassTargets: [...gpu.sassTargets, `sm_${target}`] },
        cost: 0.6,
      });
  }
  const { gfxTargets } = gpu;
  if (gfxTargets)
    for (const target of distinct(devices.map((device) => device.gfxTarget ?? modelOf(device)?.gfxTarget)))
      found.push({
        constraint: textOf(gpu, 'gfx'),
        change: `code for ${target} too`,
        requirement: { ...gpu, gfxTargets: [...gfxTargets, target] },
        cost: 0.6,
      });
  return found;
}

function rocmVariants(gpu: StoredGpuRequirement): readonly GpuVariant[] {
  const wanted = gpu.rocmRuntime;
  if (wanted === undefined) return [];
  const at = rocmReleases.findIndex((release) => wanted.startsWith(release));
  return rocmReleases
    .map((release, index) => ({
      constraint: textOf(gpu, 'rocm'),
      change: `rocm ${release} instead of ${wanted}`,
      requirement: { ...gpu, rocmRuntime: release },
      cost: 0.5 + Math.abs(index - at) / 10,
    }))
    .filter(({ requirement }) => requirement.rocmRuntime !== wanted);
}

function partVariants(gpu: StoredGpuRequirement, devices: readonly DeviceFacts[]): readonly GpuVariant[] {
  const constraint = textOf(gpu, 'part');
  const plain = without(gpu, 'migProfile', 'migFraction', 'share', 'shareMemoryMiB');
  const found: GpuVariant[] = distinct(devices.map(({ migProfile }) => migProfile))
    .slice(0, maxValues)
    .map((migProfile) => ({
      constraint,
      change: `mig profile ${migProfile} instead of ${constraint.replace(/^gpu is /, 'a ').replace(/^mig profile = /, '')}`,
      requirement: { ...plain, migProfile },
      cost: gpu.migProfile === undefined && gpu.migFraction === undefined ? 2 : 0.5,
    }));
  found.push(...fractionVariants(gpu, devices, constraint, plain));
  const isPart = gpu.migProfile !== undefined || gpu.migFraction !== undefined || gpu.share !== undefined;
  if (isPart)
    found.push({ constraint, change: 'a whole gpu instead of a part of one', requirement: plain, cost: 0.8 });
  return found;
}

/** Smaller parts than are asked, and partitions where whole devices are asked: slices have names of their own. */
function fractionVariants(
  gpu: StoredGpuRequirement,
  devices: readonly DeviceFacts[],
  constraint: string,
  plain: StoredGpuRequirement,
): readonly GpuVariant[] {
  const isWhole = gpu.migFraction === undefined && gpu.migProfile === undefined && gpu.share === undefined;
  const asked = gpu.migFraction ?? (isWhole ? 1000 : 0);
  const parts = devices
    .filter((device) => !isWhole || isPartition(device))
    .map((device) => Math.round(1000 * (partOf(device) ?? 1)))
    .filter((part) => part < asked);
  return [...new Set(parts)]
    .sort((a, b) => b - a)
    .slice(0, maxValues)
    .map((migFraction) => ({
      constraint,
      change: `a slice or partition >= ${migFraction}/1000 of a gpu instead of ${isWhole ? 'a whole one' : `${asked}/1000`}`,
      requirement: { ...plain, migFraction },
      cost: isWhole ? 2 : 1 - migFraction / asked,
    }));
}

function conditionVariants(gpu: StoredGpuRequirement): readonly GpuVariant[] {
  const found: GpuVariant[] = [];
  const together = `${gpu.count} gpu${gpu.count === 1 ? '' : 's'} on one host${gpu.nvlink && gpu.count > 1 ? ', connected' : ''}, each with all of it`;
  if (gpu.ecc)
    found.push({
      constraint: textOf(gpu, 'ecc'),
      change: 'without ecc',
      requirement: without(gpu, 'ecc'),
      cost: 1,
    });
  if (gpu.nvlink && gpu.count > 1)
    found.push({
      constraint: textOf(gpu, 'nvlink'),
      change: 'without nvlink',
      requirement: { ...gpu, nvlink: false },
      cost: 0.7,
    });
  for (let count = gpu.count - 1; count >= 1; count = count > 8 ? count - 4 : count - 1)
    found.push({
      constraint: together,
      change: `${count} gpu${count === 1 ? '' : 's'} on one host instead of ${gpu.count}`,
      requirement: { ...gpu, count },
      cost: 1 - count / gpu.count,
    });
  return found;
}
