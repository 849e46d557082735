/**
 * The matching rule of GPUs: decides if a device serves a requirement, how well, and why. Pure. Unknown facts
 * never satisfy.
 */
import { deviceChecks } from './device-checks.js';
import { ownMemoryMiB } from '../capacity/gpu-equivalents.js';
import { type Device, native, type Verdict, type VerdictKind } from './verdict.types.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';
import type { DeviceDocument } from '../device.types.js';

const rank: Readonly<Record<VerdictKind, number>> = {
  NATIVE: 0,
  MINOR_COMPATIBLE: 1,
  FORWARD_COMPATIBLE: 2,
  NO: 3,
};

/** Rank of a verdict: smaller is better; {@link refused} means unsuitable. */
export function verdictRank({ kind }: Verdict): number {
  return rank[kind];
}

/** Rank of an unsuitable device. */
export const refused = rank.NO;

/** Returns the verdict on a device: the first failed check, else the weakest level of support. */
export function deviceVerdict(gpu: StoredGpuRequirement, device: Device): Verdict {
  let worst: Verdict = native;
  for (const check of deviceChecks) {
    if (check.text(gpu) === undefined) continue;
    const verdict = check.check(gpu, device);
    if (verdict.kind === 'NO') return verdict;
    if (verdictRank(verdict) > verdictRank(worst)) worst = verdict;
  }
  return worst;
}

/**
 * Facts of a worker's devices for matching: a slice inherits the facts of its device that it does not report
 * itself.
 * @param isSharingAllowed whether the worker's queue allows jobs to share a device
 */
export function deviceFacts(
  devices: readonly DeviceDocument[],
  isSharingAllowed: boolean,
): readonly Device[] {
  const byId = new Map(devices.map((device) => [device.id, device]));
  const divided = new Set(devices.map(({ parentId }) => parentId));
  return devices.map((device) => {
    const parent = device.parentId === undefined ? undefined : byId.get(device.parentId);
    const memoryMiB = ownMemoryMiB(device);
    return {
      ...inherited(parent),
      ...device,
      ...(memoryMiB === undefined ? {} : { memoryMiB }),
      // An unhealthy device has no healthy slices.
      health: parent?.health === 'UNHEALTHY' ? 'UNHEALTHY' : device.health,
      isDivided: divided.has(device.id),
      isSharingAllowed,
    };
  });
}

/** Facts that a slice inherits from its device: not its NVLink, which slices cannot use. */
function inherited(parent: DeviceDocument | undefined): Partial<DeviceDocument> {
  if (!parent) return {};
  const { computeCapability, driverVersion, cudaVersion, pciId, eccEnabled, brand } = parent;
  const facts = { computeCapability, driverVersion, cudaVersion, pciId, eccEnabled, brand };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
