/** Aggregates hardware from the reports of workers. Pure. */
import { modelOf, modelsNamed } from '../gpus/catalogue/catalogue.js';
import { compareVersions } from '../gpus/catalogue/versions.js';
import { deviceKey, hostKey } from '../gpus/device-identity.js';
import { isPartition, ownMemoryMiB } from '../gpus/capacity/gpu-equivalents.js';
import type { DeviceDocument } from '../gpus/device.types.js';
import type { WorkerFacts } from '../scheduler/worker-facts.types.js';
import type { QueueFacts } from '../queues/queue-facts.types.js';

/** A group of equal GPUs. */
export interface GpuHardware {
  readonly vendor: string;
  readonly model: string;
  readonly reportedAs: readonly string[];
  readonly migProfile: string | null;
  readonly partition: string | null;
  readonly driverBranch: string | null;
  readonly oldestDriver: string | null;
  readonly cudaVersion: string | null;
  readonly rocmVersion: string | null;
  readonly memoryMiB: number | null;
  readonly target: string | null;
  readonly hosts: number;
  readonly devices: number;
  readonly free: number;
  readonly unhealthy: number;
  readonly unknown: number;
  readonly lastSeenAt: Date;
}

/** A live worker with facts that it does not report itself. */
export interface SeenWorker {
  readonly worker: Pick<WorkerFacts, 'id' | 'host' | 'state' | 'devices' | 'hardware'>;
  readonly queue: Pick<QueueFacts, 'name' | 'site'>;
  readonly lastSeenAt: Date;
  /** Ids of its devices that jobs hold. */
  readonly booked: ReadonlySet<string>;
}

/** A group of equal devices of ended workers. */
export interface GoneDevices {
  readonly queue: Pick<QueueFacts, 'name' | 'site'>;
  readonly device: Pick<
    DeviceDocument,
    | 'vendor'
    | 'model'
    | 'pciId'
    | 'migProfile'
    | 'partitionMode'
    | 'driverVersion'
    | 'cudaVersion'
    | 'rocmVersion'
  >;
  readonly lastSeenAt: Date;
}

/** Filter by vendor and model. */
export interface DeviceFilter {
  readonly vendors?: readonly string[] | null | undefined;
  readonly models?: readonly string[] | null | undefined;
}

type Row = { -readonly [K in keyof GpuHardware]: GpuHardware[K] };
interface Group {
  readonly row: Row;
  readonly names: Set<string>;
  readonly hosts: Set<string>;
}
type Described = GoneDevices['device'] & Partial<DeviceDocument>;

/** Returns one row for each group of devices, the largest first. */
export function gpuHardware(
  workers: readonly SeenWorker[],
  gone: readonly GoneDevices[] = [],
  filter: DeviceFilter = {},
): readonly GpuHardware[] {
  const groups = new Map<string, Group>();
  const isWanted = deviceFilter(filter);
  for (const { device, host, health, isOffered, isTaken, lastSeenAt } of presentDevices(workers)) {
    if (!isWanted(device)) continue;
    const group = groupOf(groups, device, lastSeenAt);
    group.hosts.add(host);
    count(group.row, health, isOffered && !isTaken);
  }
  for (const { device, lastSeenAt } of gone) if (isWanted(device)) groupOf(groups, device, lastSeenAt);
  return [...groups.values()]
    .map(({ row, names, hosts }) => ({ ...row, reportedAs: [...names].sort(), hosts: hosts.size }))
    .sort((a, b) => b.devices - a.devices || compareRows(a, b));
}

/** A device as reported by all workers that see it. */
interface PresentDevice {
  readonly device: DeviceDocument;
  /** Host name with its site. */
  readonly host: string;
  readonly health: DeviceDocument['health'];
  /** True if one of the workers accepts jobs. */
  readonly isOffered: boolean;
  readonly isTaken: boolean;
  readonly lastSeenAt: Date;
}

/** Slices, partitions and undivided devices. A device that several workers of a host report appears once. */
function presentDevices(workers: readonly SeenWorker[]): Iterable<PresentDevice> {
  const found = new Map<string, PresentDevice>();
  for (const { worker, queue, lastSeenAt, booked } of workers) {
    const host = hostKey(queue.site, worker.host);
    const divided = new Set(worker.devices.flatMap(({ parentId }) => parentId ?? []));
    const bad = new Set(worker.devices.filter(({ health }) => health === 'UNHEALTHY').map(({ id }) => id));
    for (const device of worker.devices) {
      if (divided.has(device.id)) continue;
      const health = bad.has(device.parentId ?? '') ? 'UNHEALTHY' : device.health;
      const [isOffered, isTaken] = [worker.state === 'READY', booked.has(device.id)];
      const own = { device, host, health, isOffered, isTaken, lastSeenAt };
      const key = deviceKey({ id: worker.id, hostKey: host }, device.id);
      const known = found.get(key);
      found.set(key, known ? together(known, own) : own);
    }
  }
  return found.values();
}

/**
 * Merges two reports: the facts of the latest; in use if any worker has granted it, unhealthy if any reports
 * so.
 */
function together(a: PresentDevice, b: PresentDevice): PresentDevice {
  const last = b.lastSeenAt > a.lastSeenAt ? b : a;
  const isBad = a.health === 'UNHEALTHY' || b.health === 'UNHEALTHY';
  return {
    ...last,
    health: isBad ? 'UNHEALTHY' : last.health,
    isOffered: a.isOffered || b.isOffered,
    isTaken: a.isTaken || b.isTaken,
  };
}

/** Returns a predicate for devices. Terms for models are resolved once. */
function deviceFilter({ vendors, models }: DeviceFilter): (device: Described) => boolean {
  const wanted = models?.map((term) => ({ term: term.toLowerCase(), rows: modelsNamed(term) }));
  const wantedVendors = vendors?.map((vendor) => vendor.toUpperCase());
  return (device) => {
    if (wantedVendors && !wantedVendors.includes(device.vendor)) return false;
    if (!wanted) return true;
    const row = modelOf(device);
    return wanted.some(
      ({ term, rows }) => (row !== undefined && rows.has(row)) || device.model.toLowerCase() === term,
    );
  };
}

function groupOf(groups: Map<string, Group>, device: Described, lastSeenAt: Date): Group {
  const row = emptyRow(device, lastSeenAt);
  const key = [
    row.vendor,
    row.model,
    row.migProfile,
    row.partition,
    row.driverBranch,
    row.cudaVersion,
    row.rocmVersion,
  ].join('\n');
  const group = groups.get(key) ?? { row, names: new Set<string>(), hosts: new Set<string>() };
  groups.set(key, group);
  group.names.add(device.model);
  if (lastSeenAt > group.row.lastSeenAt) group.row.lastSeenAt = lastSeenAt;
  const { driverVersion } = device;
  const memoryMiB = ownMemoryMiB(device);
  const oldest = group.row.oldestDriver;
  if (driverVersion !== undefined && (oldest === null || compareVersions(driverVersion, oldest) < 0))
    group.row.oldestDriver = driverVersion;
  if (memoryMiB !== undefined) group.row.memoryMiB = Math.min(group.row.memoryMiB ?? Infinity, memoryMiB);
  return group;
}

function emptyRow(device: Described, lastSeenAt: Date): Row {
  const known = modelOf(device);
  return {
    vendor: device.vendor,
    model: known?.name ?? device.model,
    reportedAs: [],
    migProfile: device.migProfile ?? null,
    partition: isPartition(device) ? (device.partitionMode ?? 'unknown') : null,
    driverBranch: driverBranch(device),
    oldestDriver: null,
    cudaVersion: device.cudaVersion ?? null,
    rocmVersion: device.rocmVersion ?? null,
    memoryMiB: null,
    target:
      device.computeCapability ?? device.gfxTarget ?? known?.computeCapability ?? known?.gfxTarget ?? null,
    hosts: 0,
    devices: 0,
    free: 0,
    unhealthy: 0,
    unknown: 0,
    lastSeenAt,
  };
}

/** NVIDIA's branches have one number; those of other vendors have two. */
export function driverBranch({
  vendor,
  driverVersion,
}: Pick<Described, 'vendor' | 'driverVersion'>): string | null {
  const form = vendor === 'NVIDIA' ? /^\d+/ : /^\d+(\.\d+)?/;
  return form.exec(driverVersion ?? '')?.[0] ?? driverVersion ?? null;
}

function count(row: Row, health: DeviceDocument['health'], isFree: boolean): void {
  row.devices += 1;
  if (health === 'UNHEALTHY') row.unhealthy += 1;
  else if (health === 'UNKNOWN') row.unknown += 1;
  else if (isFree) row.free += 1;
}

function compareRows(a: GpuHardware, b: GpuHardware): number {
  const text = ({
    vendor,
    model,
    migProfile,
    partition,
    driverBranch: branch,
    cudaVersion,
  }: GpuHardware): string => [vendor, model, migProfile, partition, branch, cudaVersion].join('\n');
  return text(a) < text(b) ? -1 : 1;
}
