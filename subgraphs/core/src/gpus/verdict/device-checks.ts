/** Checks of a device against a requirement, in the order of their reasons. */
import { isNamed } from '../catalogue/catalogue.js';
import { isAtLeast, isVersion } from '../catalogue/versions.js';
import { capabilityOf, runtimeVerdict, targetsVerdict, unknownCapability } from './cuda-check.js';
import { memoryText, memoryVerdict } from './memory-check.js';
import { isPartition, partitionsOf, partOf, profileOf } from '../capacity/gpu-equivalents.js';
import { gfxVerdict, rocmVerdict } from './rocm-check.js';
import { type DeviceCheck, type Device, native, no, type Verdict } from './verdict.types.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

/** All checks. A device serves a requirement if it passes all checks that the requirement needs. */
export const deviceChecks: readonly DeviceCheck[] = [
  {
    name: 'health',
    text: () => 'gpu is healthy',
    check: (_gpu, { health }) =>
      health === 'HEALTHY'
        ? native
        : health === 'UNHEALTHY'
          ? no('UNHEALTHY', 'it is reported as unhealthy')
          : no('HEALTH_UNKNOWN', 'its health is unknown: no tool on its host reports it'),
  },
  {
    name: 'vendor',
    text: ({ vendor }) => vendor && `gpu vendor = ${vendor}`,
    check: ({ vendor }, device) =>
      vendor === device.vendor
        ? native
        : no('WRONG_VENDOR', `its vendor is ${device.vendor}, ${vendor ?? ''} is required`),
  },
  {
    name: 'model',
    text: ({ models }) => (models.length > 0 ? `gpu model = ${models.join(' or ')}` : undefined),
    check: ({ models }, device) =>
      models.some((term) => isNamed(term, device))
        ? native
        : no('WRONG_MODEL', `its model is ${device.model}, ${listed(models)} is required`),
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
        ? no(
            'CAPABILITY_TOO_LOW',
            `it has compute capability ${have}, ${minComputeCapability} or more is required`,
          )
        : no('CAPABILITY_UNKNOWN', unknownCapability(device, `${minComputeCapability} or more`));
    },
  },
  {
    name: 'driver',
    text: ({ minDriverVersion }) => minDriverVersion && `driver >= ${minDriverVersion}`,
    check: ({ minDriverVersion = '' }, { driverVersion }) => {
      if (isAtLeast(driverVersion, minDriverVersion)) return native;
      return isVersion(driverVersion)
        ? no('DRIVER_TOO_OLD', `its driver is ${driverVersion}, ${minDriverVersion} or newer is required`)
        : no('DRIVER_UNKNOWN', `its driver is unknown, ${minDriverVersion} or newer is required`);
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
          ? no('ECC_OFF', 'its ECC is off, and ECC is required')
          : no('ECC_UNKNOWN', 'its ECC state is unknown, and ECC is required'),
  },
  {
    name: 'nvlink',
    text: ({ nvlink, count }) => (nvlink && count > 1 ? 'gpus are connected by nvlink' : undefined),
    check: ({ count }, device) => {
      const { nvlinkGroup } = device;
      // MIG instances cannot use NVLink, whatever their GPU is connected to.
      if (profileOf(device) !== undefined) return no('NVLINK_NONE', 'it is a MIG slice, which has no NVLink');
      return nvlinkGroup === undefined
        ? no('NVLINK_UNKNOWN', `no NVLink of it is known, ${count} devices connected by it are required`)
        : native;
    },
  },
];

function partText({ migProfile, migFraction, share }: StoredGpuRequirement): string {
  if (migProfile !== undefined) return `mig profile = ${migProfile}`;
  if (migFraction !== undefined) return `slice or partition >= ${migFraction}/1000 of a gpu`;
  return share === undefined ? 'gpu is whole' : `gpu share of ${share}/1000`;
}

/** Checks the requested form of the device: whole, shared, or a slice. */
function partVerdict(gpu: StoredGpuRequirement, device: Device): Verdict {
  if (gpu.migProfile !== undefined) {
    const migProfile = profileOf(device);
    if (migProfile === undefined)
      return no(
        'WRONG_PROFILE',
        `it is a ${isPartition(device) ? 'partition' : 'whole device'}, a MIG slice ${gpu.migProfile} is required`,
      );
    return plainProfile(gpu.migProfile) === plainProfile(migProfile)
      ? native
      : no('WRONG_PROFILE', `its MIG profile is ${migProfile}, ${gpu.migProfile} is required`);
  }
  if (gpu.migFraction !== undefined) return fractionVerdict(gpu.migFraction, device);
  return wholeVerdict(gpu.share, device);
}

/** A share also needs a device that is not divided otherwise. */
function wholeVerdict(share: number | undefined, device: Device): Verdict {
  const required =
    share === undefined ? 'a whole device is required' : 'a share of a whole device is required';
  const migProfile = profileOf(device);
  if (migProfile !== undefined) return no('NOT_WHOLE', `it is a MIG slice ${migProfile}, ${required}`);
  if (isPartition(device)) return no('NOT_WHOLE', `${partitionText(device)}, ${required}`);
  if (device.parentId !== undefined) return no('NOT_WHOLE', `it is a part of another device, ${required}`);
  if (device.isDivided === true) return no('DIVIDED', `it is divided into slices, ${required}`);
  if (device.partitionMode?.toUpperCase() === 'MIG')
    return no('DIVIDED', `it is in MIG mode and has no slices, ${required}`);
  if (share !== undefined && device.isSharingAllowed !== true)
    return no(
      'NOT_SHARED',
      'its queue does not allow jobs to share a device; the limit isGpuSharingEnabled controls this',
    );
  return native;
}

function fractionVerdict(fraction: number, device: Device): Verdict {
  const { partitionMode = 'unknown' } = device;
  const migProfile = profileOf(device);
  if (migProfile === undefined && !isPartition(device))
    return no('WRONG_PROFILE', `it is a whole device, a part of ${fraction}/1000 of one is required`);
  const part = partOf(device);
  const name = migProfile === undefined ? `a partition of mode ${partitionMode}` : `profile ${migProfile}`;
  if (part === undefined)
    return no(
      'PROFILE_UNKNOWN',
      `the part of its device that ${name} has is unknown, ${fraction}/1000 are required`,
    );
  return Math.round(part * 1000) >= fraction
    ? native
    : no(
        'SLICE_TOO_SMALL',
        `${name} is ${Math.round(part * 1000)}/1000 of its device, ${fraction} are required`,
      );
}

function partitionText(device: Device): string {
  const parts = partitionsOf(device);
  return parts === undefined
    ? 'it is a partition of its device'
    : `it is one of ${parts} partitions of its device (${device.partitionMode ?? '?'})`;
}

/**
 * Normalises profile names: `MIG 1g.10gb` and `1G.10GB` to `1g.10gb`, the Kubernetes resource
 * `nvidia.com/mig-1g.10gb.me` to `1g.10gb+me`.
 */
function plainProfile(profile: string): string {
  return profile
    .trim()
    .toLowerCase()
    .replace(/^(nvidia\.com\/)?mig[- ]/, '')
    .replace(/gb\.(?=[a-z])/, 'gb+');
}

function listed(terms: readonly string[]): string {
  return terms.join(' or ');
}
