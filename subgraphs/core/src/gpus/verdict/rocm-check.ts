/** Whether a ROCm release works with a kernel driver, and whether code for LLVM targets runs on a device. */
import { modelOf } from '../catalogue/catalogue.js';
import {
  amdgpuDrivers,
  amdgpuModules,
  genericTargets,
  rocmReach,
  rocmReleases,
} from '../catalogue/rocm-releases.js';
import { isVersion } from '../catalogue/versions.js';
import { type Device, native, no, type Verdict } from './verdict.types.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

/** The release against the kernel driver, or, where that is not known, against the release on the host. */
export function rocmVerdict(gpu: StoredGpuRequirement, device: Device): Verdict {
  const asked = gpu.rocmRuntime ?? '';
  const wanted = releaseOf(asked);
  if (device.vendor !== 'AMD')
    return no('WRONG_VENDOR', `it is of ${device.vendor}, ROCm ${asked} needs a device of AMD`);
  if (wanted === undefined) return no('ROCM_UNKNOWN', `ROCm ${asked} is not a release as 6.2 is`);
  const known = releasesOf(device);
  if (!known) return unlisted(wanted, device);
  if (known.own === wanted) return native;
  if (!known.within.includes(wanted))
    return no(
      'ROCM_OUT_OF_REACH',
      `${known.name} goes with ROCm ${spanOf(known.within)}, the payload has ${wanted}`,
    );
  return {
    kind: 'MINOR_COMPATIBLE',
    code: 'OK_WITHIN_ROCM_REACH',
    reason: `ROCm ${wanted} is within what ${known.name} supports`,
  };
}

/** Nothing is known of the reach: only the very release that the host has is certain to work there. */
function unlisted(wanted: string, { driverVersion, rocmVersion }: Device): Verdict {
  if (isVersion(rocmVersion) && releaseOf(rocmVersion) === wanted) return native;
  const told = [
    ...(driverVersion === undefined ? [] : [`kernel driver ${driverVersion}`]),
    ...(rocmVersion === undefined ? [] : [`ROCm ${rocmVersion} on its host`]),
  ].join(' and ');
  return no(
    'ROCM_UNKNOWN',
    told === ''
      ? `neither its kernel driver nor the ROCm release of its host is known, ${wanted} is asked`
      : `which releases go with ${told} is not in the catalogue, ${wanted} is asked`,
  );
}

interface DriverReach {
  readonly name: string;
  /** The release that the driver came with, where it is known. */
  readonly own: string | undefined;
  readonly within: readonly string[];
}

function releasesOf({ driverVersion, rocmVersion }: Device): DriverReach | undefined {
  const driver = isVersion(driverVersion) ? releaseOf(driverVersion) : undefined;
  const numbered = driver === undefined ? undefined : amdgpuDrivers[driver];
  const host = isVersion(rocmVersion) ? releaseOf(rocmVersion) : undefined;
  if (driver !== undefined && numbered)
    return {
      name: `amdgpu ${driver}`,
      own: host !== undefined && numbered.includes(host) ? host : undefined,
      within: numbered,
    };
  const module = amdgpuModules[driverVersion ?? ''];
  // A module that is not known is taken for what its name says only where nothing else tells the release.
  const base = [module, host, driver].find(
    (release) => release !== undefined && rocmReleases.includes(release),
  );
  if (base === undefined) return undefined;
  const at = rocmReleases.indexOf(base);
  const within = rocmReleases.slice(Math.max(0, at - rocmReach), at + rocmReach + 1);
  return { name: nameOf(base, module, host, driverVersion), own: base, within };
}

function nameOf(
  base: string,
  module: string | undefined,
  host: string | undefined,
  driver: string | undefined,
): string {
  if (base === module) return `kernel driver ${driver ?? ''} of ROCm ${module}`;
  return base === host ? `the host's ROCm ${base}` : `kernel driver ${driver ?? ''}`;
}

/** `6.2.1` is of release 6.2. */
function releaseOf(version: string): string | undefined {
  const [major, minor] = version.split('.');
  return isVersion(version) && minor !== undefined ? `${Number(major)}.${Number(minor)}` : undefined;
}

function spanOf(releases: readonly string[]): string {
  return releases.length > 1 ? `${releases[0]} to ${releases[releases.length - 1]}` : (releases[0] ?? 'none');
}

/** Code for a target runs on that target alone, or on those that a generic one stands for. */
export function gfxVerdict(gpu: StoredGpuRequirement, device: Device): Verdict {
  const wanted = gpu.gfxTargets ?? [];
  if (device.vendor !== 'AMD')
    return no(
      'WRONG_VENDOR',
      `it is of ${device.vendor}, code for ${wanted.join(', ')} needs a device of AMD`,
    );
  const target = device.gfxTarget ?? modelOf(device)?.gfxTarget;
  if (target === undefined)
    return no('TARGET_UNKNOWN', `its gfx target is unknown, one of ${wanted.join(', ')} is asked`);
  const has = parsed(target);
  if (wanted.some((text) => runsOn(parsed(text), has))) return native;
  return no('WRONG_TARGET', `code for ${wanted.join(', ')} does not run on ${target}`);
}

/** `gfx90a:sramecc+:xnack-`: a processor, and how its features are set. */
interface Target {
  readonly processor: string;
  readonly features: readonly string[];
}

function parsed(text: string): Target {
  const [processor = '', ...features] = text.trim().toLowerCase().split(':');
  return { processor, features };
}

/** Code that leaves a feature open runs with either; code that sets it needs a device that is known to have it set so. */
function runsOn(code: Target, device: Target): boolean {
  const isOf =
    code.processor === device.processor ||
    (genericTargets[code.processor]?.includes(device.processor) ?? false);
  return isOf && code.features.every((feature) => device.features.includes(feature));
}
