/**
 * The plain rule for GPUs: a device serves a job if it is healthy and every fact that the job asks for is known and sufficient. Finer rules of
 * compatibility replace this file; nothing else knows how devices are chosen.
 */
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import type { StoredDevice } from '../workers/worker.types.js';

/** Why the device does not serve the job, or undefined if it does. `all` are the devices of its worker. */
export function deviceRefusal(
  gpu: StoredGpuRequirement,
  device: StoredDevice,
  all: readonly StoredDevice[],
): string | undefined {
  if (device.health !== 'HEALTHY') return `device is ${device.health.toLowerCase()}`;
  if (gpu.vendor !== undefined && gpu.vendor !== device.vendor) return `vendor is ${device.vendor}`;
  if (gpu.models.length > 0 && !gpu.models.some((model) => sameWord(model, device.model)))
    return `model is ${device.model}`;
  return partitionRefusal(gpu, device, all) ?? amountRefusal(gpu, device) ?? runtimeRefusal(gpu, device);
}

function partitionRefusal(
  gpu: StoredGpuRequirement,
  device: StoredDevice,
  all: readonly StoredDevice[],
): string | undefined {
  if (gpu.migProfile !== undefined) {
    return gpu.migProfile === device.migProfile
      ? undefined
      : `profile is ${device.migProfile ?? 'none: a whole device'}`;
  }
  if (device.migProfile !== undefined || device.parentId !== undefined) return 'device is a slice';
  if (all.some((other) => other.parentId === device.id)) return 'device is divided into slices';
  return undefined;
}

function amountRefusal(gpu: StoredGpuRequirement, device: StoredDevice): string | undefined {
  if (gpu.minMemoryMiB !== undefined && !((device.memoryMiB ?? -1) >= gpu.minMemoryMiB)) {
    return `memory is ${device.memoryMiB === undefined ? 'unknown' : `${device.memoryMiB} MiB`}`;
  }
  if (
    gpu.minComputeCapability !== undefined &&
    !atLeast(device.computeCapability, gpu.minComputeCapability)
  ) {
    return `compute capability is ${device.computeCapability ?? 'unknown'}`;
  }
  return undefined;
}

function runtimeRefusal(gpu: StoredGpuRequirement, device: StoredDevice): string | undefined {
  if (gpu.cudaRuntime !== undefined && !atLeast(device.cudaVersion, gpu.cudaRuntime)) {
    return `newest CUDA version is ${device.cudaVersion ?? 'unknown'}`;
  }
  if (gpu.rocmRuntime !== undefined) return 'ROCm release is unknown';
  if (gpu.nvlink && gpu.count > 1) return 'NVLink is unknown';
  if (!targetsServe(gpu, device.computeCapability))
    return `targets do not run on compute capability ${device.computeCapability ?? 'unknown'}`;
  return undefined;
}

/** SASS runs on its own major version from its minor on; PTX on everything from its version on. */
function targetsServe(gpu: StoredGpuRequirement, capability: string | undefined): boolean {
  if (gpu.sassTargets.length === 0 && gpu.ptxTargets.length === 0) return true;
  const have = targetNumber(capability?.replace('.', ''));
  if (have === undefined) return false;
  const sass = gpu.sassTargets.map((target) => targetNumber(target.replace(/^sm_/, '')));
  const ptx = gpu.ptxTargets.map((target) => targetNumber(target.replace(/^compute_/, '')));
  return (
    sass.some(
      (target) => target !== undefined && Math.floor(target / 10) === Math.floor(have / 10) && target <= have,
    ) || ptx.some((target) => target !== undefined && target <= have)
  );
}

function targetNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{2,3}$/.test(text) ? Number(text) : undefined;
}

/**
 * Which devices a job gets, or undefined if there are not enough. `isFree` says whether a device is given to nobody. The smallest
 * sufficient devices are taken. A job whose GPUs are optional gets them where they are, and else none.
 */
export function chooseDevices(
  gpu: StoredGpuRequirement | undefined,
  devices: readonly StoredDevice[],
  isFree: (deviceId: string) => boolean,
): readonly string[] | undefined {
  if (gpu === undefined) return [];
  const serving = devices.filter(
    (device) => isFree(device.id) && deviceRefusal(gpu, device, devices) === undefined,
  );
  if (serving.length < gpu.count) return gpu.optional ? [] : undefined;
  const bySize = [...serving].sort(
    (a, b) => (a.memoryMiB ?? Infinity) - (b.memoryMiB ?? Infinity) || (a.id < b.id ? -1 : 1),
  );
  return bySize.slice(0, gpu.count).map(({ id }) => id);
}

/** Why the worker could not serve the job even when empty, or undefined if it could. */
export function gpuRefusal(gpu: StoredGpuRequirement, devices: readonly StoredDevice[]): string | undefined {
  if (gpu.optional || chooseDevices(gpu, devices, () => true)) return undefined;
  if (devices.length === 0) return 'no devices';
  const reasons = devices.flatMap((device) => deviceRefusal(gpu, device, devices) ?? []);
  return reasons[0] ?? `only ${devices.length} devices`;
}

/** Compares versions such as `12.4` part by part; unknown or malformed is never enough. */
function atLeast(have: string | undefined, want: string): boolean {
  if (have === undefined || !/^\d+(\.\d+)*$/.test(have) || !/^\d+(\.\d+)*$/.test(want)) return false;
  const [a, b] = [have.split('.').map(Number), want.split('.').map(Number)];
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

function sameWord(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
