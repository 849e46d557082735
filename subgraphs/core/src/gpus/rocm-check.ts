/** Whether a ROCm release works with a kernel driver, and whether code for LLVM targets runs on a device. */
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import { modelOf } from './catalogue/catalogue.js';
import {
  amdgpuDrivers,
  amdgpuModules,
  genericTargets,
  rocmReach,
  rocmReleases,
} from './catalogue/rocm-releases.js';
import { isVersion } from './catalogue/versions.js';
import { type DeviceFacts, native, no, type Verdict } from './verdict.types.js';

/** The release against the kernel driver, or, where that is not known, against the release on the host. */
export function rocmVerdict(gpu: StoredGpuRequirement, device: DeviceFacts): Verdict {
  const wanted = releaseOf(gpu.rocmRuntime ?? '');
  if (device.vendor !== 'AMD')
    return no('WRONG_VENDOR', `ROCm needs a device of AMD, it is of ${device.vendor}`);
  if (wanted === undefined) return no('ROCM_UNKNOWN', `ROCm ${gpu.rocmRuntime ?? ''} is not a release`);
  const known = releasesOf(device);
  if (!known)
    return no('ROCM_UNKNOWN', 'neither the kernel driver nor the ROCm release of the host is known');
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

interface DriverReach {
  readonly name: string;
  /** The release that the driver came with, where it is known. */
  readonly own: string | undefined;
  readonly within: readonly string[];
}

function releasesOf({ driverVersion, rocmVersion }: DeviceFacts): DriverReach | undefined {
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
export function gfxVerdict(gpu: StoredGpuRequirement, device: DeviceFacts): Verdict {
  const wanted = gpu.gfxTargets ?? [];
  if (device.vendor !== 'AMD')
    return no('WRONG_VENDOR', `gfx targets need a device of AMD, it is of ${device.vendor}`);
  const target = device.gfxTarget ?? modelOf(device)?.gfxTarget;
  if (target === undefined) return no('TARGET_UNKNOWN', 'the gfx target is unknown');
  if (wanted.some((text) => runsOn(text.trim().toLowerCase(), target.toLowerCase()))) return native;
  return no('WRONG_TARGET', `code for ${wanted.join(', ')} does not run on ${target}`);
}

/** A target with features, as `gfx90a:xnack+`, needs a device that is known to have them set so: none reports it. */
function runsOn(wanted: string, target: string): boolean {
  return wanted === target || (genericTargets[wanted]?.includes(target) ?? false);
}
