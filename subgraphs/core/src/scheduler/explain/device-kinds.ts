/** Devices of workers that do not fit, by kind: which of the things asked each fails, and what serves once one of them is changed. */
import { deviceChecks } from '../../gpus/verdict/device-checks.js';
import { fitDevices } from '../../gpus/verdict/device-fit.js';
import type { DeviceShape } from '../../gpus/capacity/device-shape.js';
import type { Device } from '../../gpus/verdict/verdict.types.js';
import type { EquivalentWorkers } from '../cache/equivalent-workers.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { DeviceDocument } from '../../gpus/device.types.js';
import type { Gain } from './relaxation.types.js';

/** Devices with the same facts, wherever they are. */
export interface DeviceKind {
  readonly facts: Device;
  /** Names of the checks that it fails. */
  readonly fails: ReadonlySet<string>;
}

/** Workers that are alike, with what devices each has. */
export interface KindsOfHost {
  readonly group: EquivalentWorkers;
  readonly shape: DeviceShape;
  readonly kinds: ReadonlyMap<DeviceKind, number>;
}

/** A requirement with one thing changed. */
export interface Changed {
  readonly requirement: StoredGpuRequirement;
  /** Names of the checks that may come out otherwise. */
  readonly affects: readonly string[];
}

/** The kinds of each group: equal ones are one object. */
export function kindsOfHosts(
  gpu: StoredGpuRequirement,
  groups: readonly EquivalentWorkers[],
): readonly KindsOfHost[] {
  const asked = deviceChecks.filter((check) => check.text(gpu) !== undefined);
  const known = new Map<string, DeviceKind>();
  const kindOf = (facts: Device): DeviceKind => {
    const key = factsKey(facts);
    let kind = known.get(key);
    if (!kind) {
      const failed = asked.filter((check) => check.check(gpu, facts).kind === 'NO');
      known.set(key, (kind = { facts, fails: new Set(failed.map(({ name }) => name)) }));
    }
    return kind;
  };
  return groups.map((group) => {
    const shape = group.one.profile.devices();
    const byNumber: DeviceKind[] = [];
    const kinds = new Map<DeviceKind, number>();
    shape.facts.forEach((facts, position) => {
      const kind = (byNumber[shape.kinds[position] ?? 0] ??= kindOf(facts));
      kinds.set(kind, 1 + (kinds.get(kind) ?? 0));
    });
    return { group, shape, kinds };
  });
}

/** What a verdict may depend on. */
function factsKey(facts: Device & Partial<DeviceDocument>): string {
  const { id: _id, sources: _sources, pciAddress: _address, parentId, ...told } = facts;
  return JSON.stringify([parentId !== undefined, told]);
}

/** Whether nothing but these checks keeps the device away. */
export function failsOnly({ fails }: DeviceKind, affects: readonly string[]): boolean {
  for (const name of fails) if (!affects.includes(name)) return false;
  return true;
}

/** The workers that would fit, with the devices that would serve. */
export function gainsOf(changed: Changed, hosts: readonly KindsOfHost[]): readonly Gain[] {
  const serves = servingKinds(changed);
  return hosts.flatMap((host): Gain[] => {
    const devices = servingDevices(changed.requirement, host, serves);
    return devices > 0 ? [{ group: host.group, workers: host.group.workers.length, devices }] : [];
  });
}

/** Which kinds serve, each looked at once. */
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

/** Devices of a host that serve; 0 where they are not enough together. */
export function servingDevices(
  gpu: StoredGpuRequirement,
  { shape, kinds }: KindsOfHost,
  serves: (kind: DeviceKind) => boolean,
): number {
  let found = 0;
  for (const [kind, count] of kinds) if (serves(kind)) found += count;
  if (found < gpu.count) return 0;
  const isPerHost = gpu.exclusive === true || (gpu.nvlink && gpu.count > 1);
  return isPerHost && !fitDevices(gpu, shape) ? 0 : found;
}
