/**
 * Devices of unsuitable workers, by kind: which checks each fails, and which would serve if one requirement
 * changed.
 */
import { deviceChecks } from '../../gpus/verdict/device-checks.js';
import { matchDevices } from '../../gpus/verdict/device-match.js';
import type { DeviceSet } from '../../gpus/capacity/device-set.js';
import type { Device } from '../../gpus/verdict/verdict.types.js';
import type { EquivalentWorkers } from '../cache/equivalent-workers.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { DeviceDocument } from '../../gpus/device.types.js';
import type { Gain } from './relaxation.types.js';

/** Devices with the same facts, on any host. */
export interface DeviceKind {
  readonly facts: Device;
  /** Names of the failed checks. */
  readonly fails: ReadonlySet<string>;
}

/** Equivalent workers, with the devices of each. */
export interface KindsOfHost {
  readonly group: EquivalentWorkers;
  readonly set: DeviceSet;
  readonly kinds: ReadonlyMap<DeviceKind, number>;
}

/** A requirement with one part changed. */
export interface Changed {
  readonly requirement: StoredGpuRequirement;
  /** Names of the checks that the change may affect. */
  readonly affects: readonly string[];
}

/** Returns the kinds of each group; equal kinds are one object. */
export function kindsOfHosts(
  gpu: StoredGpuRequirement,
  groups: readonly EquivalentWorkers[],
): readonly KindsOfHost[] {
  const checks = deviceChecks.filter((check) => check.text(gpu) !== undefined);
  const known = new Map<string, DeviceKind>();
  const kindOf = (facts: Device): DeviceKind => {
    const key = factsKey(facts);
    let kind = known.get(key);
    if (!kind) {
      const failed = checks.filter((check) => check.check(gpu, facts).kind === 'NO');
      known.set(key, (kind = { facts, fails: new Set(failed.map(({ name }) => name)) }));
    }
    return kind;
  };
  return groups.map((group) => {
    const set = group.one.profile.devices();
    const byNumber: DeviceKind[] = [];
    const kinds = new Map<DeviceKind, number>();
    set.facts.forEach((facts, position) => {
      const kind = (byNumber[set.kinds[position] ?? 0] ??= kindOf(facts));
      kinds.set(kind, 1 + (kinds.get(kind) ?? 0));
    });
    return { group, set, kinds };
  });
}

/** Key of the facts that a verdict may depend on. */
function factsKey(facts: Device & Partial<DeviceDocument>): string {
  const { id: _id, sources: _sources, pciAddress: _address, parentId, ...known } = facts;
  return JSON.stringify([parentId !== undefined, known]);
}

/** Returns true if only these checks exclude the device. */
export function failsOnly({ fails }: DeviceKind, affects: readonly string[]): boolean {
  for (const name of fails) if (!affects.includes(name)) return false;
  return true;
}

/** Returns the workers that would fit, with the devices that would serve. */
export function gainsOf(changed: Changed, hosts: readonly KindsOfHost[]): readonly Gain[] {
  const serves = servingKinds(changed);
  return hosts.flatMap((host): Gain[] => {
    const devices = servingDevices(changed.requirement, host, serves);
    return devices > 0 ? [{ group: host.group, workers: host.group.workers.length, devices }] : [];
  });
}

/** Returns a predicate for the kinds that serve, evaluated once for each kind. */
export function servingKinds({ requirement, affects }: Changed): (kind: DeviceKind) => boolean {
  const checks = deviceChecks.filter(
    (check) => affects.includes(check.name) && check.text(requirement) !== undefined,
  );
  const known = new Map<DeviceKind, boolean>();
  return (kind) => {
    let serves = known.get(kind);
    if (serves === undefined) {
      serves =
        failsOnly(kind, affects) &&
        checks.every((check) => check.check(requirement, kind.facts).kind !== 'NO');
      known.set(kind, serves);
    }
    return serves;
  };
}

/** Number of devices of a host that serve; 0 if there are too few together. */
export function servingDevices(
  gpu: StoredGpuRequirement,
  { set, kinds }: KindsOfHost,
  serves: (kind: DeviceKind) => boolean,
): number {
  let found = 0;
  for (const [kind, count] of kinds) if (serves(kind)) found += count;
  if (found < gpu.count) return 0;
  const isPerHost = gpu.exclusive === true || (gpu.nvlink && gpu.count > 1);
  return isPerHost && !matchDevices(gpu, set) ? 0 : found;
}
