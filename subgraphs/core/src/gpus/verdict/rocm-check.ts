/** Checks of ROCm releases against kernel drivers, and of code against LLVM targets. */
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

/** Checks the release against the kernel driver, or, if that is unknown, against the release on the host. */
export function rocmVerdict(gpu: StoredGpuRequirement, device: Device): Verdict {
  const required = gpu.rocmRuntime ?? '';
  const wanted = releaseOf(required);
  if (device.vendor !== 'AMD')
    return no('WRONG_VENDOR', `its vendor is ${device.vendor}, ROCm ${required} needs an AMD device`);
  if (wanted === undefined) return no('ROCM_UNKNOWN', `ROCm ${required} is not a release; must be like 6.2`);
  const known = releasesOf(device);
  if (!known) return unlisted(wanted, device);
  if (known.own === wanted) return native;
  if (!known.within.includes(wanted))
    return no(
      'ROCM_OUT_OF_REACH',
      `${known.name} supports ROCm ${spanOf(known.within)}, the payload has ${wanted}`,
    );
  return {
    kind: 'MINOR_COMPATIBLE',
    code: 'OK_WITHIN_ROCM_REACH',
    reason: `ROCm ${wanted} is within what ${known.name} supports`,
  };
}

/** Verdict for a driver of unknown reach: only the same release as on the host is certain to work. */
function unlisted(wanted: string, { driverVersion, rocmVersion }: Device): Verdict {
  if (isVersion(rocmVersion) && releaseOf(rocmVersion) === wanted) return native;
  const reported = [
    ...(driverVersion === undefined ? [] : [`kernel driver ${driverVersion}`]),
    ...(rocmVersion === undefined ? [] : [`ROCm ${rocmVersion} on its host`]),
  ].join(' and ');
  return no(
    'ROCM_UNKNOWN',
    reported === ''
      ? `neither its kernel driver nor the ROCm release of its host is known, ${wanted} is required`
      : `the releases supported by ${reported} are not in the catalogue, ${wanted} is required`,
  );
}

interface DriverReach {
  readonly name: string;
  /** The release that the driver came with, if known. */
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
  // An unknown module is only interpreted by its name if nothing else shows the release.
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

/** Release of a version: 6.2 for `6.2.1`. */
function releaseOf(version: string): string | undefined {
  const [major, minor] = version.split('.');
  return isVersion(version) && minor !== undefined ? `${Number(major)}.${Number(minor)}` : undefined;
}

function spanOf(releases: readonly string[]): string {
  return releases.length > 1 ? `${releases[0]} to ${releases[releases.length - 1]}` : (releases[0] ?? 'none');
}

/** Checks the code: it runs only on its own target, or on the targets that a generic one covers. */
export function gfxVerdict(gpu: StoredGpuRequirement, device: Device): Verdict {
  const wanted = gpu.gfxTargets ?? [];
  if (device.vendor !== 'AMD')
    return no(
      'WRONG_VENDOR',
      `its vendor is ${device.vendor}, code for ${wanted.join(', ')} needs an AMD device`,
    );
  const target = device.gfxTarget ?? modelOf(device)?.gfxTarget;
  if (target === undefined)
    return no('TARGET_UNKNOWN', `its gfx target is unknown, one of ${wanted.join(', ')} is required`);
  const has = parsed(target);
  if (wanted.some((text) => runsOn(parsed(text), has))) return native;
  return no('WRONG_TARGET', `code for ${wanted.join(', ')} does not run on ${target}`);
}

/** A processor with the settings of its features: `gfx90a:sramecc+:xnack-`. */
interface Target {
  readonly processor: string;
  readonly features: readonly string[];
}

function parsed(text: string): Target {
  const [processor = '', ...features] = text.trim().toLowerCase().split(':');
  return { processor, features };
}

/**
 * Code that leaves a feature open runs with either; code that sets it needs a device that is known to have it
 * set so.
 */
function runsOn(code: Target, device: Target): boolean {
  const isOf =
    code.processor === device.processor ||
    (genericTargets[code.processor]?.includes(device.processor) ?? false);
  return isOf && code.features.every((feature) => device.features.includes(feature));
}
