/** Whether a CUDA runtime works with a driver, and whether code runs on a compute capability. */
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import { capabilityRow, cudaFamily, cudaOfDriver, cudaRelease, modelOf } from './catalogue/catalogue.js';
import { compareVersions, isAtLeast, isVersion, majorOf } from './catalogue/versions.js';
import { type DeviceFacts, native, no, type Verdict } from './verdict.types.js';

/** The capability that the device reports, or that its model has. */
export function capabilityOf(device: DeviceFacts): string | undefined {
  return device.computeCapability ?? modelOf(device)?.computeCapability;
}

/** The newest CUDA version that the driver supports by itself. */
function driverCuda(device: DeviceFacts): string | undefined {
  if (isVersion(device.cudaVersion)) return device.cudaVersion;
  return isVersion(device.driverVersion) ? cudaOfDriver(device.driverVersion) : undefined;
}

/** The runtime against the driver: native, within the major version, or by a package; and the runtime against the capability. */
export function runtimeVerdict(gpu: StoredGpuRequirement, device: DeviceFacts): Verdict {
  const runtime = gpu.cudaRuntime ?? '';
  const byDriver = driverVerdict(gpu, runtime, device);
  if (byDriver.kind === 'NO') return byDriver;
  return supportVerdict(gpu, runtime, device) ?? byDriver;
}

function driverVerdict(gpu: StoredGpuRequirement, runtime: string, device: DeviceFacts): Verdict {
  if (device.vendor !== 'NVIDIA')
    return no('WRONG_VENDOR', `CUDA needs a device of NVIDIA, it is of ${device.vendor}`);
  const { driverVersion, cudaVersion } = device;
  if (!isVersion(driverVersion)) return byReportedCuda(gpu, runtime, cudaVersion);
  const release = cudaRelease(runtime);
  if (release && compareVersions(driverVersion, release.driver) >= 0) return native;
  if (!release) {
    // The catalogue does not know the runtime: what the driver itself says is all there is.
    return isAtLeast(cudaVersion, runtime)
      ? native
      : no(
          'RELEASE_UNKNOWN',
          `CUDA ${runtime} is not in the catalogue and driver ${driverVersion} does not say that it supports it`,
        );
  }
  const floor = cudaFamily(majorOf(runtime))?.minorDriver;
  if (floor !== undefined && compareVersions(driverVersion, floor) >= 0) {
    return gpu.needsNewDriverFeature
      ? no(
          'NEEDS_NATIVE_DRIVER',
          `new features of CUDA ${runtime} need driver >= ${release.driver}, it has ${driverVersion}`,
        )
      : byMinorVersion(runtime, `driver ${driverVersion}`, release.driver);
  }
  return (
    forwardVerdict(gpu, runtime, driverVersion, device) ??
    tooOld(gpu, runtime, driverVersion, release.driver, floor)
  );
}

/** The driver is not known, only which CUDA it says that it supports. */
function byReportedCuda(gpu: StoredGpuRequirement, runtime: string, cuda: string | undefined): Verdict {
  if (!isVersion(cuda)) return no('DRIVER_UNKNOWN', `driver is unknown, CUDA ${runtime} needs to know it`);
  if (compareVersions(cuda, runtime.split('.').slice(0, 2).join('.')) >= 0) return native;
  // A driver of 11.0 may lie below the floor of its major version; all later ones lie above.
  const isAboveFloor = compareVersions(cuda, '11.1') >= 0 && majorOf(cuda) === majorOf(runtime);
  if (!isAboveFloor) return no('DRIVER_TOO_OLD', `driver supports CUDA ${cuda}, needs ${runtime}`);
  if (gpu.needsNewDriverFeature)
    return no(
      'NEEDS_NATIVE_DRIVER',
      `new features of CUDA ${runtime} need a driver of it, it has one of CUDA ${cuda}`,
    );
  return byMinorVersion(runtime, `a driver of CUDA ${cuda}`, `one of ${runtime}`);
}

function byMinorVersion(runtime: string, has: string, nativeDriver: string): Verdict {
  return {
    kind: 'MINOR_COMPATIBLE',
    code: 'OK_BY_MINOR_VERSION',
    reason: `CUDA ${runtime} runs with limited features on ${has}; all of them need ${nativeDriver}`,
  };
}

/** By the package that the payload brings, on devices that it was made for; undefined where that does not help. */
function forwardVerdict(
  gpu: StoredGpuRequirement,
  runtime: string,
  driver: string,
  device: DeviceFacts,
): Verdict | undefined {
  const branches = cudaRelease(runtime)?.forwardBranches ?? [];
  if (!gpu.bundlesCompat || gpu.needsNewDriverFeature || !branches.includes(majorOf(driver)))
    return undefined;
  if (modelOf(device)?.isDataCenter !== true) return undefined;
  return {
    kind: 'FORWARD_COMPATIBLE',
    code: 'OK_BY_FORWARD_PACKAGE',
    reason: `CUDA ${runtime} runs on driver ${driver} by the forward-compatibility package that the payload brings`,
  };
}

function tooOld(
  gpu: StoredGpuRequirement,
  runtime: string,
  driver: string,
  nativeDriver: string,
  floor: string | undefined,
): Verdict {
  const needed = gpu.needsNewDriverFeature ? nativeDriver : (floor ?? nativeDriver);
  const branch = majorOf(driver);
  const byPackage =
    gpu.bundlesCompat && !gpu.needsNewDriverFeature
      ? `, and its forward-compatibility package is not known to serve the device with branch ${branch}`
      : '';
  return no('DRIVER_TOO_OLD', `CUDA ${runtime} needs driver >= ${needed}, it has ${driver}${byPackage}`);
}

/** Whether the toolkit still, and already, knows the capability; undefined where it does. */
function supportVerdict(
  gpu: StoredGpuRequirement,
  runtime: string,
  device: DeviceFacts,
): Verdict | undefined {
  const capability = capabilityOf(device);
  if (!isVersion(capability))
    return no('CAPABILITY_UNKNOWN', `compute capability is unknown, CUDA ${runtime} needs to know it`);
  const oldest = cudaFamily(majorOf(runtime))?.oldestCapability;
  if (oldest !== undefined && compareVersions(capability, oldest) < 0)
    return no(
      'DROPPED_CAPABILITY',
      `CUDA ${majorOf(runtime)} supports compute capability >= ${oldest}, it has ${capability}`,
    );
  if (gpu.ptxTargets.length > 0 || gpu.sassTargets.length > 0) return undefined;
  const row = capabilityRow(capability);
  if (!row)
    return no(
      'TOO_NEW_FOR_RUNTIME',
      `compute capability ${capability} is not in the catalogue, and the payload names no targets`,
    );
  return isAtLeast(runtime, row.firstCuda)
    ? undefined
    : no(
        'TOO_NEW_FOR_RUNTIME',
        `compute capability ${capability} is known from CUDA ${row.firstCuda} on, the payload has ${runtime} and names no PTX`,
      );
}

/** A SASS or PTX target. */
interface Target {
  readonly major: number;
  readonly minor: number;
  /** `a`: this capability alone; `f`: its family from it on. */
  readonly kind: '' | 'a' | 'f';
}

function targetOf(text: string, prefix: 'sm' | 'compute'): Target | undefined {
  const found = /^(sm|compute)_(\d+)(\d)([af]?)$/.exec(text.trim().toLowerCase());
  if (found?.[1] !== prefix) return undefined;
  return { major: Number(found[2]), minor: Number(found[3]), kind: (found[4] ?? '') as Target['kind'] };
}

function runsSass({ major, minor, kind }: Target, have: Target, isEmbedded: boolean): boolean {
  if (major !== have.major) return false;
  if (kind === 'a' || isEmbedded) return minor === have.minor;
  // Code of an embedded chip was never promised to run elsewhere.
  if (capabilityRow(`${major}.${minor}`)?.isEmbedded && minor !== have.minor) return false;
  return minor <= have.minor;
}

function jitsPtx({ major, minor, kind }: Target, have: Target): boolean {
  if (kind === 'a') return major === have.major && minor === have.minor;
  if (kind === 'f') return major === have.major && minor <= have.minor;
  return major < have.major || (major === have.major && minor <= have.minor);
}

/** Whether the payload's code runs: SASS of the capability's major version, or PTX that the driver can compile. */
export function targetsVerdict(gpu: StoredGpuRequirement, device: DeviceFacts): Verdict {
  if (device.vendor !== 'NVIDIA')
    return no('WRONG_VENDOR', `SASS and PTX need a device of NVIDIA, it is of ${device.vendor}`);
  const capability = capabilityOf(device);
  const have = isVersion(capability) ? targetOf(`sm_${capability.replace('.', '')}`, 'sm') : undefined;
  if (!have || capability === undefined)
    return no('CAPABILITY_UNKNOWN', 'compute capability is unknown, targets need to know it');
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
  return no('NO_CODE_FOR_CAPABILITY', `code for ${named} does not run on compute capability ${capability}`);
}

/** PTX is compiled by the driver, or by the one that a forward-compatibility package brings: it must know the toolkit's PTX. */
function ptxVerdict(gpu: StoredGpuRequirement, device: DeviceFacts): Verdict {
  const toolkit = gpu.ptxToolkit ?? gpu.cudaRuntime;
  if (!isVersion(toolkit))
    return no('PTX_TOOLKIT_UNKNOWN', 'the payload does not say which toolkit made its PTX');
  const wanted = toolkit.split('.').slice(0, 2).join('.');
  const isForward =
    gpu.cudaRuntime !== undefined &&
    driverVerdict(gpu, gpu.cudaRuntime, device).kind === 'FORWARD_COMPATIBLE';
  const has = isForward ? gpu.cudaRuntime : driverCuda(device);
  if (!isVersion(has))
    return no('DRIVER_UNKNOWN', 'driver is unknown, PTX needs to know what it can compile');
  if (compareVersions(has, wanted) >= 0) return native;
  return no('PTX_TOO_NEW', `driver compiles PTX of CUDA <= ${has}, the payload's is of ${wanted}`);
}

/** The lowest driver that a requirement takes natively, and the one that is enough within the major version. */
export function driversFor(runtime: string): {
  readonly native: string | undefined;
  readonly minor: string | undefined;
} {
  return { native: cudaRelease(runtime)?.driver, minor: cudaFamily(majorOf(runtime))?.minorDriver };
}
