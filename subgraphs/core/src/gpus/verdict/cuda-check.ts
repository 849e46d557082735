/** Checks of CUDA runtimes against drivers, and of code against compute capabilities. */
import { capabilityRow, cudaFamily, cudaOfDriver, cudaRelease, modelOf } from '../catalogue/catalogue.js';
import { compareVersions, isAtLeast, isVersion, majorOf } from '../catalogue/versions.js';
import { type Device, native, no, type Verdict } from './verdict.types.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

/** Capability that the device reports, else that of its model. */
export function capabilityOf(device: Device): string | undefined {
  return device.computeCapability ?? modelOf(device)?.computeCapability;
}

/** Newest CUDA version that the driver supports by itself. */
function driverCuda(device: Device): string | undefined {
  if (isVersion(device.cudaVersion)) return device.cudaVersion;
  return isVersion(device.driverVersion) ? cudaOfDriver(device.driverVersion) : undefined;
}

/**
 * Checks the runtime against the driver (native, within the major version, or by a package) and against the
 * capability.
 */
export function runtimeVerdict(gpu: StoredGpuRequirement, device: Device): Verdict {
  const runtime = gpu.cudaRuntime ?? '';
  const byDriver = driverVerdict(gpu, runtime, device);
  if (byDriver.kind === 'NO') return byDriver;
  return supportVerdict(gpu, runtime, device) ?? byDriver;
}

function driverVerdict(gpu: StoredGpuRequirement, runtime: string, device: Device): Verdict {
  if (device.vendor !== 'NVIDIA')
    return no('WRONG_VENDOR', `its vendor is ${device.vendor}, CUDA ${runtime} needs an NVIDIA device`);
  const { driverVersion, cudaVersion } = device;
  if (!isVersion(driverVersion)) return byReportedCuda(gpu, runtime, cudaVersion);
  const release = cudaRelease(runtime);
  if (release && compareVersions(driverVersion, release.driver) >= 0) return native;
  const isListed = release !== undefined && isSameVersion(release.version, runtime);
  // The driver itself may report support for a runtime that the catalogue does not know.
  if (!isListed && isAtLeast(cudaVersion, runtime)) return native;
  const floor = cudaFamily(majorOf(runtime))?.minorDriver;
  if (floor !== undefined && compareVersions(driverVersion, floor) >= 0)
    return withinMajor(gpu, runtime, driverVersion, release?.driver);
  if (!release)
    return no(
      'RELEASE_UNKNOWN',
      `CUDA ${runtime} is newer than the catalogue, and driver ${driverVersion} does not report support for it`,
    );
  return (
    forwardVerdict(gpu, runtime, driverVersion, device) ??
    tooOld(gpu, runtime, driverVersion, release.driver, floor)
  );
}

/** Verdict for a driver of the runtime's major version or newer that is older than the runtime's own. */
function withinMajor(
  gpu: StoredGpuRequirement,
  runtime: string,
  driver: string,
  nativeDriver: string | undefined,
): Verdict {
  const needed = nativeDriver === undefined ? 'a driver of its own branch' : `driver >= ${nativeDriver}`;
  return gpu.needsNewDriverFeature
    ? no('NEEDS_NATIVE_DRIVER', `new features of CUDA ${runtime} need ${needed}, it has ${driver}`)
    : byMinorVersion(runtime, `driver ${driver}`, needed);
}

/** Returns true if they differ at most in the update: `12.4` and `12.4.1`. */
function isSameVersion(version: string, runtime: string): boolean {
  return compareVersions(version, runtime.split('.').slice(0, 2).join('.')) === 0;
}

/** Verdict if the driver is unknown, but the CUDA version that it supports is reported. */
function byReportedCuda(gpu: StoredGpuRequirement, runtime: string, cuda: string | undefined): Verdict {
  if (!isVersion(cuda))
    return no('DRIVER_UNKNOWN', `its driver is unknown, so it is unknown if CUDA ${runtime} runs`);
  if (compareVersions(cuda, runtime.split('.').slice(0, 2).join('.')) >= 0) return native;
  // A driver of 11.0 may be below the minimum of its major version; all later ones are above.
  const isAboveFloor = compareVersions(cuda, '11.1') >= 0 && majorOf(cuda) === majorOf(runtime);
  if (!isAboveFloor)
    return no('DRIVER_TOO_OLD', `its driver supports CUDA ${cuda}, which is too old for ${runtime}`);
  if (gpu.needsNewDriverFeature)
    return no(
      'NEEDS_NATIVE_DRIVER',
      `new features of CUDA ${runtime} need a driver for it, its driver is for CUDA ${cuda}`,
    );
  return byMinorVersion(runtime, `a driver of CUDA ${cuda}`, `a driver of CUDA ${runtime}`);
}

function byMinorVersion(runtime: string, has: string, nativeDriver: string): Verdict {
  return {
    kind: 'MINOR_COMPATIBLE',
    code: 'OK_BY_MINOR_VERSION',
    reason: `CUDA ${runtime} runs with limited features on ${has}; all of them need ${nativeDriver}`,
  };
}

/**
 * Verdict for the package in the payload on a device that the package supports; undefined if it does not
 * help.
 */
function forwardVerdict(
  gpu: StoredGpuRequirement,
  runtime: string,
  driver: string,
  device: Device,
): Verdict | undefined {
  const release = cudaRelease(runtime);
  const branches = release && isSameVersion(release.version, runtime) ? release.forwardBranches : [];
  if (!gpu.bundlesCompat || gpu.needsNewDriverFeature || !branches.includes(majorOf(driver)))
    return undefined;
  // A device that its driver calls Tesla is a data-centre one even if the catalogue does not know it.
  if (!(modelOf(device)?.isDataCenter ?? device.brand?.toLowerCase() === 'tesla')) return undefined;
  return {
    kind: 'FORWARD_COMPATIBLE',
    code: 'OK_BY_FORWARD_PACKAGE',
    reason: `CUDA ${runtime} runs on driver ${driver} with the forward-compatibility package of the payload`,
  };
}

function tooOld(
  gpu: StoredGpuRequirement,
  runtime: string,
  driver: string,
  nativeDriver: string,
  floor: string | undefined,
): Verdict {
  const isFloorLower = floor !== undefined && compareVersions(floor, nativeDriver) < 0;
  const needed = gpu.needsNewDriverFeature || !isFloorLower ? nativeDriver : floor;
  const branch = majorOf(driver);
  const byPackage =
    gpu.bundlesCompat && !gpu.needsNewDriverFeature
      ? `, and its forward-compatibility package is not known to support the device with branch ${branch}`
      : '';
  return no('DRIVER_TOO_OLD', `CUDA ${runtime} needs driver >= ${needed}, it has ${driver}${byPackage}`);
}

/** Reason for a device of unknown compute capability. */
export function unknownCapability({ model }: Device, required: string): string {
  return `its compute capability is unknown (${model} is not in the catalogue, and its driver does not report it), ${required} is required`;
}

/**
 * Returns a verdict if the toolkit has dropped the capability or does not know it yet; undefined if it
 * supports it.
 */
function supportVerdict(gpu: StoredGpuRequirement, runtime: string, device: Device): Verdict | undefined {
  const capability = capabilityOf(device);
  if (!isVersion(capability))
    return no('CAPABILITY_UNKNOWN', unknownCapability(device, `one that CUDA ${runtime} supports`));
  const oldest = cudaFamily(majorOf(runtime))?.oldestCapability;
  if (oldest !== undefined && compareVersions(capability, oldest) < 0)
    return no(
      'DROPPED_CAPABILITY',
      `CUDA ${majorOf(runtime)} supports compute capability >= ${oldest}, it has ${capability}; use an older CUDA`,
    );
  if (gpu.ptxTargets.length > 0 || gpu.sassTargets.length > 0) return undefined;
  const row = capabilityRow(capability);
  if (!row)
    return no(
      'TOO_NEW_FOR_RUNTIME',
      `its compute capability ${capability} is not in the catalogue; set sassTargets or ptxTargets of the payload`,
    );
  return isAtLeast(runtime, row.firstCuda)
    ? undefined
    : no(
        'TOO_NEW_FOR_RUNTIME',
        `its compute capability ${capability} needs CUDA >= ${row.firstCuda}, the payload has ${runtime} and no ptxTargets`,
      );
}

/** A SASS or PTX target. */
interface Target {
  readonly major: number;
  readonly minor: number;
  /** `a`: only this capability; `f`: this and later ones of its family. */
  readonly kind: '' | 'a' | 'f';
}

function targetOf(text: string, prefix: 'sm' | 'compute'): Target | undefined {
  const found = /^(sm|compute)_(\d+)(\d)([af]?)$/.exec(text.trim().toLowerCase());
  if (found?.[1] !== prefix) return undefined;
  return { major: Number(found[2]), minor: Number(found[3]), kind: (found[4] ?? '') as Target['kind'] };
}

function runsSass(target: Target, have: Target, isEmbedded: boolean): boolean {
  const { major, minor, kind } = target;
  if (major !== have.major) return false;
  if (kind === 'a' || isEmbedded) return minor === have.minor;
  // Code for an embedded chip is not guaranteed to run elsewhere.
  if (capabilityRow(`${major}.${minor}`)?.isEmbedded && minor !== have.minor) return false;
  return minor <= have.minor && (kind === '' || isOneFamily(target, have));
}

function jitsPtx(target: Target, have: Target): boolean {
  const { major, minor, kind } = target;
  if (kind === 'a') return major === have.major && minor === have.minor;
  if (kind === 'f') return major === have.major && minor <= have.minor && isOneFamily(target, have);
  return major < have.major || (major === have.major && minor <= have.minor);
}

/** Returns true for one family; a capability that is not in the catalogue is its own family. */
function isOneFamily(a: Target, b: Target): boolean {
  const [one, other] = [a, b].map(({ major, minor }) => capabilityRow(`${major}.${minor}`)?.family);
  return one === undefined || other === undefined ? a.minor === b.minor : one === other;
}

/**
 * Checks that the payload's code runs: SASS of the capability's major version, or PTX that the driver can
 * compile.
 */
export function targetsVerdict(gpu: StoredGpuRequirement, device: Device): Verdict {
  if (device.vendor !== 'NVIDIA')
    return no('WRONG_VENDOR', `its vendor is ${device.vendor}, SASS and PTX need an NVIDIA device`);
  const capability = capabilityOf(device);
  const have = isVersion(capability) ? targetOf(`sm_${capability.replace('.', '')}`, 'sm') : undefined;
  if (!have || capability === undefined)
    return no(
      'CAPABILITY_UNKNOWN',
      unknownCapability(device, `one that ${[...gpu.sassTargets, ...gpu.ptxTargets].join(', ')} runs on`),
    );
  const isEmbedded = capabilityRow(capability)?.isEmbedded ?? false;
  const sass = gpu.sassTargets.map((text) => targetOf(text, 'sm'));
  const ptx = gpu.ptxTargets.map((text) => targetOf(text, 'compute'));
  if (sass.some((target) => target !== undefined && runsSass(target, have, isEmbedded))) return native;
  if (ptx.some((target) => target !== undefined && jitsPtx(target, have))) return ptxVerdict(gpu, device);
  if ([...sass, ...ptx].every((target) => target === undefined))
    return no(
      'TARGET_MALFORMED',
      `targets ${[...gpu.sassTargets, ...gpu.ptxTargets].join(', ')} are not of the form sm_80 or compute_80`,
    );
  const named = [...gpu.sassTargets, ...gpu.ptxTargets].join(', ');
  return no(
    'NO_CODE_FOR_CAPABILITY',
    `code for ${named} does not run on its compute capability ${capability}; add sm_${capability.replace('.', '')}, or PTX for this or an older capability`,
  );
}

/** Checks that the driver, or the one in a forward-compatibility package, can compile the toolkit's PTX. */
function ptxVerdict(gpu: StoredGpuRequirement, device: Device): Verdict {
  const toolkit = gpu.ptxToolkit ?? gpu.cudaRuntime;
  if (!isVersion(toolkit))
    return no(
      'PTX_TOOLKIT_UNKNOWN',
      'the toolkit that made the PTX of the payload is unknown; set ptxToolkit or cudaRuntime',
    );
  const wanted = toolkit.split('.').slice(0, 2).join('.');
  const isForward =
    gpu.cudaRuntime !== undefined &&
    driverVerdict(gpu, gpu.cudaRuntime, device).kind === 'FORWARD_COMPATIBLE';
  const has = isForward ? gpu.cudaRuntime : driverCuda(device);
  if (!isVersion(has))
    return no(
      'DRIVER_UNKNOWN',
      `its driver is unknown, so it is unknown if it compiles PTX of CUDA ${wanted}`,
    );
  if (compareVersions(has, wanted) >= 0) return native;
  return no(
    'PTX_TOO_NEW',
    `its driver compiles PTX up to CUDA ${has}, that of the payload is from ${wanted}`,
  );
}

/** The lowest driver with native support for a runtime, and the lowest one within its major version. */
export function driversFor(runtime: string): {
  readonly native: string | undefined;
  readonly minor: string | undefined;
} {
  return { native: cudaRelease(runtime)?.driver, minor: cudaFamily(majorOf(runtime))?.minorDriver };
}
