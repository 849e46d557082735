/** What a requirement may ask of a device, one check each, in the order in which they are told. */
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import { modelOf, modelsNamed, plainName } from './catalogue/catalogue.js';
import { isAtLeast, isVersion } from './catalogue/versions.js';
import { capabilityOf, runtimeVerdict, targetsVerdict } from './cuda-check.js';
import { isPartition, partitionsOf, partOf, profileMemoryGB } from './parts.js';
import { gfxVerdict, rocmVerdict } from './rocm-check.js';
import { type DeviceCheck, type DeviceFacts, native, no, type Verdict } from './verdict.types.js';

/** What is sold as so many GB reports up to this part less of them in MiB. */
const classTolerance = 0.05;

/** All checks. A requirement is served by a device that passes all that it asks. */
export const deviceChecks: readonly DeviceCheck[] = [
  {
    name: 'health',
    text: () => 'gpu is healthy',
    check: (_gpu, { health }) =>
      health === 'HEALTHY'
        ? native
        : health === 'UNHEALTHY'
          ? no('UNHEALTHY', 'device is unhealthy')
          : no('HEALTH_UNKNOWN', 'health of the device is unknown'),
  },
  {
    name: 'vendor',
    text: ({ vendor }) => vendor && `gpu vendor = ${vendor}`,
    check: ({ vendor }, device) =>
      vendor === device.vendor ? native : no('WRONG_VENDOR', `vendor is ${device.vendor}`),
  },
  {
    name: 'model',
    text: ({ models }) => (models.length > 0 ? `gpu model = ${models.join(' or ')}` : undefined),
    check: ({ models }, device) =>
      models.some((word) => isModel(word, device)) ? native : no('WRONG_MODEL', `model is ${device.model}`),
  },
  { name: 'part', text: partText, check: partVerdict },
  {
    name: 'memory',
    text: memoryText,
    check: memoryVerdict,
  },
  {
    name: 'capability',
    text: ({ minComputeCapability }) => minComputeCapability && `gpu capability >= ${minComputeCapability}`,
    check: ({ minComputeCapability = '' }, device) => {
      const have = capabilityOf(device);
      if (isAtLeast(have, minComputeCapability)) return native;
      return isVersion(have)
        ? no('CAPABILITY_TOO_LOW', `compute capability is ${have}`)
        : no('CAPABILITY_UNKNOWN', 'compute capability is unknown');
    },
  },
  {
    name: 'driver',
    text: ({ minDriverVersion }) => minDriverVersion && `driver >= ${minDriverVersion}`,
    check: ({ minDriverVersion = '' }, { driverVersion }) => {
      if (isAtLeast(driverVersion, minDriverVersion)) return native;
      return isVersion(driverVersion)
        ? no('DRIVER_TOO_OLD', `driver is ${driverVersion}`)
        : no('DRIVER_UNKNOWN', 'driver is unknown');
    },
  },
  {
    name: 'cuda',
    text: ({ cudaRuntime, needsNewDriverFeature, bundlesCompat }) =>
      cudaRuntime &&
      `cuda ${cudaRuntime}${needsNewDriverFeature ? ' with new features' : ''}${bundlesCompat ? ' with forward-compatibility package' : ''}`,
    check: runtimeVerdict,
  },
  {
    name: 'targets',
    text: ({ sassTargets, ptxTargets }) =>
      sassTargets.length + ptxTargets.length > 0
        ? `gpu code = ${[...sassTargets, ...ptxTargets].join(' or ')}`
        : undefined,
    check: targetsVerdict,
  },
  { name: 'rocm', text: ({ rocmRuntime }) => rocmRuntime && `rocm ${rocmRuntime}`, check: rocmVerdict },
  {
    name: 'gfx',
    text: ({ gfxTargets }) => gfxTargets && `gpu target = ${gfxTargets.join(' or ')}`,
    check: gfxVerdict,
  },
  {
    name: 'ecc',
    text: ({ ecc }) => (ecc ? 'gpu ecc is on' : undefined),
    check: (_gpu, { eccEnabled }) =>
      eccEnabled === true
        ? native
        : eccEnabled === false
          ? no('ECC_OFF', 'ECC is off')
          : no('ECC_UNKNOWN', 'whether ECC is on is unknown'),
  },
  {
    name: 'nvlink',
    text: ({ nvlink, count }) => (nvlink && count > 1 ? 'gpus are connected by nvlink' : undefined),
    check: (_gpu, { nvlinkGroup }) =>
      nvlinkGroup === undefined
        ? no('NVLINK_UNKNOWN', 'its NVLink connections are unknown, or it has none')
        : native,
  },
];

function isModel(word: string, device: DeviceFacts): boolean {
  const row = modelOf(device);
  if (row) return modelsNamed(word).has(row) || plainName(word) === plainName(device.model);
  return plainName(word) === plainName(device.model);
}

function partText({ migProfile, migFraction, share }: StoredGpuRequirement): string {
  if (migProfile !== undefined) return `mig profile = ${migProfile}`;
  if (migFraction !== undefined) return `slice or partition >= ${migFraction}/1000 of a gpu`;
  return share === undefined ? 'gpu is whole' : `gpu share of ${share}/1000`;
}

/** Whether the device is what is asked: whole, shared, or a slice. */
function partVerdict(gpu: StoredGpuRequirement, device: DeviceFacts): Verdict {
  if (gpu.migProfile !== undefined) {
    if (device.migProfile === undefined)
      return no(
        'WRONG_PROFILE',
        `it is a ${isPartition(device) ? 'partition' : 'whole device'}, not a slice`,
      );
    return plainProfile(gpu.migProfile) === plainProfile(device.migProfile)
      ? native
      : no('WRONG_PROFILE', `profile is ${device.migProfile}`);
  }
  if (gpu.migFraction !== undefined) return fractionVerdict(gpu.migFraction, device);
  if (device.migProfile !== undefined) return no('NOT_WHOLE', 'it is a slice');
  if (isPartition(device)) return no('NOT_WHOLE', partitionText(device));
  if (device.parentId !== undefined) return no('NOT_WHOLE', 'it is a part of another device');
  if (device.isDivided === true) return no('DIVIDED', 'it is divided into slices');
  if (device.partitionMode?.toUpperCase() === 'MIG')
    return no('DIVIDED', 'it is in MIG mode and has no slices');
  if (gpu.share !== undefined && device.isSharingAllowed !== true)
    return no('NOT_SHARED', 'its queue does not let jobs share a device');
  return native;
}

function fractionVerdict(fraction: number, device: DeviceFacts): Verdict {
  const { migProfile, partitionMode = 'unknown' } = device;
  if (migProfile === undefined && !isPartition(device))
    return no('WRONG_PROFILE', 'it is a whole device, not a slice');
  const part = partOf(device);
  const name = migProfile === undefined ? `a partition of mode ${partitionMode}` : `profile ${migProfile}`;
  if (part === undefined) return no('PROFILE_UNKNOWN', `how much of its device ${name} is, is unknown`);
  return Math.round(part * 1000) >= fraction
    ? native
    : no('SLICE_TOO_SMALL', `${name} is ${Math.round(part * 1000)}/1000 of its device`);
}

function partitionText(device: DeviceFacts): string {
  const parts = partitionsOf(device);
  return parts === undefined
    ? 'it is a partition of its device'
    : `it is one of ${parts} partitions of its device (${device.partitionMode ?? '?'})`;
}

/** `MIG 1g.10gb` and `1G.10GB` are `1g.10gb`. */
function plainProfile(profile: string): string {
  return profile
    .trim()
    .toLowerCase()
    .replace(/^mig[- ]/, '');
}

function memoryText({ minMemoryMiB, shareMemoryMiB }: StoredGpuRequirement): string | undefined {
  const wanted = Math.max(minMemoryMiB ?? 0, shareMemoryMiB ?? 0);
  return wanted > 0 ? `gpu memoryMiB >= ${wanted}` : undefined;
}

function memoryVerdict(gpu: StoredGpuRequirement, device: DeviceFacts): Verdict {
  const { memoryMiB } = device;
  if (memoryMiB === undefined) return no('MEMORY_UNKNOWN', 'memory is unknown');
  if (gpu.shareMemoryMiB !== undefined && memoryMiB < gpu.shareMemoryMiB)
    return no('MEMORY_TOO_SMALL', `memory is ${memoryMiB} MiB`);
  const wanted = gpu.minMemoryMiB ?? 0;
  return memoryMiB >= wanted || isOfClass(wanted, memoryMiB, device)
    ? native
    : no('MEMORY_TOO_SMALL', `memory is ${memoryMiB} MiB`);
}

/** Whether the device is sold with as much: what is left to jobs is a little less. */
function isOfClass(wantedMiB: number, memoryMiB: number, device: DeviceFacts): boolean {
  const row = modelOf(device);
  const isSlice = device.migProfile !== undefined;
  const ownGB = row?.memoryGB === undefined ? undefined : row.memoryGB / (partitionsOf(device) ?? 1);
  const soldGB = isSlice ? profileMemoryGB(device.migProfile ?? '') : ownGB;
  if (soldGB === undefined || soldGB * 1024 < wantedMiB) return false;
  if (!isSlice && row?.reportedMiB.includes(memoryMiB)) return true;
  return memoryMiB >= soldGB * 1024 * (1 - classTolerance);
}
