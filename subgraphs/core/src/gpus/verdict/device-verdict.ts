/** The rule of GPUs: whether a device serves a requirement, how well, and why. Pure. Unknown facts never satisfy. */
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

/** Smaller serves better; {@link refused} does not serve. */
export function verdictRank({ kind }: Verdict): number {
  return rank[kind];
}

/** The rank of what does not serve. */
export const refused = rank.NO;

/** The verdict on a device: the first thing that fails, or else the least that it serves with. */
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
 * The devices of a worker as the rule sees them: a slice has the facts of its device where it does not tell its own.
 * @param isSharingAllowed whether the worker's queue lets jobs share a device
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
      // A bad device has no good slices.
      health: parent?.health === 'UNHEALTHY' ? 'UNHEALTHY' : device.health,
      isDivided: divided.has(device.id),
      isSharingAllowed,
    };
  });
}

/** What a slice has of its device: not its NVLink, which slices cannot use. */
function inherited(parent: DeviceDocument | undefined): Partial<DeviceDocument> {
  if (!parent) return {};
  const { computeCapability, driverVersion, cudaVersion, pciId, eccEnabled, brand } = parent;
  const facts = { computeCapability, driverVersion, cudaVersion, pciId, eccEnabled, brand };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
